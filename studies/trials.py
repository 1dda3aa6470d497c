"""What the trials of a tuning say: whether an arm left chance in enough of them to be called tuned.

Of settings that all leave an arm where a policy stands that leaves the problem out, the best is
chosen by luck. An arm with fewer than one trial in four above chance counts as untuned, and a
comparison with it supports nothing. As shortcuts are judged in an audit, a trial is above chance
where its score01 exceeds that of the task's chance by more than a tenth.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motley.envs import TASKS, Task, calibration
from motley.studies.config import plain

COLUMNS = ("task", "arm", "trial", "seed", "score01")
"""Of ``tuning.csv``."""
ABOVE = 0.1
"""In score01: a shortcut may come as far above chance without solving a task's problem."""
ENOUGH = 0.25
"""The share of an arm's trials that have to be above chance."""


def chance(rules: Task) -> float | None:
    """What the best policy that leaves the problem out scores, as score01; None if not calibrated.

    Args:
        rules: a task with its level.
    """
    entry = calibration.lookup(rules)
    return None if entry is None else (rules.chance - entry.random) / (entry.oracle - entry.random)


def untuned(results: Path, tasks: Sequence[tuple[str, int | None]]) -> set[tuple[str, str]]:
    """The tasks and arms of ``tuning.csv`` of which too few trials are above chance.

    Tasks of others, and such as are not calibrated, are not judged. Trials of a task at several
    levels are judged together, by the mean of its chances.

    Args:
        results: a study's folder; without a table of trials none is untuned.
        tasks: the study's, each with a level.
    """
    trials: dict[tuple[str, str], dict[str, list[float]]] = {}
    for task, arm, trial, _, score in rows(results):
        trials.setdefault((task, arm), {}).setdefault(trial, []).append(float(score))
    found = set()
    for (task, arm), scores in trials.items():
        kind, levels = TASKS.get(plain(task)), [level for name, level in tasks if name == task]
        chances = [chance(kind(level)) for level in levels if kind is not None]
        known = [each for each in chances if each is not None]
        if known and len(known) == len(levels):
            above = [np.mean(each) > np.mean(known) + ABOVE for each in scores.values()]
            found |= {(task, arm)} if np.mean(above) < ENOUGH else set()
    return found


def rows(results: Path) -> list[list[str]]:
    """The rows of ``tuning.csv``, without its header; none where there is no file."""
    path = results / "tuning.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        _, *found = csv.reader(file)
    return found
