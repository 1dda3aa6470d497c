"""How many times the experience one arm needs of another's, where some runs never solve the task.

Steps to solved are times to an event, known to lie between two evaluations or beyond the last one.
The model is one of accelerated failure times (Kalbfleisch & Prentice 2002, section 2.3): log steps
are normal with a mean of each arm and one deviation, so that a ratio of steps is a difference of
means. It is fitted by maximum likelihood; an arm that never solves its task bounds the ratio on one
side and never becomes a number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import log_ndtr
from scipy.stats import t as student

from motley.studies.statistics import Floats, Solved

FURTHEST = math.log(1e6)
"""A log ratio further from 0 than this is taken for one without bound."""
SHARPEST = 1e3
"""One over the least deviation of log steps."""


class Ratio(NamedTuple):
    """How many times the steps of the first arm the second one takes.

    Attributes:
        estimate: infinite or 0 where one arm never solved its task; NaN where neither did.
        low, high: the ends of its interval; 0 and infinity where there is none.
        p: one-sided, of a ratio of 1 or less; NaN where there is no interval.
    """

    estimate: float
    low: float
    high: float
    p: float


def steps_ratio(first: Sequence[Solved], second: Sequence[Solved], level: float = 0.9) -> Ratio:
    """Compare two arms' steps to solved.

    The interval holds the ratios whose profile deviance is within what Student's test would allow:
    of steps that are known exactly it is Student's interval of the difference of mean log steps.
    ``p`` is below 0.05 where the low end of a 90% interval is above 1.

    Args:
        first: a run each.
        second: likewise.
        level: of the interval: 0.9 is that of two one-sided tests at 5% each.

    Raises:
        ValueError: a run was solved before it had learnt.
    """
    if any(run.steps <= 0 and not run.censored for run in (*first, *second)):
        raise ValueError("a run was solved before it had learnt: there are no steps to compare")
    runs = [(run, arm) for arm, some in enumerate((first, second)) for run in some if run.steps > 0]
    n, unsolved = len(runs), [all(run.censored for run in some) for some in (first, second)]
    if all(unsolved) or n < 3:
        return Ratio(math.nan, 0.0, math.inf, math.nan)
    arm = np.array([arm for _, arm in runs])
    low = np.array([_log(run.steps if run.censored else run.after) for run, _ in runs])
    high = np.array([math.inf if run.censored else math.log(run.steps) for run, _ in runs])

    def profile(shift: float) -> float:
        """The log likelihood of a ratio, at the best mean and deviation for it."""
        return _fit(low - shift * arm, high - shift * arm, np.zeros_like(arm))[1]

    if any(unsolved):
        estimate = FURTHEST if unsolved[1] else -FURTHEST
    else:
        (one, other), _ = _fit(low, high, arm)
        estimate = float(np.clip(other - one, -FURTHEST, FURTHEST))
    top, freedom = profile(estimate), n - 2
    allowed = n * math.log1p(student.ppf((1 + level) / 2, freedom) ** 2 / freedom)

    def beyond(shift: float) -> float:
        return 2 * (top - profile(shift)) - allowed

    def end(limit: float) -> float:
        found = limit if beyond(limit) <= 0 else brentq(beyond, estimate, limit, xtol=1e-5)
        return _ratio(float(found))

    excess = max(2 * (top - profile(0.0)), 0.0)
    score = math.copysign(math.sqrt(freedom * math.expm1(excess / n)), estimate)
    p = float(student.sf(score, freedom))
    return Ratio(_ratio(estimate), end(-FURTHEST), end(FURTHEST), p)


def _log(steps: float) -> float:
    return math.log(steps) if steps > 0 else -math.inf


def _ratio(log: float) -> float:
    return math.exp(log if abs(log) < FURTHEST else math.copysign(math.inf, log))


def _fit(low: Floats, high: Floats, group: Floats) -> tuple[Floats, float]:
    """Fit normals of one deviation to numbers that are known to lie in intervals.

    Args:
        low: (N,) ends of the intervals, or minus infinity.
        high: (N,) likewise, or infinity.
        group: (N,) 0 or 1; all 0 is one group.

    Returns:
        The means (2,), equal for one group, and the log likelihood.
    """
    known = np.where(np.isfinite(low), low, high)
    middle = known.mean()
    left, right = (np.where(np.isfinite(x), x - middle, 0.0) for x in (low, high))
    groups = np.stack([group == 0, group == 1])[: 1 + int(group.max())].astype(float)

    def loss(theta: Floats) -> tuple[float, Floats]:
        # In 1 / deviation and mean / deviation it is convex (Burridge 1981).
        *offsets, sharpness = theta
        at = np.asarray(offsets) @ groups
        a, b = sharpness * (low - middle) - at, sharpness * (high - middle) - at
        # The share between both, from the tail in which it keeps its digits.
        flip = a + b > 0
        near = log_ndtr(np.where(flip, -a, b))
        far = log_ndtr(np.where(flip, -b, a))
        log = near + np.log1p(-np.exp(np.minimum(far - near, -1e-15)))
        da, db = (np.exp(-0.5 * z * z - 0.5 * math.log(2 * math.pi) - log) for z in (a, b))
        slope = da * left - db * right
        return -float(log.sum()), np.array([*(groups @ (db - da)), slope.sum()])

    start = 1 / max(float(known.std()), 0.1)
    means = groups @ (known - middle) / groups.sum(1)
    found = minimize(
        loss,
        np.array([*(means * start), start]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None)] * len(means) + [(1e-3, SHARPEST)],
        options={"maxiter": 1_000, "ftol": 1e-12, "gtol": 1e-8},
    )
    *offsets, sharpness = found.x
    centres = np.asarray(offsets) / sharpness + middle
    return centres[[0, -1]], -float(found.fun)
