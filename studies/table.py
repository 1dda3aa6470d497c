"""The stored table of a study, in ``results/<study>/``, which needs no run folder once written.

``curves.csv`` has a row an evaluation of a run, with these columns:

- ``arm, task, level, structure, prior, costs, routing, time, credit, control, seed``: what was
  run. ``structure`` is the blueprint's own name (``path_integration`` where the arm says
  ``matched``), or a peer's; ``level`` is empty in others' environments; ``time`` is ``constant``
  without a development; ``prior`` and ``control`` are the study's words.
- ``n_params``: trainable numbers, without the heads of costs.
- ``steps``: environment steps so far. ``flops``: multiply-adds of these, one forward pass to act
  and three a pass of the update.
- ``score01, score01_sampled, score01_ood, success``: of the mean action, of sampled actions, of the
  mean action out of distribution, and the share of episodes that succeeded; NaN where there is
  none.
- ``wall_s``: seconds of training so far.

``runs.json`` has a hash of what each of these runs is, by its folder below the study's, and beside
them as ``commits`` that of the source with which it was begun, where that is known.
``left_out.csv`` has the rows of runs that the study would make otherwise by now, with their hash in
a last column, ``run``.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from motley.studies import versions
from motley.studies.config import ConfigError, RunConfig, build_agent
from motley.studies.folder import (
    FolderError,
    locked,
    read_csv,
    read_json,
    write_csv,
    write_json,
)
from motley.studies.peers import PEERS
from motley.studies.run import mismatch
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
"""Of ``curves.csv``."""
WHOLE = ("seed", "n_params", "steps", "flops")
"""Columns of whole numbers; the measured ones may have a point, or be NaN."""
LEFT_OUT_COLUMNS = (*COLUMNS, "run")

Rows = list[list[str]]


class Planned(NamedTuple):
    """A run that a study asks for.

    Attributes:
        arm: its arm's name. task, level, seed: as in :class:`RunConfig`.
        prior, control: of its arm.
        config: what is run; None where its settings were tuned elsewhere.
    """

    arm: str
    task: str
    level: int | None
    seed: int
    prior: str
    control: str
    config: RunConfig | None

    @property
    def place(self) -> str:
        """The folder of its arm's runs below the study's."""
        return place(self.task, self.level, self.arm)

    @property
    def key(self) -> str:
        """Its own folder below the study's."""
        return f"{self.place}/{self.seed}"

    @property
    def is_peer(self) -> bool:
        """Whether another's algorithm learns in it."""
        return self.config is not None and self.config.structure in PEERS


class Stored(NamedTuple):
    """What a results folder holds.

    Attributes:
        rows: of ``curves.csv``, by run. marks: the hashes of ``runs.json``, by run.
        left_out: the rows of ``left_out.csv``. commits: of ``runs.json``, by run.
    """

    rows: dict[str, Rows]
    marks: dict[str, str]
    left_out: Rows
    commits: dict[str, str]


class Collected(NamedTuple):
    """What became of stored runs and of run folders.

    Attributes:
        kept: how many runs stay as they were stored; their folders are not there, or came less far
            and are not over, or belong to another configuration.
        foreign: how many run folders are not in the table, since they were begun with another
            configuration, or cannot be compared here.
        aside: the file with the rows that left the table, or None where none did.
    """

    kept: int
    foreign: int
    aside: Path | None


class Learnt(NamedTuple):
    """What learns in a run.

    Attributes:
        structure: its name. n_params: how many parameters. n_epochs: passes over a rollout.
    """

    structure: str
    n_params: int
    n_epochs: int


def place(task: str, level: int | None, arm: str) -> str:
    """The folder of an arm's runs below the study's."""
    return f"{task}/{arm}" if level is None else f"{task}-{level}/{arm}"


def collect(planned: Iterable[Planned], runs: Path, results: Path) -> Collected:
    """Write the table from the run folders there are.

    Rows already stored of a run whose folder is not there, or is another configuration's, stay, if
    the study would still make the same run, or if that cannot be told, since its arm was tuned
    elsewhere or a package is missing here. So a study can be gone on with on another machine, with
    its results folder and without its runs. All other rows go to ``left_out.csv``, before they
    leave the table: wherever this is killed, no row is lost. Another process that collects is
    waited for.

    Args:
        planned: all runs of the study.
        runs: the folder of its run folders.
        results: the folder of its table.

    Raises:
        ConfigError: a table that is there has other columns.
    """
    results.mkdir(parents=True, exist_ok=True)
    with locked(results, wait=True):
        return _collect(planned, runs, results)


def _collect(planned: Iterable[Planned], runs: Path, results: Path) -> Collected:
    stored, marks, left_out, commits = read(results)
    rows, leaving = Rows(), Rows()
    now, sources = dict[str, str](), dict[str, str | None]()
    learners: dict[str, Learnt] = {}
    kept = foreign = 0
    for plan in planned:
        key, folder = plan.key, runs / plan.key
        before, after, again = stored.pop(key, Rows()), Rows(), False
        # A peer's run has no checkpoints, so that half of one is none.
        there = (folder / ("done" if plan.is_peer else "eval.csv")).exists()
        if not (before or there):
            continue
        mark = mark_of(plan, learners)
        if mark is None:
            after, mark, foreign = before, marks.get(key), foreign + there
        else:
            if there and _is_of(plan, learners.get(plan.place), folder):
                after = _rows(plan, learners, folder)
            elif there:
                foreign += 1
            # A run that is over counts as it is: made again, it may have solved its task sooner.
            over = bool(after) and (folder / "done").exists()
            further = _last(before) > _last(after) and not over
            if marks.get(key) == mark and further:
                after = before
            elif _timeless(after[: len(before)]) == _timeless(before):
                # The same run, or it has come further. How long it took this time is no news.
                again = len(after) == len(before)
                after = before if again else after
            else:
                leaving += [[*row, marks.get(key, "")] for row in before]
        made = after != before
        kept += bool(before) and not made and not again
        rows += after
        if after and mark is not None:
            now[key] = mark
        if after:
            facts = read_json(folder / "versions.json") if made else {"git": commits.get(key)}
            sources[key] = facts.get("git")
    for key, others in stored.items():  # of runs that the study has no more
        leaving += [[*row, marks.get(key, "")] for row in others]
    aside = results / "left_out.csv"
    new = [row for row in leaving if row not in left_out]
    if new:
        write_csv(aside, LEFT_OUT_COLUMNS, [*left_out, *new])
    write_csv(results / "curves.csv", COLUMNS, rows)
    known = {key: commit for key, commit in sources.items() if commit is not None}
    write_json(results / "runs.json", {**now, "commits": known} if known else now)
    return Collected(kept, foreign, aside if leaving else None)


def mark_of(plan: Planned, learners: dict[str, Learnt]) -> str | None:
    """A hash of what a run is: all of its configuration but plug-ins, its task, and its learner.

    Args:
        plan: the run.
        learners: what learns, by arm and task; one of ours that is not in it is built and added.

    Returns:
        None where it cannot be told here.
    """
    config, arm = plan.config, plan.place
    if config is None:
        return None
    try:
        facts = facts_of(config)
        if not plan.is_peer and arm not in learners:
            learners[arm] = _learnt(config)
    except (ModuleNotFoundError, gym.error.Error, ConfigError):  # a package or plug-in is missing
        return None
    return digest(
        facts | {"learnt": learners.get(arm), "prior": plan.prior, "control": plan.control}
    )


def facts_of(config: RunConfig) -> dict[str, Any]:
    """JSON values: all of a configuration but plug-ins, and the code of its task.

    Raises:
        ModuleNotFoundError: a package is missing.
        gymnasium.error.Error: there is no such environment here.
    """
    facts = config.to_json() | {"imports": None, "task_hash": config.task_hash}
    others = {"environment": versions.environment(config.task)} if config.ours is None else {}
    return facts | others


def digest(facts: Any) -> str:
    """Sixteen hex digits of JSON values."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def changed(planned: Iterable[Planned], stored: Stored) -> list[str]:
    """Stored runs that the study would make otherwise by now, or no more.

    Where the study cannot tell, since an arm was tuned elsewhere or a package is missing, or the
    table does not, since a run has no hash in it, a run counts as unchanged.

    Args:
        planned: all runs of the study.
        stored: its table.
    """
    learners: dict[str, Learnt] = {}
    found = set(stored.rows)
    for plan in planned:
        mark = stored.marks.get(plan.key)
        if plan.key in found and (mark is None or mark_of(plan, learners) in (None, mark)):
            found.remove(plan.key)
    return sorted(found)


def _is_of(plan: Planned, learnt: Learnt | None, folder: Path) -> bool:
    """Whether a folder's run was begun as planned, with what learns now, and can be read."""
    assert plan.config is not None
    try:
        grown = learnt and learnt.n_params != read_json(folder / "versions.json")["n_parameters"]
        return not (grown or mismatch(plan.config, folder))
    except FolderError:
        return False


def _learnt(config: RunConfig) -> Learnt:
    agent = build_agent(config)
    assert agent.env is not None
    agent.env.close()
    return Learnt(agent.blueprint.name, agent.n_parameters, agent.settings.n_epochs)


def _peer(config: RunConfig, folder: Path) -> Learnt:
    facts = read_json(folder / "done")
    return Learnt(config.structure, facts["n_parameters"], facts["n_epochs"])


def _rows(plan: Planned, learners: Mapping[str, Learnt], folder: Path) -> Rows:
    """A run's rows of ``curves.csv``; ``learners`` as for :func:`mark_of`."""
    config, curve = plan.config, read_csv(folder / "eval.csv")
    assert config is not None
    learnt = _peer(config, folder) if plan.is_peer else learners[plan.place]
    effort = learnt.n_params * (1 + 3 * learnt.n_epochs)
    time = config.time if config.agent.get("development") else "constant"
    level = "" if plan.level is None else plan.level
    condition: list[Any] = [plan.arm, plan.task, level, learnt.structure]
    condition += [plan.prior, config.costs, config.routing, time, config.credit, plan.control]
    condition += [plan.seed, learnt.n_params]
    measured = zip(*(curve[name].tolist() for name in ("steps", *MEASURED)), strict=True)
    return [
        [str(x) for x in (*condition, int(steps), *values, int(steps) * effort)]
        for steps, *values in measured
    ]


def _timeless(rows: Rows) -> Rows:
    """The rows without the seconds that they took."""
    wall = COLUMNS.index("wall_s")
    return [[*row[:wall], *row[wall + 1 :]] for row in rows]


def _last(rows: Rows) -> int:
    """The steps of the last row; -1 where there is none."""
    return int(rows[-1][COLUMNS.index("steps")]) if rows else -1


def read(results: Path) -> Stored:
    """Read a results folder; what is not there is empty.

    Raises:
        ConfigError: a table has other columns.
        FolderError: ``runs.json`` is broken or of another format.
    """
    rows: dict[str, Rows] = {}
    for line in _lines(results / "curves.csv", COLUMNS):
        row = dict(zip(COLUMNS, line, strict=True))
        level = int(row["level"]) if row["level"] else None
        key = f"{place(row['task'], level, row['arm'])}/{row['seed']}"
        rows.setdefault(key, []).append(line)
    path = results / "runs.json"
    marks = read_json(path) if path.exists() else {}
    commits = marks.pop("commits", {})
    return Stored(rows, marks, _lines(results / "left_out.csv", LEFT_OUT_COLUMNS), commits)


def hash_of(rows: Mapping[str, Rows]) -> str:
    """Sixteen hex digits that tell which rows a table has, whatever their order."""
    lines = sorted(",".join(row) for run in rows.values() for row in run)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _lines(path: Path, columns: tuple[str, ...]) -> Rows:
    """The rows of a table; none where there is no file.

    Raises:
        ConfigError: it has other columns, or a line with too few values or no number where one
            belongs.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file)
    except ValueError:  # nothing in it, or no text
        header, lines = [], []
    if tuple(header) != columns:
        raise ConfigError(
            f"{path} has not the columns of a study's table; move it away, or give other --results"
        )
    for number, line in enumerate(lines, 2):
        if len(line) != len(columns):
            raise ConfigError(
                f"line {number} of {path} has {len(line)} values, not {len(columns)}: mend it, or "
                f"take it out"
            )
        row = dict(zip(columns, line, strict=True))
        for name in (*WHOLE, *(["level"] if row["level"] else []), *MEASURED):
            kind = float if name in MEASURED else int
            try:
                kind(row[name])
            except ValueError as error:
                whole = "a number" if kind is float else "a whole number"
                raise ConfigError(
                    f"line {number} of {path} has {row[name]!r} as {name}, which is not {whole}: "
                    f"mend it, or take it out"
                ) from error
    return lines


def load(results: Path) -> Stored:
    """What :func:`read` does, where there is a table.

    Raises:
        ConfigError: there is none.
    """
    path = results / "curves.csv"
    if not path.exists():
        raise ConfigError(
            f"{path} is missing: run the study first (motley study run {results.name}, with the "
            f"--import of one of your own), or give the folder that has {results.name}/curves.csv "
            f"as --results; those that ship with Motley are in its repository's results folder"
        )
    return read(results)


def standing(planned: Iterable[Planned], stored: Stored) -> tuple[dict[str, Rows], list[str]]:
    """The stored rows of these runs, and those left out since they were :func:`changed`.

    Args:
        planned: the runs that are asked for.
        stored: the study's table.
    """
    plans = list(planned)
    asked = {plan.key: stored.rows[plan.key] for plan in plans if plan.key in stored.rows}
    left_out = changed(plans, stored._replace(rows=asked))
    return {key: run for key, run in asked.items() if key not in left_out}, left_out


def summary(rows: Mapping[str, Rows]) -> Iterator[tuple[str, ...]]:
    """A row an arm: who solved the task when, and where it ended.

    Args:
        rows: of ``curves.csv``, by run.

    Yields:
        task with its level, arm, seeds that solved it, median steps to solved, final score01 and
        its smallest and largest, final score01 out of distribution.
    """
    arms: dict[tuple[str, str], list[list[dict[str, str]]]] = {}
    for lines in rows.values():
        found = [dict(zip(COLUMNS, line, strict=True)) for line in lines]
        task, level, arm = (found[0][name] for name in ("task", "level", "arm"))
        arms.setdefault((where(task, level), arm), []).append(found)
    for (task, arm), runs in arms.items():
        solved = [
            steps_to_solved([int(r["steps"]) for r in found], [float(r["score01"]) for r in found])
            for found in runs
        ]
        final = [float(found[-1]["score01"]) for found in runs]
        ood = [float(found[-1]["score01_ood"]) for found in runs]
        yield (
            task,
            arm,
            f"{sum(not s.censored for s in solved)} of {len(runs)}",
            str(median_steps(solved)),
            f"{np.mean(final):z.2f} ({min(final):z.2f} to {max(final):z.2f})",
            "-" if np.isnan(ood).any() else f"{np.mean(ood):z.2f}",
        )


def where(task: str, level: str | int | None) -> str:
    """A task with its level, in words."""
    return task if level in ("", None) else f"{task} level {level}"
