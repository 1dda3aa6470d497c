"""What a score is worth: the means of oracle, random, observer and shortcuts, stored by task.

score01 = (score - random) / (oracle - random). The figures lie beside the task's file, under
the same name with .json, keyed by a hash of the task's constants and source: a changed task
has none until ``motley audit TASK --calibrate`` measures it anew. What changes no score is left
out: comments, and `Task.scene`, which only the picture reads.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import io
import json
import sys
import tokenize
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from motley.envs import kernels
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats
from motley.envs.task import Body, Policy, Task
from motley.envs.world import World

FORMAT_VERSION = 1
CALIBRATION_SEED = 1_000_000
"""First seed of the stored figures; tests use others."""
BATCH = 500
"""Worlds that are rolled out at once."""
LEVELS = ("levels", "default_level")
"""What every task says for itself, whatever a task that it is made from says."""


class UncalibratedWarning(UserWarning):
    """A task has no stored figures as it is set."""


@dataclass(frozen=True)
class Entry:
    """Mean scores of one level of a task over ``episodes`` episodes of seeds from ``seed`` on."""

    level: int
    ood: bool
    variant: dict[str, Any]
    oracle: float
    random: float
    observer: float | None
    heuristics: dict[str, float]
    episodes: int
    seed: int


class Scores(NamedTuple):
    """Scores of a level's reference policies on the same seeds, each (episodes,)."""

    oracle: npt.NDArray[np.floating]
    random: npt.NDArray[np.floating]
    observer: npt.NDArray[np.floating] | None
    heuristics: dict[str, npt.NDArray[np.floating]]


class Random:
    """Uniform in the action space."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._n = 0

    def reset(self, n: int) -> None:
        """``n`` worlds follow."""
        self._n = n

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        return self._rng.uniform(-1, 1, (self._n, 2)).astype(np.float32)


def rollout(
    task: Task, policy: Policy | Callable[[World], Floats], episodes: int, seed: int
) -> Floats:
    """Scores (episodes,) of a policy, one episode of each seed ``seed``, ``seed + 1``, ...

    Args:
        task: what to play.
        policy: acts from observations, or a function of the world (the oracle).
        episodes: how many.
        seed: of the first.
    """
    scores = []
    for first in range(0, episodes, BATCH):
        world = World(task, min(BATCH, episodes - first))
        world.seed(seed + first + np.arange(world.n))
        world.reset()
        result = np.full(world.n, np.nan)
        starts = np.ones(world.n, np.bool_)
        if not callable(policy):
            policy.reset(world.n)
        while np.isnan(result).any():
            act = policy(world) if callable(policy) else policy.act(world.observe(), starts)
            act = np.ascontiguousarray(act, np.float32)
            if act.shape != (world.n, 2) or not np.isfinite(act).all():
                raise ValueError(
                    f"{_name_of(policy)} of {task.name} must give finite actions of shape "
                    f"({world.n}, 2); what it gives has the shape {act.shape}"
                )
            starts = np.zeros(world.n, np.bool_)
            _, terminated, truncated = world.step(act)
            ends = (terminated | truncated) & np.isnan(result)
            result[ends] = task.score(world)[ends]
            if not ((result[ends] >= 0) & (result[ends] <= 1)).all():
                raise ValueError(
                    f"{task.name}.score must give raw scores in [0, 1], not {result[ends]}"
                )
        scores.append(result)
    return np.concatenate(scores)


def _name_of(policy: Policy | Callable[[World], Floats]) -> str:
    """What a policy is called: the method of a task, or a class."""
    return getattr(policy, "__name__", None) or type(policy).__name__


def measure(
    task: type[Task], level: int, ood: bool, episodes: int, seed: int, **variant: Any
) -> Entry:
    """Measure one level of a task: every reference policy on the same seeds."""
    rules = task(level=level, ood=ood, **variant)
    return entry(rules, play(rules, episodes, seed), seed)


def play(rules: Task, episodes: int, seed: int) -> Scores:
    """Play a task, as it is set, with every reference policy."""
    observer = rules.observer()
    heuristics = {
        name: rollout(rules, make(), episodes, seed) for name, make in rules.heuristics().items()
    }
    return Scores(
        rollout(rules, rules.oracle, episodes, seed),
        rollout(rules, Random(seed), episodes, seed),
        None if observer is None else rollout(rules, observer, episodes, seed),
        heuristics,
    )


def entry(rules: Task, found: Scores, seed: int) -> Entry:
    """The means of scores, to store."""
    return Entry(
        level=rules.level,
        ood=rules.ood,
        variant=rules.variant,
        oracle=float(found.oracle.mean()),
        random=float(found.random.mean()),
        observer=None if found.observer is None else float(found.observer.mean()),
        heuristics={name: float(scores.mean()) for name, scores in found.heuristics.items()},
        episodes=len(found.oracle),
        seed=seed,
    )


def calibrate(task: type[Task], episodes: int = 1_000, seed: int = CALIBRATION_SEED) -> Path:
    """Measure every level of a task, in and out of distribution and in each variant; store it."""
    return write(
        task,
        [
            measure(task, level, ood, episodes, seed, **variant)
            for variant in task.variants
            for level in range(len(task.levels))
            for ood in (False, True)
        ],
    )


def path(task: type[Task]) -> Path:
    """Where a task's figures lie: beside its file."""
    return Path(inspect.getfile(task)).with_suffix(".json")


def write(task: type[Task], entries: Sequence[Entry]) -> Path:
    """Store the figures of a task's levels; returns the file."""
    document = {
        "format_version": FORMAT_VERSION,
        "task": task.__name__,
        "task_hash": task_hash(task),
        "entries": [asdict(entry) for entry in entries],
    }
    file = path(task)
    file.write_text(json.dumps(document, indent=1) + "\n")
    return file


def read(task: type[Task]) -> list[Entry]:
    """The stored figures of a task; none where the file is missing or the task has changed."""
    try:
        document = json.loads(path(task).read_text())
    except (OSError, TypeError):
        return []
    if document["task_hash"] != task_hash(task) or document["format_version"] != FORMAT_VERSION:
        return []
    return [Entry(**entry) for entry in document["entries"]]


def lookup(task: Task) -> Entry | None:
    """The stored figures of a task as it is set, or None."""
    key = (task.level, task.ood, task.variant)
    return next((e for e in read(type(task)) if (e.level, e.ood, e.variant) == key), None)


def scale(task: Task) -> tuple[float, float]:
    """(random, oracle - random), so that score01 = (score - first) / second.

    NaN, with a warning that names the command, where the task has no calibration.
    """
    entry = lookup(task)
    if entry is None:
        _warn(type(task))
        return float("nan"), float("nan")
    return entry.random, entry.oracle - entry.random


@lru_cache  # once a process: a run makes worlds anew at each evaluation
def _warn(task: type[Task]) -> None:
    module, name = task.__module__, task.__name__
    where = "MODULE (the file that registers it)" if module == "__main__" else module
    plug_in = "" if module.startswith("motley.envs.") else f" --import {where}"
    warnings.warn(
        f"{name} has no calibration as it is set: score01 is NaN. Make one: "
        f"motley audit {name} --calibrate{plug_in}",
        UncalibratedWarning,
        stacklevel=5,
    )


def task_hash(task: type[Task]) -> str:
    """Sixteen hex digits of a task's, its policies' and its helpers' code, and of the physics.

    The code is `bare`; helpers are the modules beside the task's from which it takes something,
    another task's too, but for what that says of its levels. A body other than the usual one counts
    as well.
    """
    rules = task()
    policies = [rules.observer(), *(make() for make in rules.heuristics().values())]
    modules = {task.__module__} | {type(p).__module__ for p in policies if p is not None}
    if type(rules.body) is not Body:
        modules.add(type(rules.body).__module__)
    used = _with_helpers(modules, task.__module__.rpartition(".")[0])
    return _digest(tuple(sorted(used)), task.__module__)


def _with_helpers(modules: set[str], package: str) -> set[str]:
    """The modules and those beside them, in ``package``, that they take something from."""
    found, new = set(modules), set(modules)
    while new:
        things = (thing for name in new for thing in vars(sys.modules[name]).values())
        beside = {str(getattr(thing, "__module__", "")) for thing in things}
        new = {name for name in beside if package and name.startswith(f"{package}.")} - found
        found |= new
    return found


@lru_cache
def _digest(modules: tuple[str, ...], own: str) -> str:
    text = "\n".join(code(name, () if name == own else LEVELS) for name in modules)
    return hashlib.sha256(f"{kernels.PHYSICS}\n{text}".encode()).hexdigest()[:16]


def code(module: str, without: Collection[str] = ()) -> str:
    """The `bare` source of an imported module; "" where there is none."""
    try:
        return bare(inspect.getsource(sys.modules[module]), without)
    except (OSError, TypeError):
        return ""  # typed at a prompt: there is no file, and so no calibration to go stale


def bare(source: str, without: Collection[str] = ()) -> str:
    """Source without what changes nothing that happens.

    That is comments, docstrings, blank lines, methods named ``scene``, and a body's
    ``control_step``, which says how many seconds a step stands for; and what is given to one of the
    names ``without`` in the body of a class.
    """
    dropped: set[int] = set()
    without = {"control_step", *without}
    tree = ast.parse(source)
    of_classes = {n for c in ast.walk(tree) if isinstance(c, ast.ClassDef) for n in c.body}
    for node in ast.walk(tree):
        if (
            (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
            or (isinstance(node, ast.FunctionDef) and node.name == "scene")
            or (node in of_classes and _given_to(node) in without)
        ):
            assert isinstance(node, ast.stmt)
            dropped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    kept = (line.rstrip() for number, line in enumerate(lines, 1) if number not in dropped)
    return "\n".join(line for line in kept if line)


def _given_to(node: ast.AST) -> str:
    """The name that a statement of a class gives a value to; "" where it gives none."""
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.target)
    return ast.unparse(node.targets[0]) if isinstance(node, ast.Assign) else ""
