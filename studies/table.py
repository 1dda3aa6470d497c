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

``runs.json`` has a hash of what each of these runs is, by its folder below the study's.
``left_out.csv`` has the rows, with the same columns, of runs that the study would make otherwise by
now.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from motley.studies.config import ConfigError, RunConfig, build_agent
from motley.studies.folder import read_csv, read_json, write_csv, write_json
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
"""Of ``curves.csv``."""

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
    def key(self) -> str:
        """Its folder below the study's."""
        return f"{place(self.task, self.level, self.arm)}/{self.seed}"


class Stayed(NamedTuple):
    """What became of the runs that were in the table before.

    Attributes:
        kept: how many stay in it, whose folders are not there.
        aside: the file with the others' rows, or None where there were none.
    """

    kept: int
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


def collect(planned: Iterable[Planned], runs: Path, results: Path) -> Stayed:
    """Write the table from the run folders there are.

    Rows already stored of a run whose folder is not there stay, if the study would still make the
    same run: ``runs.json`` has a hash of each run's configuration, task and learner. So a study can
    be gone on with on another machine, with its results folder and without its runs. What is left
    out goes to ``left_out.csv``, so that nothing is lost.

    Args:
        planned: all runs of the study.
        runs: the folder of its run folders.
        results: the folder of its table.
    """
    stored = read(results / "curves.csv")
    marks = read_json(results / "runs.json") if (results / "runs.json").exists() else {}
    made: dict[str, Learnt] = {}
    rows: Rows = []
    left_out: Rows = []
    seen: set[str] = set()
    now: dict[str, str] = {}
    kept = 0
    for plan in planned:
        key, config = plan.key, plan.config
        seen.add(key)
        old, new = stored.get(key, []), Rows()
        if config is None:  # not tuned here: there is nothing to compare with
            rows += old
            now |= {key: marks[key]} if key in marks else {}
            continue
        arm, peer = place(plan.task, plan.level, plan.arm), config.structure in PEERS
        if not peer and arm not in made:
            made[arm] = _learnt(config)
        mark = _mark(plan, config, made.get(arm))
        # A peer's run has no checkpoints, so that half of one is none.
        if (runs / key / ("done" if peer else "eval.csv")).exists():
            learnt = made.get(arm) or _peer(config, runs / key)
            new = _rows(plan, config, learnt, runs / key)
        if old and marks.get(key) == mark and (not new or _last(old) > _last(new)):
            new, kept = old, kept + 1
        elif marks.get(key) != mark:
            left_out += old
        if new:
            rows += new
            now[key] = mark
    results.mkdir(parents=True, exist_ok=True)
    write_csv(results / "curves.csv", COLUMNS, rows)
    write_json(results / "runs.json", now)
    left_out += [row for key in stored if key not in seen for row in stored[key]]
    if not left_out:
        return Stayed(kept, None)
    aside = results / "left_out.csv"
    before = [row for part in read(aside).values() for row in part]
    write_csv(aside, COLUMNS, [*before, *(row for row in left_out if row not in before)])
    return Stayed(kept, aside)


def _learnt(config: RunConfig) -> Learnt:
    agent = build_agent(config)
    return Learnt(agent.blueprint.name, agent.n_parameters, agent.settings.n_epochs)


def _peer(config: RunConfig, folder: Path) -> Learnt:
    facts = read_json(folder / "done")
    return Learnt(config.structure, facts["n_parameters"], facts["n_epochs"])


def _mark(plan: Planned, config: RunConfig, learnt: Learnt | None) -> str:
    """A hash of what a run is: all of its configuration but plug-ins, its task, and its learner."""
    facts = config.to_json() | {"imports": None, "task_hash": config.task_hash, "learnt": learnt}
    facts |= {"prior": plan.prior, "control": plan.control}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _rows(plan: Planned, config: RunConfig, learnt: Learnt, folder: Path) -> Rows:
    """A run's rows of ``curves.csv``."""
    curve = read_csv(folder / "eval.csv")
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


def _last(rows: Sequence[Sequence[str]]) -> int:
    """The steps of the last row."""
    return int(rows[-1][COLUMNS.index("steps")])


def read(path: Path) -> dict[str, Rows]:
    """The rows of a table by run, in its order; a missing one has none.

    Raises:
        ConfigError: it has other columns.
    """
    found: dict[str, Rows] = {}
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
        key = f"{place(row['task'], level, row['arm'])}/{row['seed']}"
        found.setdefault(key, []).append(line)
    return found


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
    for key, lines in read(path).items():
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
