"""A study: arms x tasks x seeds as data, tuned and run on all cores.

Tuning comes first and is the same for every arm: the same trials on the same tuning seeds. Its
choice is written to ``results/<study>/settings.json`` before any run of the study itself.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

import gymnasium as gym
import numpy as np

from motley.costs.registry import Registry, unknown
from motley.envs.files import check_place
from motley.studies import peers, table, trials
from motley.studies.config import ConfigError, RunConfig, build_worlds, check
from motley.studies.demo import look, train
from motley.studies.folder import read_csv, read_json, write_csv, write_json
from motley.studies.peers import PEERS
from motley.studies.table import MEASURED, Collected, Planned, place


@dataclass(frozen=True)
class Arm:
    """One condition.

    Attributes:
        structure, costs, n_envs: as in :class:`RunConfig`; a peer stands for a structure.
        steps: environment steps of each run.
        prior: the rung of prior strength, or "". control: what it controls for, or "".
        tuned: False runs it as it comes, with the settings that all runs share.
        tuned_as: the arm of the same task whose chosen settings it takes; "" is its own trials.
        routing, time: as in :class:`RunConfig`. development: the agent's, as JSON values.
        credit: the credit rule. until_solved: as in :class:`RunConfig`.
        settings: of its learner alone, before what tuning chose.
    """

    structure: str
    costs: str
    steps: int
    prior: str = ""
    control: str = ""
    n_envs: int = 64
    tuned: bool = True
    tuned_as: str = ""
    routing: str = "matched"
    time: str = "staged"
    development: Mapping[str, Any] = field(default_factory=dict)
    credit: str = "backprop"
    until_solved: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


KINDS = Literal["equivalent", "at least", "at most", "more", "faster"]
"""What a contrast can say."""


@dataclass(frozen=True)
class Contrast:
    """A question about two arms, asked of each task that has both.

    Attributes:
        first, second: names of arms. margin: the largest difference at the end that does not
            matter; of ``faster``, the least ratio of steps that does.
        kind: what is said of the first arm: ``equivalent``, not above nor below the second by more
            than the margin; ``at least``, not below; ``at most``, not above; ``more``, above;
            ``faster``, it solves the task in fewer steps.
        measure: the column of ``curves.csv`` that is compared; of ``faster``, score01 alone.
        tasks: only these; empty means all.
        last: the share of a run, from its end, whose evaluations are averaged.
        beside: of ``faster``, two further arms: what is asked is how many times the ratio of the
            first two is theirs, the interaction of two factors on log steps. Above 1 the two help
            each other. It is not asked of scores: these have a floor and a ceiling, at which two
            helps that simply add up look like more, or like less.
        predicts: the difference that a ``more`` is to reach, in units of the measure, or how many
            times the steps of the first arm the second is to take, in a ``faster``; None where
            none was stated before the run. refuter: what would refute it, in words.
        round: of the study, in which it was stated: after what earlier ones told, and before its
            own runs. Holm's correction is over the contrasts of a round.
    """

    first: str
    second: str
    margin: float
    kind: KINDS = "equivalent"
    measure: str = "score01"
    tasks: tuple[str, ...] = ()
    last: float = 0.25
    beside: tuple[str, ...] = ()
    predicts: float | None = None
    refuter: str = ""
    round: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(KINDS):
            raise ValueError(f"a contrast is one of {get_args(KINDS)}, not {self.kind!r}")
        if self.first == self.second:
            raise ValueError(f"a contrast is of two arms, not of {self.first!r} with itself")
        if len(self.beside) not in (0, 2):
            raise ValueError(f"a contrast has none or two arms beside it, not {self.beside!r}")
        if self.beside and self.kind != "faster":
            raise ValueError(f"only 'faster' has arms beside it, and not {self.kind!r}")
        if len({*self.arms}) < len(self.arms):
            raise ValueError(f"a contrast is of different arms, not of {', '.join(self.arms)}")
        if not (math.isfinite(self.margin) and self.margin >= 0):
            raise ValueError(f"the margin of a contrast is 0 or more, not {self.margin}")
        if not 0 < self.last <= 1:
            raise ValueError(f"last is a share of a run, above 0 and up to 1, not {self.last}")
        if isinstance(self.tasks, str):
            raise ValueError(f"tasks are several, as in ({self.tasks!r},)")
        if self.measure not in MEASURED:
            raise ValueError(f"a contrast compares one of {MEASURED}, not {self.measure!r}")
        sized = self.kind in ("more", "faster")
        if self.predicts is not None and (not sized or self.predicts < self.margin):
            raise ValueError(
                "a contrast predicts a size, of at least its margin, of 'more' and 'faster' alone"
            )
        if self.kind == "faster" and self.measure != "score01":
            raise ValueError(f"solved is what score01 says, and no {self.measure}")
        if self.kind == "faster" and self.margin <= 1:
            raise ValueError(
                f"a contrast of 'faster' has a margin above 1, the least ratio of steps that "
                f"matters, not {self.margin}"
            )

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that it is of: two or four."""
        return self.first, self.second, *self.beside


@dataclass(frozen=True)
class Study:
    """What is asked and how, all of it fixed before the first run.

    Attributes:
        name: of its folders. claim: what it asks, in a sentence.
        tasks: (task, level) pairs, the level of another's environment being None. arms: by task
            and name.
        seeds: of the runs. tuning_seeds: disjoint from them; each draw is tried on all of these;
            none, nor what follows, where no arm is tuned.
        search: values of each setting of the agent that tuning draws from.
        trials: how many draws, the same ones for every arm. trial_steps: of each run of one.
        fixed: settings of the agent that all runs share.
        contrasts: what its verdict answers. round: the newest of its rounds.
        imports: plug-in modules that its runs need.
        scored: False where its environments give as score01 a measure of something else than how
            well a task is done, so that 0.8 of it is not solved.
        eval_every, eval_episodes: as in :class:`RunConfig`.
    """

    name: str
    claim: str
    tasks: tuple[tuple[str, int | None], ...]
    arms: Mapping[str, Mapping[str, Arm]]
    seeds: tuple[int, ...]
    tuning_seeds: tuple[int, ...] = ()
    search: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    trials: int = 0
    trial_steps: int = 0
    fixed: Mapping[str, Any] = field(default_factory=dict)
    contrasts: tuple[Contrast, ...] = ()
    round: int = 1
    imports: tuple[str, ...] = ()
    scored: bool = True
    eval_every: int = 20_000
    eval_episodes: int = 200

    def __post_init__(self) -> None:
        if set(self.seeds) & set(self.tuning_seeds):
            raise ValueError(f"study {self.name!r} would tune on its own seeds")
        if self.trials > math.prod(map(len, self.search.values())):
            raise ValueError(
                f"study {self.name!r} has fewer settings to search than its {self.trials} trials"
            )
        for task, _ in self.tasks:
            if task not in self.arms:
                raise ValueError(f"study {self.name!r} has no arms for its task {task!r}")
        for contrast in self.contrasts:
            if not 1 <= contrast.round <= self.round:
                raise ValueError(
                    f"study {self.name!r}: a contrast of round {contrast.round} of a study in its "
                    f"round {self.round}"
                )

    def command(self, action: str) -> str:
        """The command line that does something with the study, plug-ins included."""
        plugins = (name for name in self.imports if not name.startswith("motley."))
        return " ".join((f"motley study {action} {self.name}", *(f"--import {n}" for n in plugins)))

    def draws(self) -> list[dict[str, Any]]:
        """The settings that every arm is tried with; a function of the study alone."""
        rng = random.Random(self.name)
        drawn: list[dict[str, Any]] = []
        while len(drawn) < self.trials:
            draw = {name: rng.choice(values) for name, values in self.search.items()}
            if draw not in drawn:
                drawn.append(draw)
        return drawn

    def cells(self) -> Iterator[tuple[str, int | None, str, Arm]]:
        """Every (task, level, arm's name, arm)."""
        for task, level in self.tasks:
            for name, arm in self.arms[task].items():
                yield task, level, name, arm

    def asked(self, contrast: Contrast) -> list[tuple[str, int | None]]:
        """The tasks, each with its level, that a contrast is asked of; at least one.

        Raises:
            ConfigError: there is no such arm, no task has both, or one that it names has not.
        """
        known = sorted({arm for entries in self.arms.values() for arm in entries})
        for name in contrast.arms:
            if name not in known:
                raise ConfigError(
                    f"contrasts of study {self.name!r}: " + unknown("arm", name, known)
                )
        having = [place for place in self.tasks if {*contrast.arms} <= {*self.arms[place[0]]}]
        if not having or not set(contrast.tasks) <= {task for task, _ in having}:
            where = " and ".join(contrast.tasks) or "any task"
            raise ConfigError(
                f"study {self.name!r} contrasts {' with '.join(map(repr, contrast.arms))}, but "
                f"has not all of these arms on {where}"
            )
        return [place for place in having if not contrast.tasks or place[0] in contrast.tasks]

    def config(
        self, task: str, level: int | None, arm: Arm, seed: int, **settings: Any
    ) -> RunConfig:
        """The configuration of one run."""
        developing = {"development": dict(arm.development)} if arm.development else {}
        return RunConfig(
            task=task,
            level=level,
            structure=arm.structure,
            costs=arm.costs,
            routing=arm.routing,
            time=arm.time,
            credit=arm.credit,
            steps=arm.steps,
            seed=seed,
            n_envs=arm.n_envs,
            until_solved=arm.until_solved,
            eval_every=self.eval_every,
            eval_episodes=self.eval_episodes,
            imports=self.imports,
            agent=dict(self.fixed) | dict(arm.settings) | settings | developing,
        )


STUDIES: Registry[Study] = Registry("study")
"""Studies by name."""


Progress = Callable[[dict[str, tuple[float, float]]], None]


def tune(study: Study, runs: Path, results: Path, on_look: Progress) -> None:
    """Try every arm with the same draws and write the best to ``settings.json``.

    The best has the highest mean score01 over the second half of its evaluations, averaged over
    the tuning seeds and the task's levels; of several that have it the first drawn is taken, and
    ``ties`` has them all, since such trials chose nothing. ``trials`` has a hash of what each arm's
    trials were. Every run is kept in ``tuning.csv``.
    """
    wanted: dict[str, RunConfig] = {}
    keys: dict[str, tuple[str, str, int, int]] = {}
    tuned = [cell for cell in study.cells() if cell[-1].tuned and not cell[-1].tuned_as]
    for task, level, name, arm in tuned:
        for (trial, seed), config in _trials(study, task, level, arm).items():
            key = f"tune/{place(task, level, name)}/{trial}-{seed}"
            wanted[key] = config
            keys[key] = (task, name, trial, seed)
    _refuse(wanted.values())
    marks: dict[str, dict[str, str]] = {}
    for task, _, name, arm in tuned:
        marks.setdefault(task, {})[name] = _trials_mark(study, task, arm)
    _check_writable(results)
    train(wanted, runs, on_look)
    rows = []
    found: dict[tuple[str, str], dict[int, list[float]]] = {}
    for key, (task, name, trial, seed) in keys.items():
        scores = np.asarray(read_csv(runs / key / "eval.csv")["score01"])
        score = float(scores[len(scores) // 2 :].mean())
        rows.append((task, name, trial, seed, f"{score:.4f}"))
        found.setdefault((task, name), {}).setdefault(trial, []).append(score)
    rows += [
        (task, name, int(trial), int(seed), score)
        for task, name, trial, seed, score in trials.rows(results)
        if (task, name) not in found
    ]
    write_csv(results / "tuning.csv", trials.COLUMNS, sorted(rows))
    draws = study.draws()
    chosen, ties = dict[str, dict[str, Any]](), dict[str, dict[str, list[int]]]()
    for (task, name), tried in found.items():
        means = {trial: float(np.mean(scores)) for trial, scores in tried.items()}
        best = [trial for trial, mean in means.items() if mean == max(means.values())]
        chosen.setdefault(task, {})[name] = draws[best[0]]
        ties.setdefault(task, {})[name] = best if len(best) > 1 else []
    before = _stored(results)  # a part may have been tuned before
    entries = {"chosen": chosen, "ties": ties, "trials": marks}
    merged = {
        entry: {t: old.get(t, {}) | new.get(t, {}) for t in {**old, **new}}
        for entry, new in entries.items()
        for old in [before.get(entry, {})]
    }
    write_json(results / "settings.json", {"draws": draws, **merged})


def _trials(
    study: Study, task: str, level: int | None, arm: Arm
) -> dict[tuple[int, int], RunConfig]:
    """The runs that an arm is tuned by at a level of its task, by draw and seed."""
    short = replace(arm, steps=study.trial_steps, until_solved=False)
    return {
        (trial, seed): study.config(task, level, short, seed, **draw)
        for (trial, draw), seed in product(enumerate(study.draws()), study.tuning_seeds)
    }


def _trials_mark(study: Study, task: str, arm: Arm) -> str:
    """A hash of an arm's trials, at all levels of its task, and of the task."""
    levels = [level for name, level in study.tasks if name == task]
    tried = [c for level in levels for c in _trials(study, task, level, arm).values()]
    return table.digest([table.facts_of(config) for config in tried])


def by_its_trials(whole: Study, task: str, name: str, results: Path) -> bool | None:
    """Whether a study's own trials, as they are now, chose an arm's settings; None if not known.

    It is not known of settings that were stored without a hash, nor of an arm that it has not.
    """
    marks = _stored(results).get("trials", {})
    mark, arm = marks.get(task, {}).get(name), whole.arms[task].get(name)
    return mark == _trials_mark(whole, task, arm) if mark and arm else None


def of_unknown_trials(study: Study, results: Path) -> list[tuple[str, str]]:
    """The tasks and arms whose settings were stored without a hash of what chose them."""
    stored = _stored(results)
    chosen, marks = (stored.get(entry, {}) for entry in ("chosen", "trials"))
    return [
        (task, name)
        for task, name in _takes_from(study)
        if name in chosen.get(task, {}) and name not in marks.get(task, {})
    ]


def _stored(results: Path) -> dict[str, Any]:
    """What ``settings.json`` holds; nothing where there is no such file."""
    path = results / "settings.json"
    return read_json(path) if path.exists() else {}


def _takes_from(study: Study) -> Iterable[tuple[str, str]]:
    """The tasks and arms whose trials choose settings for the arms of a study."""
    return dict.fromkeys(
        (t, arm.tuned_as or name) for t, _, name, arm in study.cells() if arm.tuned
    )


def not_tuned(study: Study, results: Path) -> list[str]:
    """The arms that cannot run yet, since no trials chose their settings: a line a task.

    Each ends with the command that tunes them, and nothing else.

    Raises:
        ConfigError: they are all there are.
    """
    chosen = _stored(results).get("chosen", {})
    waiting, ready = dict[str, dict[str, str]](), False
    for task, _, name, arm in study.cells():
        tuned = arm.tuned_as or name
        if arm.tuned and tuned not in chosen.get(task, {}):
            waiting.setdefault(task, {})[name] = tuned
        else:
            ready = True
    told = [
        f"{', '.join(arms)} on {task} ({study.command('tune')} --tasks {task} --arms "
        f"{' '.join(dict.fromkeys(arms.values()))})"
        for task, arms in waiting.items()
    ]
    if told and not ready:
        raise ConfigError(f"these arms were not tuned: {'; '.join(told)}")
    return told


def _refuse_other_trials(study: Study, whole: Study, results: Path) -> None:
    """Refuse settings that were chosen by other trials than the study has now.

    Raises:
        ConfigError: an arm's were.
    """
    for task, tuned in _takes_from(study):
        if by_its_trials(whole, task, tuned, results) is False:
            raise ConfigError(
                f"the settings of arm {tuned!r} on {task} were chosen by other trials than study "
                f"{study.name!r} has now (search, seeds, steps, the arm or its task have changed): "
                f"tune it anew, {study.command('tune')}"
            )


def run(
    study: Study, runs: Path, results: Path, on_look: Progress, whole: Study | None = None
) -> Collected:
    """Run every arm with its chosen settings, then :func:`collect`; goes on where it was stopped.

    Arms that are :func:`not_tuned` are left out.

    Args:
        study: what is run.
        runs: the folder of its run folders.
        results: the folder of its tables.
        on_look: see :func:`.demo.train`.
        whole: the study that this is a part of, whose other rows stay in the table; else all of it.

    Raises:
        ConfigError: no arm can run before it is tuned, or one was by other trials than the study
            has now, or its old table has other columns.
        FolderError: a run folder was begun with something else.
    """
    not_tuned(study, results)
    wanted = {plan.key: plan.config for plan in planned(study, results) if plan.config is not None}
    _refuse(wanted.values())
    _refuse_other_trials(study, whole or study, results)
    # What cannot be is told before hours of training, not after.
    table.read(results)
    _check_writable(results)
    train(wanted, runs, on_look)
    return collect(whole or study, runs, results)


def _check_writable(results: Path) -> None:
    """Make the folder of tables, or refuse it.

    Raises:
        OSError: it cannot be made, or nothing written there.
    """
    results.mkdir(parents=True, exist_ok=True)
    check_place(results / "curves.csv")


def _refuse(configs: Iterable[RunConfig]) -> None:
    """Refuse what cannot be run before anything is.

    Raises:
        ConfigError: a setting cannot be, or a package is missing.
    """
    others: set[str] = set()
    for config in configs:
        (peers.check if config.structure in PEERS else check)(config)
        if config.ours is None and config.task not in others:
            others.add(config.task)
            try:
                build_worlds(config, 1, 0, False).close()
            except (ModuleNotFoundError, gym.error.DependencyNotInstalled) as error:
                raise ConfigError(
                    f"{config.task} needs a package that is not installed ({error}): pip install "
                    f"'motley-rl[bench]' has those of the shipped studies"
                ) from error


def planned(study: Study, results: Path) -> Iterator[Planned]:
    """Every run of a study, with the settings that tuning chose."""
    chosen = _stored(results).get("chosen", {})
    for seed in study.seeds:
        for task, level, name, arm in study.cells():
            own = chosen.get(task, {}).get(arm.tuned_as or name) if arm.tuned else {}
            config = None if own is None else study.config(task, level, arm, seed, **own)
            yield Planned(name, task, level, seed, arm.prior, arm.control, config)


def collect(study: Study, runs: Path, results: Path) -> Collected:
    """Write the table of a whole study, see :func:`.table.collect`."""
    return table.collect(planned(study, results), runs, results)


def status(study: Study, runs: Path) -> Iterator[tuple[str, float, float]]:
    """Each run's key, steps so far and newest score01."""
    for task, level, name, _ in study.cells():
        for seed in study.seeds:
            key = f"{place(task, level, name)}/{seed}"
            yield key, *look(runs / key)
