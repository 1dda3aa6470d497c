"""What a run is: its configuration, checked before anything starts, and the worlds it asks for."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from motley.agents import Agent, checks
from motley.agents.blueprints import BLUEPRINTS
from motley.agents.credit import credit_rule
from motley.agents.worlds import make_worlds
from motley.costs.controls import ROUTINGS, TIMES, retimed
from motley.costs.development import Development
from motley.costs.registry import unknown
from motley.costs.sets import check_names
from motley.envs import TASKS, Task, calibration
from motley.envs.sb3 import WorldVecEnv
from motley.studies.folder import FolderError, read_json

TRAINING, EVALUATION, PLASTIC = 0, 1, 2
GIVEN_BY_RUN = (
    *("self", "structure", "env", "costs", "routing", "credit"),
    *("n_envs", "seed", "device", "env_kwargs"),
    *("tensorboard_log", "verbose", "_init_setup_model"),
)


MOST_WORLDS = 100_000
"""Of a run. More take minutes to be made, and gigabytes; to learn, some thousands are many."""


BACK = "put back what it was"
"""What mends the file of a configuration."""


class ConfigError(ValueError):
    """A setting that cannot be; the message names it and what would do."""


@dataclass(frozen=True)
class RunConfig:
    """One training run; equal configurations give equal numbers on the same machine.

    Attributes:
        task: one of our tasks (``DarkHome``, ``motley/DarkHome-v0``) or any Gymnasium id.
        level: rung of the task's ladder; None is its default, and what others' tasks take.
        ood: train in the out-of-distribution variant.
        variant: further settings of the task, such as ``{"stop": True}``; the rest is as usual.
        structure: a blueprint's name.
        costs: cost sets or costs, joined by ``+``; a cost may have its weight, ``rnd=0.1``.
        routing: which cost trains which area: ``matched``, ``shuffled`` or ``global``.
        time: what becomes of the agent's ``development`` over the run's steps: ``staged`` as
            written, ``reversed``, ``permuted`` or ``simultaneous``.
        credit: how an error changes weights, a credit rule's name.
        steps: environment steps to train for, all worlds together.
        seed: of weights, exploration, training worlds and evaluation worlds.
        n_envs: training worlds in lock step. device: of the tensors.
        eval_every: steps between evaluations. eval_episodes: episodes of each.
        until_solved: end early, once two evaluations in a row have a score01 of 0.8.
        imports: plug-in modules, imported before any name is looked up.
        agent: further arguments of :class:`motley.agents.Agent`, such as ``learning_rate``.
    """

    task: str = "DarkHome"
    level: int | None = None
    ood: bool = False
    variant: Mapping[str, Any] = field(default_factory=dict)
    structure: str = "matched"
    costs: str = "heterogeneous"
    routing: str = "matched"
    time: str = "staged"
    credit: str = "backprop"
    steps: int = 500_000
    seed: int = 0
    n_envs: int = 64
    device: str = "cpu"
    eval_every: int = 20_000
    eval_episodes: int = 200
    until_solved: bool = False
    imports: tuple[str, ...] = ()
    agent: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> type[Task] | None:
        """The task's class, None for other people's environments."""
        return TASKS.get(plain(self.task))

    @property
    def task_hash(self) -> str | None:
        """Of the task's constants and code; None for other people's environments."""
        return None if self.ours is None else calibration.task_hash(self.ours)

    def at(self, level: int | None, ood: bool, variant: Sequence[str] = ()) -> Self:
        """The same on another rung (None keeps the run's), or out of distribution as well.

        Args:
            level: of the task's ladder.
            ood: out of distribution, if the run is not anyway.
            variant: settings NAME=VALUE in place of the run's own.

        Raises:
            ConfigError: the task has no such level or variant.
        """
        other = replace(
            self,
            level=self.level if level is None else level,
            ood=self.ood or ood,
            variant={**self.variant, **read_variant(self.task, variant)},
        )
        check_task(other.task, other.level, other.ood, other.variant)
        return other

    def rules(self) -> Task:
        """The task as the run sets it, which is one of ours."""
        assert self.ours is not None
        return self.ours(level=self.level, ood=self.ood, **self.variant)

    def to_json(self) -> dict[str, Any]:
        """JSON values, with the level resolved, so that a changed default changes no run.

        Of the variant there is what is not as usual; where nothing is, there is no such key.
        """
        data = asdict(self) | {"imports": list(self.imports), "agent": dict(self.agent)}
        variant = dict(data.pop("variant"))
        if self.ours is not None:
            level = self.ours.default_level if self.level is None else self.level
            usual = self.ours().variant
            variant = {n: value for n, value in variant.items() if value != usual.get(n)}
            data |= {"task": plain(self.task), "level": level}
        return data | ({"variant": variant} if variant else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`; also imports the plug-ins that it names."""
        config = cls(**{**data, "imports": tuple(data["imports"])})
        import_plugins(config.imports)
        return config


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a run folder, as :meth:`RunConfig.to_json` gave it.

    Raises:
        FolderError: the file is missing or broken, or a setting is missing, unknown or of another
            type.
    """
    file, usual = folder / "config.json", RunConfig()
    data = read_json(file)
    names = [f.name for f in fields(RunConfig)]
    missing = [name for name in names if name not in (*data, "variant")]
    if missing:
        raise FolderError(f"{file} lacks {', '.join(missing)}: {BACK}")
    for name, value in data.items():
        if name not in names:
            told = nearest("setting", name, names, "motley train -h")
            raise FolderError(f"{file}: {told}; {BACK}")
        # What JSON makes of the types: a tuple is a list there; a level may be none.
        kind = {"level": int, "imports": list}.get(name, type(getattr(usual, name)))
        fits = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
        if not fits and not (name == "level" and value is None):
            raise FolderError(f"{file}: {name} is {value!r}, which is no {kind.__name__}: {BACK}")
    return data


def plain(task: str) -> str:
    """The task's name without the wrapping of its Gymnasium id."""
    return task.removeprefix("motley.envs:").removeprefix("motley/").removesuffix("-v0")


def import_plugins(modules: Iterable[str]) -> None:
    """Import modules that register tasks, areas, structures or costs.

    The current folder counts as a place to look, as with ``python -m``.

    Raises:
        ConfigError: there is no such module.
    """
    for module in modules:
        if os.getcwd() not in sys.path and "" not in sys.path:
            sys.path.append(os.getcwd())
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise  # the module is there; something that it imports is not
            raise ConfigError(
                f"--import {module}: there is no module {error.name!r}; install it, or run in "
                f"the folder that holds {module.replace('.', '/')}.py"
            ) from error


def nearest(kind: str, name: str, known: Iterable[str], command: str = "motley list") -> str:
    """The message for an unknown name."""
    return f"{unknown(kind, name, known)} (`{command}` shows them all)"


def check(config: RunConfig) -> None:
    """Refuse what cannot be trained, before any folder is made.

    Raises:
        ConfigError: the message names the setting and what would do.
    """
    check_run(config)
    matched = ("matched", "mismatched")
    if config.structure.partition(".")[0] not in matched and config.structure not in BLUEPRINTS:
        raise ConfigError(nearest("structure", config.structure, (*matched, *BLUEPRINTS)))
    try:
        check_names(config.costs)
    except ValueError as error:
        raise ConfigError(f"{error} (`motley list` shows them all)") from error
    for name, value, known in (
        ("routing", config.routing, ROUTINGS),
        ("time", config.time, TIMES),
    ):
        if value not in known:
            raise ConfigError(nearest(name, value, known, "motley train -h"))
    if config.time != "staged" and not config.agent.get("development"):
        raise ConfigError(
            f"--time {config.time} changes a development, and there is none: give one with "
            f"--set development=..., or --time staged"
        )
    try:
        credit_rule(config.credit)
    except ValueError as error:
        raise ConfigError(f"--credit: {error}") from error
    settings = [n for n in inspect.signature(Agent.__init__).parameters if n not in GIVEN_BY_RUN]
    for name in config.agent:
        if name not in settings:
            if name in {field.name for field in fields(RunConfig)}:
                flag = name.replace("_", "-")
                raise ConfigError(f"{name!r} is no setting of the agent but a flag: --{flag}")
            raise ConfigError(nearest("agent setting", name, settings, "pydoc motley.agents.Agent"))


def check_run(config: RunConfig) -> None:
    """Refuse what no learner can be trained on: the part of `check` that all of them share.

    Raises:
        ConfigError: the message names the setting and what would do.
    """
    for name in ("steps", "n_envs", "eval_every", "eval_episodes"):
        value = getattr(config, name)
        if value < 1:
            raise ConfigError(f"--{name.replace('_', '-')} must be at least 1, not {value}")
    if config.n_envs > MOST_WORLDS:
        raise ConfigError(
            f"--n-envs must be at most {MOST_WORLDS:,}, not {config.n_envs:,}: so many worlds fill "
            f"the memory before the first step"
        )
    try:
        checks.device(config.device)
    except ValueError as error:
        raise ConfigError(f"--{error}") from error
    if config.seed < 0:
        raise ConfigError(f"--seed must be 0 or more, not {config.seed}")
    check_task(config.task, config.level, config.ood, config.variant)


def check_task(
    task: str, level: int | None, ood: bool, variant: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Refuse an unknown task, and a level or variant that it has not.

    Raises:
        ConfigError: the nearest names, or the levels or variants there are.
    """
    if plain(task) in TASKS:
        levels = len(TASKS[plain(task)].levels)
        if level is not None and not 0 <= level < levels:
            raise ConfigError(f"{plain(task)} has levels 0 to {levels - 1}, not --level {level}")
        for name, value in variant.items():
            values = values_of(TASKS[plain(task)], name)
            if not any(type(value) is type(v) and value == v for v in values):
                takes = " or ".join(f"{name}={v!r}" for v in values)
                raise ConfigError(f"{plain(task)} has no variant {name}={value!r}; give {takes}")
    elif task not in gym.registry:
        package, _, id = task.rpartition(":")
        package, id = (package, id) if package else ("minigrid", "MiniGrid-Empty-5x5-v0")
        raise ConfigError(
            nearest("task", plain(task), TASKS) + "; any Gymnasium id will do too, with the "
            f"package that brings it, as in --import {package} --task {id}"
        )
    elif level is not None or ood or variant:
        raise ConfigError(
            f"{task} is not one of our tasks: it takes neither --level nor --ood nor --variant"
        )


def variants(task: type[Task]) -> dict[str, list[Any]]:
    """What a task's variants set: by name, the values that there are, the usual one first."""
    found: dict[str, list[Any]] = {}
    for each in ({}, *task.variants):
        for name, value in task(**each).variant.items():
            values = found.setdefault(name, [])
            values += [] if value in values else [value]
    return found


def values_of(task: type[Task], name: str) -> list[Any]:
    """The values that there are of one setting of a task's variants.

    Raises:
        ConfigError: the task has no such setting; the message has those that there are.
    """
    known = variants(task)
    if not known:
        raise ConfigError(f"{task.__name__} has no variants: leave --variant {name} out")
    if name not in known:
        there = "; ".join(" or ".join(as_word(n, v) for v in known[n]) for n in known)
        raise ConfigError(f"{task.__name__} has no variant {name!r}; give --variant {there}")
    return known[name]


def setting(task: type[Task], name: str, text: str) -> Any:
    """One setting of a variant as the task takes it, from the text that stands for it.

    Raises:
        ConfigError: the names, or the values, that there are.
    """
    known = {as_word(name, value): value for value in values_of(task, name)}
    word = as_word(name, text)
    if word not in known:
        raise ConfigError(
            f"{task.__name__} has no --variant {word}; give --variant {' or '.join(known)}"
        )
    return known[word]


def as_word(name: str, value: Any) -> str:
    """A setting of a variant as --variant takes it."""
    return f"{name}={str(value).lower()}"


def read_variant(task: str, words: Iterable[str]) -> dict[str, Any]:
    """The settings of a variant by name, from words NAME=VALUE.

    Raises:
        ConfigError: there is no such task, name or value, or two values are given for a name.
    """
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"--variant {word}: write it as NAME=VALUE")
        if as_word(name, given.get(name, value)) != as_word(name, value):
            raise ConfigError(
                f"--variant gives {name} two values, {given[name]} and {value}: leave one out"
            )
        given[name] = value
    if not given:
        return {}
    if plain(task) not in TASKS:
        check_task(task, None, False, given)  # which refuses it
    return {name: setting(TASKS[plain(task)], name, value) for name, value in given.items()}


def task_as_set(name: str, level: int | None, ood: bool, variant: Iterable[str]) -> Task:
    """One of our tasks as a command's flags set it.

    Raises:
        ConfigError: it has no such level or variant.
    """
    check_task(name, level, ood)
    return TASKS[name](level=level, ood=ood, **read_variant(name, variant))


def build_agent(config: RunConfig) -> Agent:
    """The agent in its training worlds, unlearnt.

    Raises:
        ConfigError: the structure or a cost does not fit the task's senses, or the credit rule
            not the structure.
    """
    seed = stream(config, TRAINING)
    worlds = build_worlds(config, config.n_envs, seed, config.ood)
    settings = {
        "routing": config.routing,
        "credit": config.credit,
        "seed": seed,
        "device": config.device,
        **config.agent,
    }
    try:
        development = Development.from_json(config.agent.get("development") or {})
        settings["development"] = retimed(development, config.time, config.steps, config.seed)
        return Agent(config.structure, worlds, config.costs, **settings)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def build_worlds(config: RunConfig, n: int, seed: int, ood: bool) -> VecEnv:
    """``n`` worlds of the run's task; world i is seeded with ``seed + i``."""
    if config.ours is None:
        return make_worlds(config.task, n, seed)
    settings = {"level": config.level, "ood": ood, **config.variant}
    return WorldVecEnv(config.ours, n, seed=seed, **settings)


def stream(config: RunConfig, *key: int) -> int:
    """A seed for one use of a run, 31 bits, far from those of other uses and of other runs.

    Neighbouring seeds would share all but one of their worlds: world i gets ``seed + i``.
    """
    return int(np.random.SeedSequence([config.seed, *key]).generate_state(1)[0] >> 1)
