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
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import log_ndtr, stdtr, stdtrit

from motley.studies.statistics import Floats, Solved

FURTHEST = math.log(1e6)
"""A log ratio further from 0 than this is taken for one without bound."""
SHARPEST = 1e3
"""One over the least deviation of log steps."""
SHARE = 0.8
"""Of an arm's runs, that have to solve their task for it to take part in an interaction."""
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


def ratio_of_ratios(*cells: Sequence[Solved], level: float = 0.9) -> Ratio:
    """How many times the ratio of steps of two arms is that of two others: an interaction.

    Each arm has a mean and a deviation of log steps of its own, fitted by maximum likelihood; the
    difference of two differences of means has Welch's interval, of as many degrees of freedom as
    Satterthwaite (1946) gives such a sum.

    Args:
        cells: four arms, a run each: how many times the steps of the first the second takes, over
            how many times those of the third the fourth does.
        level: of the interval.

    Raises:
        ValueError: an arm was solved by fewer than 8 runs of 10, or by one before it had learnt.
    """
    means, parts = np.empty(4), np.empty(4)
    names = ("first", "second", "third", "fourth")
    for k, (runs, name) in enumerate(zip(cells, names, strict=True)):
        count = sum(not run.censored for run in runs)
        if len(runs) < 2 or count < SHARE * len(runs):
            raise ValueError(
                f"the {name} arm was solved by {count} of {len(runs)} runs, and an interaction "
                f"takes 8 of 10 in each of its four: with others a budget would pass for one"
            )
        means[k], parts[k] = _log_mean(runs, name)
    signs, counts = np.array([-1, 1, 1, -1]), np.array([len(runs) for runs in cells])
    estimate, error = float(signs @ means), math.sqrt(parts.sum())
    freedom = float(parts.sum() ** 2 / (parts**2 / (counts - 1)).sum())
    reach = float(stdtrit(freedom, (1 + level) / 2)) * error
    p = float(stdtr(freedom, -estimate / error))
    return Ratio(_ratio(estimate), _ratio(estimate - reach), _ratio(estimate + reach), p)


def _log_mean(runs: Sequence[Solved], name: str) -> tuple[float, float]:
    """Return the mean of an arm's log steps and the square of its standard error.

    Raises:
        ValueError: a run was solved before it had learnt; the message calls the arm by ``name``.
    """
    if any(run.steps <= 0 and not run.censored for run in runs):
        raise ValueError(f"a run of the {name} arm was solved before it had learnt")
    low, high = _bounds(runs)
    one, known = np.zeros(len(runs), int), np.where(np.isfinite(low), low, high)
    # Runs that lie between one or two pairs of evaluations have no least deviation: then it is
    # taken for that of a place anywhere between two.
    widths = (high - low)[np.isfinite(high - low)]
    sharpest = math.sqrt(12) / float(widths.mean()) if len(widths) else SHARPEST
    fit = minimize(
        _loss, np.array([known.mean(), min(1 / max(float(known.std()), 0.1), sharpest)]),
        (low, high, one), jac=True, method="L-BFGS-B", bounds=[(None, None), (1e-3, sharpest)],
        options={"ftol": 1e-14, "gtol": 1e-9},
    ).x  # fmt: skip
    # The information, by differences of the slope; where the deviation is at its least, of the mean
    # alone.
    step = 1e-4 * np.array([1 / fit[1], fit[1]])
    slopes = np.array([
        (_loss(fit + e, low, high, one)[1] - _loss(fit - e, low, high, one)[1]) / (2 * e.sum())
        for e in np.diag(step)
    ])  # fmt: skip
    free = 1 if fit[1] > 0.999 * sharpest else 2
    variance = float(np.linalg.inv(slopes[:free, :free])[0, 0])
    # Maximum likelihood divides squares by n, where n - 1 of them are independent.
    return float(fit[0]), variance * len(runs) / (len(runs) - 1)


def _bounds(runs: Sequence[Solved]) -> tuple[Floats, Floats]:
    """Return between which log steps each run was solved, from minus infinity to infinity."""
    low = np.array([math.log(run.after) if run.after > 0 else -math.inf for run in runs])
    high = np.array([math.inf if run.censored else math.log(run.steps) for run in runs])
    return low, high


def _loss(theta: Floats, low: Floats, high: Floats, which: Any) -> tuple[float, Floats]:
    """Return minus the log likelihood of log steps, and its slope.

    Args:
        theta: the mean, and one over each deviation.
        low: (N,) log steps after which a run was solved.
        high: (N,) by which it was.
        which: (N,) of the deviations each run has.
    """
    mean, *sharp = theta
    tau = np.asarray(sharp)[which]
    below, above = low - mean, high - mean
    log, da, db = _share(tau * below, tau * above)
    slope = np.where(np.isfinite(below), below, 0) * da
    slope -= np.where(np.isfinite(above), above, 0) * db
    slopes = np.bincount(which, slope, len(sharp))
    return -float(log.sum()), np.array([(tau * (db - da)).sum(), *slopes])


def _profile(one: Sequence[Solved], other: Sequence[Solved]) -> Callable[[float], float]:
    """Return the log likelihood by log ratio, at the best mean and deviations for it.

    Args:
        one: runs of an arm.
        other: of another.
    """
    runs = [*one, *other]
    low, high = _bounds(runs)
    late = np.arange(len(runs)) >= len(one)
    own = all(sum(not run.censored for run in some) > 1 for some in (one, other))
    which = late.astype(int) * own  # of the deviations
    known = np.where(np.isfinite(low), low, high)
    middles = [float(known[~late].mean()), float(known[late].mean())]
    sharpness = [1 / max(float(known[which == k].std()), 0.1) for k in range(1 + own)]

    def profile(shift: float) -> float:
        shifted = (low - shift * late, high - shift * late, which)
        bounds = [(None, None), *[(1e-3, SHARPEST)] * len(sharpness)]
        found = [  # far from the estimate each arm has an optimum of its own
            minimize(
                _loss, np.array([mean, *sharpness]), shifted, jac=True, method="L-BFGS-B",
                bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-8},
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
