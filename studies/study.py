"""A study: arms x tasks x seeds as data, run on all cores, collected into one table.

Tuning comes first and is the same for every arm: the same trials on the same tuning seeds. Its
choice is written to ``results/<study>/settings.json`` before any run of the study itself.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from motley.costs.registry import Registry
from motley.studies import peers
from motley.studies.config import ConfigError, RunConfig, build_agent, build_worlds, check
from motley.studies.demo import look, train
from motley.studies.folder import read_csv, read_json, write_json, write_text
from motley.studies.peers import PEERS
from motley.studies.statistics import median_steps, steps_to_solved

CONDITION: tuple[str, ...] = (
    "arm",
    "task",
    "level",
    "structure",
    "prior",
    "costs",
    "routing",
    "time",
    "credit",
)
CONDITION += ("control", "seed", "n_params")
MEASURED = ("score01", "score01_sampled", "score01_ood", "success", "wall_s")
COLUMNS = (*CONDITION, "steps", *MEASURED, "flops")
"""Of ``curves.csv``: a row an evaluation."""

TUNING_COLUMNS = ("task", "arm", "trial", "seed", "score01")


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


@dataclass(frozen=True)
class Contrast:
    """A question about two arms, asked of each task that has both.

    Attributes:
        first, second: names of arms. margin: the largest difference at the end that does not
            matter.
        kind: what is said of the first arm: ``equivalent``, not above nor below the second by more
            than the margin; ``at least``, not below; ``at most``, not above; ``more``, above.
        measure: the column of ``curves.csv`` that is compared.
        tasks: only these; empty means all.
        last: the share of a run, from its end, whose evaluations are averaged.
    """

    first: str
    second: str
    margin: float
    kind: Literal["equivalent", "at least", "at most", "more"] = "equivalent"
    measure: str = "score01"
    tasks: tuple[str, ...] = ()
    last: float = 0.25

    def __post_init__(self) -> None:
        if self.measure not in MEASURED:
            raise ValueError(f"a contrast compares one of {MEASURED}, not {self.measure!r}")


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
        contrasts: what its verdict answers. round: which one this is of several.
        imports: plug-in modules that its runs need.
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
    eval_every: int = 20_000
    eval_episodes: int = 200

    def __post_init__(self) -> None:
        if set(self.seeds) & set(self.tuning_seeds):
            raise ValueError(f"study {self.name!r} would tune on its own seeds")

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


def _place(task: str, level: int | None, arm: str) -> str:
    """The folder of an arm's runs below the study's."""
    return f"{task}/{arm}" if level is None else f"{task}-{level}/{arm}"


Progress = Callable[[dict[str, tuple[float, float]]], None]


def tune(study: Study, runs: Path, results: Path, on_look: Progress) -> None:
    """Try every arm with the same draws and write the best to ``settings.json``.

    The best has the highest mean score01 over the second half of its evaluations, averaged over
    the tuning seeds. Every run is kept in ``tuning.csv``.
    """
    table: dict[str, RunConfig] = {}
    keys: dict[str, tuple[str, str, int, int]] = {}
    for task, level, name, arm in study.cells():
        if not arm.tuned or arm.tuned_as:
            continue
        short = replace(arm, steps=study.trial_steps)
        for (trial, draw), seed in product(enumerate(study.draws()), study.tuning_seeds):
            key = f"tune/{_place(task, level, name)}/{trial}-{seed}"
            table[key] = study.config(task, level, short, seed, **draw)
            keys[key] = (task, name, trial, seed)
    _refuse(table.values())
    train(table, runs, on_look)
    rows = []
    found: dict[tuple[str, str], dict[int, list[float]]] = {}
    for key, (task, name, trial, seed) in keys.items():
        scores = np.asarray(read_csv(runs / key / "eval.csv")["score01"])
        score = float(scores[len(scores) // 2 :].mean())
        rows.append((task, name, trial, seed, f"{score:.4f}"))
        found.setdefault((task, name), {}).setdefault(trial, []).append(score)
    results.mkdir(parents=True, exist_ok=True)
    rows += _other_rows(results / "tuning.csv", {(task, name) for task, name, *_ in rows})
    write_table(results / "tuning.csv", TUNING_COLUMNS, sorted(rows))
    draws = study.draws()
    chosen: dict[str, dict[str, Any]] = {}
    for (task, name), trials in found.items():
        best = max(trials, key=lambda trial: float(np.mean(trials[trial])))
        chosen.setdefault(task, {})[name] = draws[best]
    if (results / "settings.json").exists():  # a part of the study may have been tuned before
        before = read_json(results / "settings.json")["chosen"]
        chosen = {t: before.get(t, {}) | chosen.get(t, {}) for t in {**before, **chosen}}
    write_json(results / "settings.json", {"draws": draws, "chosen": chosen})


def _other_rows(path: Path, arms: set[tuple[str, str]]) -> list[tuple[Any, ...]]:
    """Rows of an older table that are not of these arms."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        _, *old = csv.reader(file)
    return [
        (task, name, int(trial), int(seed), score)
        for task, name, trial, seed, score in old
        if (task, name) not in arms
    ]


class Stayed(NamedTuple):
    """What became of the runs that were in the table before.

    Attributes:
        kept: how many stay in it, whose folders are not there.
        aside: the file with the others' rows, or None where there were none.
    """

    kept: int
    aside: Path | None


def run(study: Study, runs: Path, results: Path, on_look: Progress) -> Stayed:
    """Run every arm with its chosen settings, then :func:`collect`; goes on where it was stopped.

    Raises:
        ConfigError: the study was not tuned, or its old table has other columns.
    """
    table = dict(_runs(study, results))
    _refuse(table.values())
    _stored(results / "curves.csv")
    train(table, runs, on_look)
    return collect(study, runs, results)


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
            except ModuleNotFoundError as error:
                raise ConfigError(
                    f"{config.task} needs a package that is not installed ({error}): pip install "
                    f"'motley-rl[bench]' has those of the shipped studies"
                ) from error


def _runs(study: Study, results: Path) -> Iterator[tuple[str, RunConfig]]:
    chosen = _chosen(study, results)
    for seed in study.seeds:
        for task, level, name, arm in study.cells():
            key = f"{_place(task, level, name)}/{seed}"
            settings = _settings(arm, name, chosen.get(task, {}))
            if settings is None:
                missing = arm.tuned_as or name
                raise ConfigError(
                    f"arm {missing!r} on {task} was not tuned: motley study tune {study.name}"
                )
            yield key, study.config(task, level, arm, seed, **settings)


def _settings(arm: Arm, name: str, chosen: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The settings that an arm runs with beside the shared ones; None where tuning is missing."""
    return chosen.get(arm.tuned_as or name) if arm.tuned else {}


def _chosen(study: Study, results: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The settings that tuning chose, by task and arm."""
    path = results / "settings.json"
    if path.exists():
        chosen: dict[str, dict[str, dict[str, Any]]] = read_json(path)["chosen"]
        return chosen
    if any(arm.tuned for *_, arm in study.cells()):
        raise ConfigError(f"{path} is missing: tune first (motley study tune {study.name})")
    return {}


def collect(study: Study, runs: Path, results: Path) -> Stayed:
    """Write ``curves.csv`` from the run folders there are, of all arms though a part was run.

    Rows already stored of a run whose folder is not there stay, if the study would still make the
    same run: ``runs.json`` has a hash of each run's configuration, task and learner. So a study can
    be gone on with on another machine, with its results folder and without its runs. What is left
    out goes to ``left_out.csv``, so that nothing is lost.
    """
    whole = STUDIES.get(study.name, study)
    chosen = _chosen(replace(whole, arms={}, tasks=()), results)
    stored = _stored(results / "curves.csv")
    marks = read_json(results / "runs.json") if (results / "runs.json").exists() else {}
    made: dict[str, Learnt] = {}
    rows: list[list[Any]] = []
    left_out: list[list[Any]] = []
    seen: set[str] = set()
    now: dict[str, str] = {}
    kept = 0
    for seed in whole.seeds:
        for task, level, name, arm in whole.cells():
            place = _place(task, level, name)
            key = f"{place}/{seed}"
            seen.add(key)
            old, new = stored.get(key, []), list[list[Any]]()
            settings = _settings(arm, name, chosen.get(task, {}))
            if settings is None:  # not tuned here: there is nothing to compare with
                rows += old
                now |= {key: marks[key]} if key in marks else {}
                continue
            config = whole.config(task, level, arm, seed, **settings)
            if arm.structure not in PEERS and place not in made:
                made[place] = _learnt(config)
            mark = _mark(arm, config, made.get(place))
            # A peer's run has no checkpoints, so that half of one is none.
            if (runs / key / ("done" if arm.structure in PEERS else "eval.csv")).exists():
                learnt = made.get(place) or _peer(config, runs / key)
                new = _rows(arm, name, config, learnt, runs / key)
            if old and marks.get(key) == mark and (not new or _last(old) > _last(new)):
                new, kept = old, kept + 1
            elif marks.get(key) != mark:
                left_out += old
            if new:
                rows += new
                now[key] = mark
    results.mkdir(parents=True, exist_ok=True)
    write_table(results / "curves.csv", COLUMNS, rows)
    write_json(results / "runs.json", now)
    left_out += [row for key in stored if key not in seen for row in stored[key]]
    if not left_out:
        return Stayed(kept, None)
    aside = results / "left_out.csv"
    before = [row for part in _stored(aside).values() for row in part]
    write_table(aside, COLUMNS, [*before, *(row for row in left_out if row not in before)])
    return Stayed(kept, aside)


class Learnt(NamedTuple):
    """What learns in a run.

    Attributes:
        structure: its name. n_params: how many parameters. n_epochs: passes over a rollout.
    """

    structure: str
    n_params: int
    n_epochs: int


def _learnt(config: RunConfig) -> Learnt:
    agent = build_agent(config)
    return Learnt(agent.blueprint.name, agent.n_parameters, agent.settings.n_epochs)


def _peer(config: RunConfig, folder: Path) -> Learnt:
    facts = read_json(folder / "done")
    return Learnt(config.structure, facts["n_parameters"], facts["n_epochs"])


def _mark(arm: Arm, config: RunConfig, learnt: Learnt | None) -> str:
    """A hash of what a run is: all of its configuration but plug-ins, its task, and its learner."""
    facts = config.to_json() | {"imports": None, "task_hash": config.task_hash, "learnt": learnt}
    facts |= {"prior": arm.prior, "control": arm.control}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _rows(arm: Arm, name: str, config: RunConfig, learnt: Learnt, folder: Path) -> list[list[Any]]:
    """A run's rows of ``curves.csv``."""
    curve = read_csv(folder / "eval.csv")
    # multiply-adds: one forward pass to act, three a pass of the update
    effort = learnt.n_params * (1 + 3 * learnt.n_epochs)
    time = arm.time if arm.development else "constant"
    level = "" if config.level is None else config.level
    condition: list[Any] = [name, config.task, level, learnt.structure]
    condition += [arm.prior, arm.costs, arm.routing, time, arm.credit, arm.control]
    condition += [config.seed, learnt.n_params]
    return [
        [*condition, int(steps), *(float(curve[m][i]) for m in MEASURED), int(steps) * effort]
        for i, steps in enumerate(curve["steps"])
    ]


def _last(rows: Sequence[Sequence[Any]]) -> int:
    """The steps of the last row."""
    return int(rows[-1][COLUMNS.index("steps")])


def _stored(path: Path) -> dict[str, list[list[Any]]]:
    """The rows of an older table, by run.

    Raises:
        ConfigError: it has other columns.
    """
    found: dict[str, list[list[Any]]] = {}
    if not path.exists():
        return found
    try:
        with path.open(newline="") as file:
            header, *lines = csv.reader(file)
    except ValueError:  # nothing in it, or no text
        header, lines = [], []
    if tuple(header) != COLUMNS or any(len(line) != len(COLUMNS) for line in lines):
        raise ConfigError(
            f"{path} has not the columns of a study's table; move it away, or give other --results"
        )
    for line in lines:
        row = dict(zip(COLUMNS, line, strict=True))
        level = int(row["level"]) if row["level"] else None
        key = f"{_place(row['task'], level, row['arm'])}/{row['seed']}"
        found.setdefault(key, []).append(line)
    return found


def status(study: Study, runs: Path) -> Iterator[tuple[str, float, float]]:
    """Each run's key, steps so far and newest score01."""
    for task, level, name, _ in study.cells():
        for seed in study.seeds:
            key = f"{_place(task, level, name)}/{seed}"
            yield key, *look(runs / key)


def summary(results: Path) -> Iterator[tuple[str, ...]]:
    """A row an arm of ``curves.csv``: who solved the task when, and where it ended.

    Yields:
        task, arm, seeds that solved it, median steps to solved, final score01 and its smallest and
        largest, final score01 out of distribution.

    Raises:
        ConfigError: there is no table.
    """
    path = results / "curves.csv"
    if not path.exists():
        raise ConfigError(f"{path} is missing: run the study first")
    arms: dict[tuple[str, str], dict[str, list[dict[str, str]]]] = {}
    for key, lines in _stored(path).items():
        rows = [dict(zip(COLUMNS, line, strict=True)) for line in lines]
        arms.setdefault((rows[0]["task"], rows[0]["arm"]), {})[key] = rows
    for (task, arm), runs in arms.items():
        solved = [
            steps_to_solved([int(r["steps"]) for r in rows], [float(r["score01"]) for r in rows])
            for rows in runs.values()
        ]
        final = [float(rows[-1]["score01"]) for rows in runs.values()]
        ood = [float(rows[-1]["score01_ood"]) for rows in runs.values()]
        yield (
            task,
            arm,
            f"{sum(not s.censored for s in solved)} of {len(runs)}",
            str(median_steps(solved)),
            f"{np.mean(final):.2f} ({min(final):.2f} to {max(final):.2f})",
            f"{np.mean(ood):.2f}",
        )


def write_table(path: Path, columns: tuple[str, ...], rows: list[Any]) -> None:
    """Write a CSV file, whole or not at all."""
    lines: list[str] = []

    class Lines:
        def write(self, line: str) -> None:
            lines.append(line)

    writer = csv.writer(Lines(), lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, "".join(lines))
