"""Verdicts: what a study's stored runs say to the questions that it asked before they ran."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from motley.studies import table, versions
from motley.studies.config import ConfigError, RunConfig, import_plugins
from motley.studies.folder import FolderError, read_json, write_json
from motley.studies.statistics import (
    Floats,
    Interval,
    Solved,
    difference,
    holm,
    median_steps,
    p_above,
    steps_to_solved,
)
from motley.studies.study import Arm, Contrast, Study, planned
from motley.studies.survival import UNKNOWN, ratio_of_ratios, steps_ratio

LEAST_SEEDS = 10
"""Runs of each arm below which nothing is decided."""
SIZED = ("more", "faster")
"""Kinds of contrasts that say that there is a difference."""
ALPHA = 0.05
"""How often chance alone may decide, on either side."""

Cell = tuple[str, str, str]
"""A task, its level as the table has it, and an arm."""
Curve = list[tuple[int, float]]
"""Steps and a measure at each evaluation of a run."""


def verdict(study: Study, results: Path) -> list[dict[str, Any]]:
    """Answer each contrast of a study on each of its tasks, and write ``verdict.json``.

    A contrast is ``supported`` where the 90% interval of the difference of means lies within what
    it allows (for an equivalence: two one-sided tests at 5% each, Schuirmann 1987) and the estimate
    reaches the size that it predicts, if any; ``refuted`` where all of the interval lies outside,
    else ``inconclusive``; so are fewer than 10 whole runs of an arm; without any it is ``null``.
    Runs that have not reached their arm's steps do not count, nor do those of an arm, or on a task,
    that was changed since they were stored, or that the study has no more (``changed_runs``). Where
    an arm's runs end when they have solved their task, those under way are the ones that have not
    yet: to leave them out would favour the arm. Nothing is decided until they are over
    (``waits``), and for ``faster`` they count as unsolved so far.

    For ``faster`` the interval is that of the ratio of steps to solved
    (:func:`.survival.steps_ratio`): it is ``refuted`` where the interval ends below the margin,
    else ``supported`` where it begins above 1 and the estimate reaches what was predicted, or the
    margin. No ratio above ``largest_ratio`` can be seen, the second arm's steps over the first
    one's median, so that a larger estimate counts as that; where an arm never solved its task
    there is none, and the interval has to begin there. ``null`` stands where there is no number.

    A ``faster`` with arms ``beside`` it is an interaction, whose ratio is that of two ratios
    (:func:`.survival.ratio_of_ratios`). Where an arm of the four was not solved by 8 runs of 10
    there is none (``problem``): with cut off runs a budget would pass for an interaction.

    ``verdict`` answers each contrast by itself, which is what a claim that all of them hold asks
    for: that needs no correction (Berger 1982). A claim that some hold is asked of
    ``verdict_holm``, which all contrasts of kind ``more`` and ``faster`` have: there a supported
    one stays so only if it does with Holm's correction over all of these that were stated in the
    same round, on all of their tasks, whether their runs are there or not: the 5% are each
    round's, not the study's. It is ``null`` for the other kinds, and changes nothing that is
    refuted.

    ``verdict.json`` says what was judged: ``table_hash`` is of the rows of ``curves.csv`` that
    count, ``task_hashes`` of the tasks as they are now (``null`` where a package is missing).

    Args:
        study: whose runs were collected.
        results: the folder of its ``curves.csv``.

    Raises:
        ConfigError: the study asks nothing, or of an arm that it has not, or its table is missing.
    """
    if not study.contrasts:
        raise ConfigError(
            f"study {study.name!r} states no contrasts, so there is no verdict on it; its numbers: "
            f"{study.command('table')}"
        )
    stored = table.load(results)
    import_plugins(study.imports)  # they may bring the environments whose code is noted
    changed = table.changed(planned(study, results), stored)
    rows = {key: run for key, run in stored.rows.items() if key not in changed}
    measures = {contrast.measure for contrast in study.contrasts}
    curves = {measure: _curves(rows, measure) for measure in measures}
    found = [
        _answer(contrast, task, level, study.arms[task], curves[contrast.measure])
        for contrast in study.contrasts
        for task, level in study.asked(contrast)
    ]
    for number in {contrast.round for contrast in study.contrasts}:
        _correct([a for a in found if a["kind"] in SIZED and a["round"] == number])
    judged = {
        "study": study.name,
        "round": study.round,
        "table_hash": table.hash_of(rows),
        "task_hashes": {task: _task_hash(task) for task, _ in study.tasks},
        "changed_runs": changed,
    }
    _store(results / "verdict.json", {**judged, "verdicts": found})
    return found


def _store(path: Path, answers: Mapping[str, Any]) -> None:
    """Write JSON values, but leave a file that holds the same as it is."""
    with suppress(FolderError):  # there is none, or none that can be read
        if read_json(path) == json.loads(json.dumps(answers)):
            return
    write_json(path, answers)


class Ends(NamedTuple):
    """What an arm's whole runs come to, as contrasts compare it.

    Attributes:
        task, level, arm: whose.
        measure, last: as in :class:`.study.Contrast`.
        scores: (N,) one a run.
        beside: of each contrast that is of this arm first: the second one, the margin, and how many
            runs lie above, and below, the second one's mean by more than that.
    """

    task: str
    level: int | None
    arm: str
    measure: str
    last: float
    scores: Floats
    beside: list[tuple[str, float, int, int]]


def ends(study: Study, rows: Mapping[str, table.Rows]) -> Iterator[Ends]:
    """What the arms of a study's contrasts come to, one measure after the other.

    Args:
        study: or a part of one.
        rows: of its ``curves.csv``, by run.
    """
    compared = [contrast for contrast in study.contrasts if contrast.kind != "faster"]
    for measure, last in dict.fromkeys((c.measure, c.last) for c in compared):
        curves = _curves(rows, measure)
        asked = [c for c in compared if (c.measure, c.last) == (measure, last)]
        for task, level in study.tasks:
            here = [c for c in asked if not c.tasks or task in c.tasks]
            found = dict[str, Floats]()
            for name, arm in study.arms[task].items():
                runs = curves.get((task, "" if level is None else str(level), name), {}).values()
                found[name] = np.array([ending(run, last) for run in _over(arm, runs)])
            for name, scores in found.items():
                beside = []
                for c in here:
                    if c.first == name and len(other := found.get(c.second, np.empty(0))):
                        gaps = scores - other.mean()
                        counts = int((gaps > c.margin).sum()), int((gaps < -c.margin).sum())
                        beside.append((c.second, c.margin, *counts))
                if len(scores) and any(name in (c.first, c.second) for c in here):
                    yield Ends(task, level, name, measure, last, scores, beside)


def _task_hash(task: str) -> str | None:
    try:
        return RunConfig(task).task_hash or versions.environment(task)
    except (ModuleNotFoundError, gym.error.Error):
        return None


def _correct(family: list[dict[str, Any]]) -> None:
    """Enter Holm's adjusted p and what it leaves supported; what has no p counts as 1."""
    adjusted = holm([1.0 if answer["p"] is None else answer["p"] for answer in family])
    for answer, p in zip(family, adjusted.tolist(), strict=True):
        answer["p_holm"] = p
        lost = answer["verdict"] == "supported" and p >= ALPHA
        answer["verdict_holm"] = "inconclusive" if lost else answer["verdict"]


def _curves(rows: Mapping[str, table.Rows], measure: str) -> dict[Cell, dict[str, Curve]]:
    """By cell and seed, a measure over a run."""
    curves: dict[Cell, dict[str, Curve]] = {}
    for run in rows.values():
        named = [dict(zip(table.COLUMNS, row, strict=True)) for row in run]
        task, level, arm, seed = (named[0][n] for n in ("task", "level", "arm", "seed"))
        curve = [(int(row["steps"]), float(row[measure])) for row in named]
        curves.setdefault((task, level, arm), {})[seed] = curve
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
    faster, waits, halves = contrast.kind == "faster", False, 0
    counted, compared = list[list[Curve]](), [arms[name] for name in contrast.arms]
    for name, arm in zip(contrast.arms, compared, strict=True):
        runs = [*curves.get((task, rung, name), {}).values()]
        whole = _over(arm, runs)
        halves += len(runs) - len(whole)
        waits |= arm.until_solved and len(whole) < len(runs)
        counted.append(runs if faster and arm.until_solved else whole)
    found, between, p = (
        _faster(contrast, compared, counted) if faster else _higher(contrast, *counted)
    )
    seeds = min(map(len, counted))
    said = decide(contrast, between, seeds, found.get("largest_ratio"))
    told = contrast.kind in SIZED and seeds >= LEAST_SEEDS and math.isfinite(p) and not waits
    return {
        "task": task,
        "level": level,
        "round": contrast.round,
        "first": contrast.first,
        "second": contrast.second,
        **({"beside": list(contrast.beside)} if contrast.beside else {}),
        "kind": contrast.kind,
        "measure": contrast.measure,
        "last": contrast.last,
        "margin": contrast.margin,
        "predicts": contrast.predicts,
        "refuter": contrast.refuter,
        "seeds": [len(runs) for runs in counted],
        "unfinished_runs": halves,
        "waits": waits,
        **found,
        "verdict": "inconclusive" if said and waits else said,
        "p": p if told else None,
        "p_holm": None,
        "verdict_holm": None,
    }


def _higher(
    contrast: Contrast, first: Sequence[Curve], second: Sequence[Curve]
) -> tuple[dict[str, Any], Interval, float]:
    """Compare what runs end at; entries, the difference, and the p that it is above the margin."""
    one, other = ([ending(run, contrast.last) for run in runs] for runs in (first, second))
    between = difference(one, other)
    found = {
        "means": [float(np.mean(scores)) if scores else None for scores in (one, other)],
        "difference": [_number(x) for x in between],
    }
    return found, between, p_above(one, other, contrast.margin)


def _faster(
    contrast: Contrast, arms: Sequence[Arm], runs: Sequence[Sequence[Curve]]
) -> tuple[dict[str, Any], Interval, float]:
    """Compare steps to solved; entries, the ratio, and the p that it is above 1."""
    cells = [[solved(run) for run in some] for some in runs]
    try:
        first, second, *beside = cells
        ratio = ratio_of_ratios(*cells) if beside else steps_ratio(first, second)
        problem = None
    except ValueError as error:
        ratio, problem = UNKNOWN, str(error)
    medians = [median_steps(times) if times else None for times in cells]
    steps = [None if m is None or m.censored else m.steps for m in medians]
    found = {
        "solved": [sum(not run.censored for run in times) for times in cells],
        "median_steps": steps,
        "budgets": [arm.steps for arm in arms],
        "largest_ratio": arms[1].steps / steps[0] if steps[0] and not contrast.beside else None,
        "ratio": [_number(x) if x > 0 else None for x in ratio[:3]],
        "problem": problem,
    }
    return found, Interval(*ratio[:3]), ratio.p


def _over(arm: Arm, runs: Iterable[Curve]) -> list[Curve]:
    """The runs that have come to their steps, or ended before since they had solved their task."""
    return [
        run
        for run in runs
        if run[-1][0] >= arm.steps or (arm.until_solved and not solved(run).censored)
    ]


def solved(curve: Curve) -> Solved:
    """When a run solved its task."""
    return steps_to_solved([x for x, _ in curve], [y for _, y in curve])


def _number(x: float) -> float | None:
    """A number as JSON has it."""
    return x if math.isfinite(x) else None


def decide(
    contrast: Contrast, between: Interval, seeds: int, largest: float | None = None
) -> str | None:
    """Return what an interval says to a contrast; None where an arm has no runs.

    Args:
        contrast: what was asked.
        between: the difference, first minus second, or of ``faster`` the ratio, second over first,
            with its 90% interval.
        seeds: runs of the arm that has fewer.
        largest: ratio that could have been seen, for which the second arm was run.
    """
    if seeds < LEAST_SEEDS:
        return "inconclusive" if seeds else None
    margin, never = contrast.margin, float("inf")
    if contrast.kind == "faster":
        needed = contrast.predicts or margin
        # An estimate beyond what could be seen is the model's; one without bound is none. Of an
        # interaction all arms were seen to be solved.
        most = math.inf if contrast.beside else largest or 0
        seen = between.low if math.isinf(between.estimate) else min(between.estimate, most)
        supported = "supported" if between.low > 1 and seen >= needed else "inconclusive"
        return "refuted" if between.high < margin else supported
    least, greatest = {
        "equivalent": (-margin, margin),
        "at least": (-margin, never),
        "at most": (-never, margin),
        "more": (margin, never),
    }[contrast.kind]
    if between.low > least and between.high < greatest:
        small = contrast.predicts is not None and between.estimate < contrast.predicts
        return "inconclusive" if small else "supported"
    return "refuted" if between.high < least or between.low > greatest else "inconclusive"
