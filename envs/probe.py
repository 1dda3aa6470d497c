"""Read-outs and their grades; the linear one, tested on episodes that it has not seen."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

RIDGE = 1.0
"""Penalty on the squared weights of standardised inputs."""


class Probe(NamedTuple):
    """How well a linear map reads a variable.

    Attributes:
        score: on held-out episodes: the share of right classes, or the explained share of the
            variance (below 0 is worse than its mean).
        chance: of one that always says the commonest class, or the mean (0).
        rows: how many moments were read.
    """

    score: float
    chance: float
    rows: int


def linear_probe(x: npt.ArrayLike, y: npt.ArrayLike, episode: npt.ArrayLike) -> Probe:
    """Read y from x by ridge regression, trained on one half of the episodes, tested on the other.

    Both halves serve for both, and the scores are averaged. Classes are read as one number each
    (1 for the class, else 0), of which the largest wins.

    Source: Alain & Bengio 2017, Understanding intermediate layers using linear classifier probes.

    Args:
        x: (rows, features).
        y: (rows,) integers or booleans are classes; (rows,) or (rows, k) floats are numbers.
        episode: (rows,) of which each row is; no episode is in both halves.

    Raises:
        ValueError: rows do not fit, or there is but one episode or one class.
    """
    given, which = np.asarray(x, np.float64), np.unique(np.asarray(episode), return_inverse=True)[1]
    answer = np.asarray(y)
    if not len(given) == len(answer) == len(which) or given.ndim != 2:
        raise ValueError(f"x {given.shape}, y {answer.shape}, episode {which.shape}: rows differ")
    if which.size == 0 or which.max() < 1:
        raise ValueError("a probe is tested on other episodes than it is trained on: record more")
    if is_class(answer):
        labels, answer = np.unique(answer, return_inverse=True)
        if len(labels) < 2:
            raise ValueError(f"there is nothing to tell apart: y is always {labels[0]}")
        target = np.eye(len(labels))[answer]
    else:
        target = answer.reshape(len(answer), -1).astype(np.float64)
    scores = []
    for half in (0, 1):
        train, test = which % 2 == half, which % 2 != half
        scores.append(grade(ridge(given[train], target[train], given[test]), answer[test]))
    return Probe(float(np.mean(scores)), chance(answer), len(given))


def grade(said: npt.NDArray[Any], answer: npt.NDArray[Any]) -> float:
    """How right a read-out is: the share of right classes, or the explained share of variance.

    Args:
        said: (R, classes) of which the largest wins, or (R, k) numbers.
        answer: (R,) integers or booleans are classes; (R,) or (R, k) floats are numbers.
    """
    if is_class(answer):
        return float((said.argmax(1) == answer).mean())
    truth = answer.reshape(said.shape)
    return float(1 - ((truth - said) ** 2).sum() / ((truth - truth.mean(0)) ** 2).sum())


def chance(answer: npt.NDArray[Any]) -> float:
    """The grade of one that always says the commonest class, or the mean."""
    if not is_class(answer):
        return 0.0
    return float(np.unique(answer, return_counts=True)[1].max() / len(answer))


def is_class(answer: npt.NDArray[Any]) -> bool:
    """Whether answers are classes rather than numbers."""
    return answer.dtype.kind in "biu"


def ridge(
    x: npt.NDArray[Any], y: npt.NDArray[Any], new: npt.NDArray[Any], penalty: float = RIDGE
) -> npt.NDArray[Any]:
    """What ridge regression of y on x says of new rows.

    Args:
        x: (rows, features).
        y: (rows, k).
        new: (new rows, features).
        penalty: on the squared weights of standardised features.
    """
    mean, scale = x.mean(0), x.std(0)
    kept = scale > 1e-6
    a, b = ((part[:, kept] - mean[kept]) / scale[kept] for part in (x, new))
    weights = np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), a.T @ (y - y.mean(0)))
    return np.asarray(b @ weights + y.mean(0))
