"""Finished and unfinished runs below a folder, gathered into arms."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from motley.studies.config import RunConfig, as_word, read_config
from motley.studies.folder import Columns, FolderError, read_csv, read_json
from motley.studies.statistics import (
    Interval,
    Solved,
    spread,
    spread_curve,
    steps_to_solved,
)

Floats = npt.NDArray[np.float64]
KINDS = ("routing", "time", "credit", "n_envs")
"""Settings of a run, beside structure, costs and the agent's own, in which arms may differ."""


@dataclass(frozen=True)
class Run:
    """What a run folder holds."""

    folder: Path
    config: dict[str, Any]
    versions: dict[str, Any]
    eval: Columns
    progress: Columns
    n_parameters: int | None
    done: bool

    @property
    def where(self) -> str:
        """The task as it was set."""
        level = self.config["level"]
        variant = "".join(f", {as_word(*setting)}" for setting in self.variant.items())
        ood = ", trained out of distribution" if self.config["ood"] else ""
        return f"{self.config['task']}{'' if level is None else f' level {level}'}{variant}{ood}"

    @property
    def variant(self) -> dict[str, Any]:
        """Settings of the task that are not as usual."""
        return dict(self.config.get("variant", {}))

    @property
    def arm(self) -> str:
        """Structure and costs, and what else was set."""
        settings = self._unusual(KINDS) | self.config["agent"]
        others = "".join(f" {name}={value}" for name, value in settings.items())
        return f"{self.config['structure']} · {self.config['costs']}{others}"

    def _unusual(self, names: Sequence[str]) -> dict[str, Any]:
        """Return those settings that are not what they are when nothing is said."""
        defaults = {f.name: f.default for f in fields(RunConfig)}
        return {n: self.config[n] for n in names if self.config[n] != defaults[n]}

    @property
    def solved(self) -> Solved:
        """When it solved its task."""
        return steps_to_solved(self.eval["steps"], self.eval["score01"])

    @property
    def command(self) -> str:
        """What makes it again."""
        names = ("task", "level", "structure", "costs", "steps", "seed")
        words = ["motley", "train"]
        for name in names:
            if self.config[name] is not None:
                words += [f"--{name}", str(self.config[name])]
        for name, value in self._unusual((*KINDS, "device", "eval_every", "eval_episodes")).items():
            words += [f"--{name.replace('_', '-')}", str(value)]
        for name in ("ood", "until_solved"):
            if self.config[name]:
                words.append(f"--{name.replace('_', '-')}")
        for name, value in self.variant.items():
            words += ["--variant", as_word(name, value)]
        for module in self.config["imports"]:
            words += ["--import", module]
        for name, value in self.config["agent"].items():
            words += ["--set", f"{name}={json.dumps(value)}"]
        return shlex.join([*words, "--out", str(self.folder)])


class Aggregate(NamedTuple):
    """A measure over steps, across the seeds of an arm; each array is (K,)."""

    steps: Floats
    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Arm:
    """Runs that differ in their seed alone."""

    label: str
    runs: Sequence[Run]

    def over_steps(self, measure: str, table: str = "eval") -> Aggregate:
        """Interquartile mean and interval of a column, where at least one run has come to.

        The interval is as in :func:`.statistics.spread_curve`.
        """
        curves = [self.curve(run, measure, table) for run in self.runs]
        curves = [(x, y) for x, y in curves if len(x)]
        if not curves:
            return Aggregate(*(np.empty(0) for _ in range(4)))
        grid = np.unique(np.concatenate([x for x, _ in curves]))
        rows = np.array([np.interp(grid, x, y, right=np.nan) for x, y in curves])
        found = np.full((3, len(grid)), np.nan)
        here = ~np.isnan(rows)
        for pattern in np.unique(here, axis=1).T:  # runs under way have come less far
            where = (here == pattern[:, None]).all(axis=0)
            found[:, where] = spread_curve(rows[np.ix_(pattern, where)])
        return Aggregate(grid, *found)

    @staticmethod
    def curve(run: Run, measure: str, table: str = "eval") -> tuple[Floats, Floats]:
        """A run's column over its steps, without what is missing."""
        columns: Columns = getattr(run, table)
        if measure not in columns:
            return np.empty(0), np.empty(0)
        known = ~np.isnan(columns[measure])
        return columns["steps"][known], columns[measure][known]

    def final(self, measure: str) -> Interval:
        """Of a column of eval.csv: interquartile mean of the runs' last values.

        The interval is as in :func:`.statistics.spread`.
        """
        return spread([float(run.eval[measure][-1]) for run in self.runs])

    @property
    def times(self) -> list[Solved]:
        """Steps to solved, by run."""
        return [run.solved for run in self.runs]


def gather(folder: Path, on_left_out: Callable[[str], None] = lambda text: None) -> list[Run]:
    """The runs at and below a folder, in the order of their paths.

    Args:
        folder: where to look.
        on_left_out: is told of each run that cannot be read, and why.

    Raises:
        FolderError: there is none, none was evaluated, or a task was changed between them.
    """
    if not folder.exists():
        raise FolderError(f"{folder} does not exist; runs are made by: motley train --out {folder}")
    paths = sorted(p.parent for p in folder.glob("**/versions.json"))
    runs: list[Run] = []
    for path in paths:
        try:
            run = read(path)
        except (OSError, ValueError, KeyError) as error:
            on_left_out(f"{path}: {error}")
        else:
            runs += [run] if len(run.eval.get("steps", ())) else []
    if not runs and folder in paths:
        mend = (
            "it is finished: train anew in another folder"
            if (folder / "done").exists()
            else f"go on with it: motley train --resume --out {folder}"
        )
        raise FolderError(f"the run in {folder} has no evaluation that can be read; {mend}")
    if not runs:
        raise FolderError(
            f"there is no evaluated run in {folder}; make one: motley train --out {folder}/first"
        )
    for task in {run.config["task"] for run in runs}:
        hashes: dict[str | None, list[str]] = {}
        for run in runs:
            if run.config["task"] == task:
                hashes.setdefault(run.versions["task_hash"], []).append(str(run.folder))
        if len(hashes) > 1:
            groups = "; ".join(f"{h}: {', '.join(names)}" for h, names in hashes.items())
            raise FolderError(
                f"{task} was changed between these runs, so their scores do not compare "
                f"({groups}). Report them apart, or train the older ones anew"
            )
    return runs


def read(folder: Path) -> Run:
    """A run folder, finished or under way.

    Raises:
        FolderError: a file is missing, broken or of another format.
    """
    config = read_config(folder)
    versions = read_json(folder / "versions.json")
    return Run(
        folder,
        config,
        versions,
        read_csv(folder / "eval.csv"),
        read_csv(folder / "progress.csv"),
        versions.get("n_parameters"),
        (folder / "done").exists(),
    )


def arms(runs: Sequence[Run]) -> list[Arm]:
    """Runs grouped by arm, in the order of their first run."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.arm, []).append(run)
    return [Arm(label, found) for label, found in groups.items()]
