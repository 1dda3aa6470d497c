"""Verdicts: what a study's stored runs say to the questions that it asked before they ran."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motley.studies.config import ConfigError
from motley.studies.folder import write_json
from motley.studies.statistics import Interval, difference
from motley.studies.study import Contrast, Study

LEAST_SEEDS = 10
"""Runs of each arm below which nothing is decided."""
LAST = 0.25
"""Share of a run's evaluations that make up its end."""


def verdict(study: Study, results: Path) -> list[dict[str, Any]]:
    """Answer each contrast of a study on each task, and write ``verdict.json``.

    A contrast is ``supported`` where the 90% interval of the difference of means lies within what
    it allows (for an equivalence: two one-sided tests at 5% each, Schuirmann 1987), ``refuted``
    where all of it lies outside, else ``inconclusive``; so are fewer than 10 runs of an arm.

    Args:
        study: whose runs were collected.
        results: the folder of its ``curves.csv``.

    Raises:
        ConfigError: the study asks nothing, or its table is missing.
    """
    if not study.contrasts:
        raise ConfigError(f"study {study.name!r} states no contrasts, so there is no verdict on it")
    path = results / "curves.csv"
    if not path.exists():
        raise ConfigError(f"{path} is missing: run the study first (motley study run {study.name})")
    ends = {measure: _ends(path, measure) for measure in {c.measure for c in study.contrasts}}
    found = [_answer(contrast, task, ends[contrast.measure]) for task, contrast in _asked(study)]
    write_json(results / "verdict.json", {"study": study.name, "round": 1, "verdicts": found})
    return found


def _asked(study: Study) -> Iterator[tuple[str, Contrast]]:
    """Each task with each contrast that it has both arms of."""
    for task, _ in study.tasks:
        for contrast in study.contrasts:
            meant = not contrast.tasks or task in contrast.tasks
            if meant and {contrast.first, contrast.second} <= set(study.arms[task]):
                yield task, contrast


def _ends(path: Path, measure: str) -> dict[tuple[str, str], list[float]]:
    """By task and arm, each run's mean of a column over the last quarter of its evaluations."""
    curves: dict[tuple[str, str], dict[str, list[float]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            runs = curves.setdefault((row["task"], row["arm"]), {})
            runs.setdefault(row["seed"], []).append(float(row[measure]))
    return {
        cell: [
            float(np.mean(scores[-max(1, round(LAST * len(scores))) :])) for scores in runs.values()
        ]
        for cell, runs in curves.items()
    }


def _answer(
    contrast: Contrast, task: str, ends: Mapping[tuple[str, str], Sequence[float]]
) -> dict[str, Any]:
    """One entry of ``verdict.json``."""
    a, b = (
        np.asarray(ends.get((task, arm), ()), np.float64)
        for arm in (contrast.first, contrast.second)
    )
    between = difference(a, b)
    return {
        "task": task,
        "first": contrast.first,
        "second": contrast.second,
        "kind": contrast.kind,
        "measure": contrast.measure,
        "margin": contrast.margin,
        "seeds": [a.size, b.size],
        "ends": [_mean(a), _mean(b)],
        "difference": list(between),
        "verdict": decide(contrast, between, min(a.size, b.size)),
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


def _mean(scores: npt.NDArray[np.float64]) -> float | None:
    return float(scores.mean()) if scores.size else None
