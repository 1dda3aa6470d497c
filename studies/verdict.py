"""Verdicts: what a study's stored runs say to the questions that it asked before they ran."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motley.studies.config import ConfigError
from motley.studies.folder import write_json
from motley.studies.statistics import Interval, difference
from motley.studies.study import Arm, Contrast, Study

LEAST_SEEDS = 10
"""Runs of each arm below which nothing is decided."""

Cell = tuple[str, str, str]
"""A task, its level as the table has it, and an arm."""
Curve = list[tuple[int, float]]
"""Steps and a measure at each evaluation of a run."""


def verdict(study: Study, results: Path) -> list[dict[str, Any]]:
    """Answer each contrast of a study on each of its tasks, and write ``verdict.json``.

    A contrast is ``supported`` where the 90% interval of the difference of means lies within what
    it allows (for an equivalence: two one-sided tests at 5% each, Schuirmann 1987), ``refuted``
    where all of it lies outside, else ``inconclusive``; so are fewer than 10 whole runs of an arm.
    Runs that have not reached their arm's steps do not count. Each contrast is answered by itself:
    that all of them hold needs no correction (Berger 1982), that some do would.

    Args:
        study: whose runs were collected.
        results: the folder of its ``curves.csv``.

    Raises:
        ConfigError: the study asks nothing, or of an arm that it has not, or its table is missing.
    """
    if not study.contrasts:
        raise ConfigError(f"study {study.name!r} states no contrasts, so there is no verdict on it")
    path = results / "curves.csv"
    if not path.exists():
        raise ConfigError(f"{path} is missing: run the study first (motley study run {study.name})")
    measures = {contrast.measure for contrast in study.contrasts}
    curves = {measure: _curves(path, measure) for measure in measures}
    found = [
        _answer(contrast, task, level, study.arms[task], curves[contrast.measure])
        for contrast in study.contrasts
        for task, level in _asked(study, contrast)
    ]
    write_json(
        results / "verdict.json", {"study": study.name, "round": study.round, "verdicts": found}
    )
    return found


def _asked(study: Study, contrast: Contrast) -> Iterator[tuple[str, int | None]]:
    """The tasks, each with its level, that a contrast is asked of; at least one.

    Raises:
        ConfigError: no task has both arms, or one that it names has not.
    """
    both = {contrast.first, contrast.second}
    having = [place for place in study.tasks if both <= set(study.arms[place[0]])]
    if not having or not set(contrast.tasks) <= {task for task, _ in having}:
        where = " and ".join(contrast.tasks) or "any task"
        raise ConfigError(
            f"study {study.name!r} contrasts {contrast.first!r} with {contrast.second!r}, but has "
            f"not both of these arms on {where}"
        )
    return ((t, level) for t, level in having if not contrast.tasks or t in contrast.tasks)


def _curves(path: Path, measure: str) -> dict[Cell, dict[str, Curve]]:
    """By cell and seed, a measure over a run."""
    curves: dict[Cell, dict[str, Curve]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            runs = curves.setdefault((row["task"], row["level"], row["arm"]), {})
            runs.setdefault(row["seed"], []).append((int(row["steps"]), float(row[measure])))
    return curves


def ending(curve: Curve, last: float) -> float:
    """The mean of a run's evaluations over the ``last`` share of its steps."""
    steps, _ = curve[-1]
    return float(np.mean([y for x, y in curve if x > (1 - last) * steps]))


def _answer(
    contrast: Contrast,
    task: str,
    level: int | None,
    arms: Mapping[str, Arm],
    curves: Mapping[Cell, Mapping[str, Curve]],
) -> dict[str, Any]:
    """One entry of ``verdict.json``."""
    rung = "" if level is None else str(level)
    ends, halves = [], 0
    for name in (contrast.first, contrast.second):
        runs = curves.get((task, rung, name), {}).values()
        whole = [r for r in runs if r[-1][0] >= arms[name].steps or arms[name].until_solved]
        halves += len(runs) - len(whole)
        ends.append([ending(run, contrast.last) for run in whole])
    between = difference(ends[0], ends[1])
    return {
        "task": task,
        "level": level,
        "first": contrast.first,
        "second": contrast.second,
        "kind": contrast.kind,
        "measure": contrast.measure,
        "last": contrast.last,
        "margin": contrast.margin,
        "seeds": [len(scores) for scores in ends],
        "unfinished_runs": halves,
        "means": [float(np.mean(scores)) if scores else None for scores in ends],
        "difference": [x if math.isfinite(x) else None for x in between],
        "verdict": decide(contrast, between, min(map(len, ends))),
    }


def decide(contrast: Contrast, between: Interval, seeds: int) -> str:
    """Return what an interval of the difference, first minus second, says to a contrast.

    Args:
        contrast: what was asked.
        between: the difference with its 90% interval.
        seeds: runs of the arm that has fewer.
    """
    if seeds < LEAST_SEEDS:
        return "inconclusive"
    margin, never = contrast.margin, float("inf")
    least, most = {
        "equivalent": (-margin, margin),
        "at least": (-margin, never),
        "at most": (-never, margin),
        "more": (margin, never),
    }[contrast.kind]
    if between.low > least and between.high < most:
        return "supported"
    return "refuted" if between.high < least or between.low > most else "inconclusive"
