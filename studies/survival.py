"""How many times the experience one arm needs of another's, where some runs never solve the task.

Steps to solved are times to an event, known to lie between two evaluations or beyond the last one.
The model is one of accelerated failure times (Kalbfleisch & Prentice 2002, section 2.3): log steps
are normal, with a mean and a deviation of each arm, so that a ratio of steps is a difference of
means. It is fitted by maximum likelihood. Where an arm was not seen to be solved at least twice
its deviation is taken for the other's; one that never solves its task bounds the ratio on one side
and never becomes a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import log_ndtr, stdtr, stdtrit

from motley.studies.statistics import Floats, Solved

FURTHEST = math.log(1e6)
"""A log ratio further from 0 than this is taken for one without bound."""
SHARPEST = 1e3
"""One over the least deviation of log steps."""
FLAT = 1e-4
"""Log likelihoods that differ by less are one."""


class Ratio(NamedTuple):
    """How many times the steps of the first arm the second one takes.

    Attributes:
        estimate: infinite or 0 where an arm was never seen to be solved, or the other only at its
            first evaluation; NaN where nothing is known.
        low, high: the ends of its interval; 0 and infinity where there is none.
        p: one-sided, of a ratio of 1 or less; NaN where there is no interval.
    """

    estimate: float
    low: float
    high: float
    p: float


UNKNOWN = Ratio(math.nan, 0.0, math.inf, math.nan)


def steps_ratio(first: Sequence[Solved], second: Sequence[Solved], level: float = 0.9) -> Ratio:
    """Compare two arms' steps to solved.

    The interval holds the ratios whose profile deviance is within what Student's test would allow
    of as many runs; of steps that are known exactly it is nearly Welch's of the difference of mean
    log steps. ``p`` is below 0.05 where the low end of a 90% interval is above 1.

    Args:
        first: a run each.
        second: likewise.
        level: of the interval: 0.9 is that of two one-sided tests at 5% each.

    Raises:
        ValueError: a run was solved before it had learnt.
    """
    if any(run.steps <= 0 and not run.censored for run in (*first, *second)):
        raise ValueError("a run was solved before it had learnt: there are no steps to compare")
    # A run that was cut off before anything was seen of it tells nothing.
    one, other = ([r for r in some if r.after > 0 or not r.censored] for some in (first, second))
    n, unsolved = len(one) + len(other), [all(r.censored for r in some) for some in (one, other)]
    if not (one and other) or all(unsolved) or n < 3:
        return UNKNOWN
    profile = _profile(one, other)
    at_once = [all(r.after == 0 for r in some) for some in (one, other)]
    if unsolved[1] or at_once[0]:
        estimate = FURTHEST
    elif unsolved[0] or at_once[1]:
        estimate = -FURTHEST
    else:
        found = minimize_scalar(
            lambda shift: -profile(shift), bounds=(-FURTHEST, FURTHEST), method="bounded"
        )
        # Where an arm lies between the same two evaluations, any place in there is as likely.
        estimate = sum(_ends(profile, float(found.x), FLAT)) / 2
    top, freedom = profile(estimate), n - 2
    allowed = n * math.log1p(stdtrit(freedom, (1 + level) / 2) ** 2 / freedom)
    low, high = _ends(profile, estimate, allowed / 2)
    excess = max(2 * (top - profile(0.0)), 0.0)
    score = math.copysign(math.sqrt(freedom * math.expm1(excess / n)), estimate)
    return Ratio(_ratio(estimate), _ratio(low), _ratio(high), float(stdtr(freedom, -score)))


def _profile(one: Sequence[Solved], other: Sequence[Solved]) -> Callable[[float], float]:
    """Return the log likelihood by log ratio, at the best mean and deviations for it.

    Args:
        one: runs of an arm.
        other: of another.
    """
    runs = [*one, *other]
    low = np.array([math.log(run.after) if run.after > 0 else -math.inf for run in runs])
    high = np.array([math.inf if run.censored else math.log(run.steps) for run in runs])
    late = np.arange(len(runs)) >= len(one)
    own = all(sum(not run.censored for run in some) > 1 for some in (one, other))
    which = late.astype(int) * own  # of the deviations
    known = np.where(np.isfinite(low), low, high)
    middles = [float(known[~late].mean()), float(known[late].mean())]
    sharpness = [1 / max(float(known[which == k].std()), 0.1) for k in range(1 + own)]

    def profile(shift: float) -> float:
        a, b = low - shift * late, high - shift * late

        def loss(theta: Floats) -> tuple[float, Floats]:
            mean, *sharp = theta
            tau = np.asarray(sharp)[which]
            below, above = a - mean, b - mean
            log, da, db = _share(tau * below, tau * above)
            slope = np.where(np.isfinite(below), below, 0) * da
            slope -= np.where(np.isfinite(above), above, 0) * db
            slopes = np.bincount(which, slope, len(sharp))
            return -float(log.sum()), np.array([(tau * (db - da)).sum(), *slopes])

        bounds = [(None, None), *[(1e-3, SHARPEST)] * len(sharpness)]
        found = [  # far from the estimate each arm has an optimum of its own
            minimize(
                loss, np.array([mean, *sharpness]), jac=True, method="L-BFGS-B", bounds=bounds,
                options={"ftol": 1e-12, "gtol": 1e-8},
            ).fun
            for mean in {middles[0], middles[1] - shift}
        ]  # fmt: skip
        return -float(min(found))

    return profile


def _share(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the log share of a standard normal between a and b, and minus its slope and its slope.

    Args:
        a: (N,) ends, or minus infinity.
        b: (N,) larger ones, or infinity.
    """
    flip = a + b > 0  # taken in the tail where it keeps its digits
    near = log_ndtr(np.where(flip, -a, b))
    far = log_ndtr(np.where(flip, -b, a))
    log = near + np.log1p(-np.exp(np.minimum(far - near, -1e-15)))
    da, db = (np.exp(-0.5 * z * z - 0.5 * math.log(2 * math.pi) - log) for z in (a, b))
    return log, da, db


def _ends(profile: Callable[[float], float], at: float, drop: float) -> tuple[float, float]:
    """Return between which log ratios the log likelihood is at most ``drop`` below that at one."""
    top = profile(at)

    def beyond(shift: float) -> float:
        return top - profile(shift) - drop

    low, high = (
        limit if beyond(limit) <= 0 else float(brentq(beyond, at, limit, xtol=1e-5))
        for limit in (-FURTHEST, FURTHEST)
    )
    return low, high


def _ratio(log: float) -> float:
    return math.exp(log if abs(log) < FURTHEST else math.copysign(math.inf, log))
