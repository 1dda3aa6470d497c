"""Statistics of runs: a few lines on NumPy and SciPy each.

Rules: scores are summarised by the interquartile mean with stratified bootstrap intervals
(Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice"), or
with their range where runs are so few that the bootstrap would claim too much;
steps to solved are times to an event, censored where the budget ended first, so they are
summarised by Kaplan-Meier curves, never by a mean that takes the budget for a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

SOLVED = 0.8
"""score01 from which a task counts as solved."""
IN_A_ROW = 2
"""Evaluations in a row at or above SOLVED that it takes."""

FEW = 10
"""Runs below which a bootstrap's interval is far too narrow: of five it holds the truth in nine
cases of ten, of two in one of two."""

Floats = npt.NDArray[np.float64]
Strata = Sequence[npt.ArrayLike]
Statistic = Callable[[Floats], float]


class Interval(NamedTuple):
    """An estimate with the ends of its interval, 95% unless said; NaN where there is none."""

    estimate: float
    low: float
    high: float


class Solved(NamedTuple):
    """When a run solved its task.

    Attributes:
        steps: of the first evaluation from which the score stayed; where censored, the steps
            after which the run was last looked at.
        censored: the run ended unsolved: the true figure is ``steps`` or more.
        after: of the last evaluation at which it was not solved yet, 0 if there was none: the true
            figure lies beyond.
    """

    steps: float
    censored: bool
    after: float = 0.0

    def __str__(self) -> str:
        return f"{'≥ ' if self.censored else ''}{self.steps:,.0f}"


def _middle(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The mean of the middle half along the first axis."""
    from scipy.stats import trim_mean  # takes a second to import, which every command would wait

    mean: npt.NDArray[Any] = trim_mean(rows, 0.25, axis=0)
    return mean


def interquartile_mean(scores: npt.ArrayLike) -> float:
    """The mean of the middle half of all scores, whatever their shape; NaN counts as missing."""
    flat = np.asarray(scores, np.float64).ravel()
    flat = flat[~np.isnan(flat)]
    return float(_middle(flat)) if flat.size else float("nan")


def bootstrap(
    strata: Strata,
    statistic: Statistic = interquartile_mean,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The statistic of pooled scores with its stratified percentile bootstrap interval.

    Args:
        strata: scores by stratum (a task), each with one entry a run; runs are drawn anew within
            each stratum.
        statistic: of a flat array.
        resamples: how many.
        seed: of the resampling, so that a report is the same twice.

    Returns:
        The interval's ends are NaN where no stratum has two runs.
    """
    groups = [np.asarray(group, np.float64).ravel() for group in strata]
    estimate = statistic(np.concatenate(groups))
    if max(group.size for group in groups) < 2:
        return Interval(estimate, float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    draws = [
        statistic(np.concatenate([g[rng.integers(g.size, size=g.size)] for g in groups]))
        for _ in range(resamples)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(estimate, float(low), float(high))


def standard_error(scores: npt.ArrayLike) -> float:
    """Of the mean of scores (N,); NaN of a single one."""
    flat = np.asarray(scores, np.float64)
    return float(flat.std(ddof=1) / np.sqrt(flat.size)) if flat.size > 1 else float("nan")


def bounded_mean(
    scores: npt.ArrayLike, low: float, high: float, count: int | None = None
) -> Interval:
    """The mean of scores that lie in [low, high], with a 95% interval that never has no width.

    It is Student's of the scores and two more at either end, as Agresti and Coull (1998) have it of
    shares: twenty scores that are all alike do not prove that all others would be.

    Args:
        scores: (N,) one an episode.
        low: the least that a score can be.
        high: the most.
        count: as if there were so many, of the same mean and variance; left out, N.
    """
    flat = np.asarray(scores, np.float64).ravel()
    count = flat.size if count is None else count
    return bounded_interval(float(flat.mean()), float(flat.var()), count, low, high)


def bounded_interval(estimate: float, variance: float, n: int, low: float, high: float) -> Interval:
    """As :func:`bounded_mean`, of ``n`` scores of which mean and variance alone are known."""
    mean = (n * estimate + 2 * (low + high)) / (n + 4)
    squares = n * (variance + (estimate - mean) ** 2)
    squares += 2 * (low - mean) ** 2 + 2 * (high - mean) ** 2
    reach = stdtrit(n + 3, 0.975) * np.sqrt(squares / (n + 3) / (n + 4))
    ends = np.clip([mean - reach, mean + reach], low, high)
    return Interval(estimate, float(ends[0]), float(ends[1]))


def difference(first: npt.ArrayLike, second: npt.ArrayLike, level: float = 0.9) -> Interval:
    """The difference of two arms' means, first minus second, with Welch's interval (1947).

    At ten runs an arm a bootstrap's interval of a mean is too narrow.

    Args:
        first: a score a run.
        second: likewise.
        level: of the interval: 0.9 is that of two one-sided tests at 5% each.

    Returns:
        NaN where an arm has no run, and the ends where one has a single run.
    """
    estimate, error, freedom = _welch(first, second)
    reach = float(stdtrit(freedom, (1 + level) / 2) * error) if error else error
    return Interval(estimate, estimate - reach, estimate + reach)


def p_above(first: npt.ArrayLike, second: npt.ArrayLike, margin: float = 0.0) -> float:
    """The one-sided p of Welch's test that the first mean is above the second by the margin.

    Below 0.05 where the low end of :func:`difference` is above the margin.

    Args:
        first: a score a run.
        second: likewise.
        margin: what the difference has to exceed.

    Returns:
        NaN where an arm has fewer than two runs.
    """
    estimate, error, freedom = _welch(first, second)
    if error == 0:
        return float(estimate <= margin)
    return float(stdtr(freedom, (margin - estimate) / error))


def _welch(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[float, float, float]:
    """The difference of means, its standard error and the degrees of freedom; NaN as needed."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    nan = float("nan")
    if not (a.size and b.size):
        return nan, nan, nan
    estimate = float(a.mean() - b.mean())
    if min(a.size, b.size) < 2:
        return estimate, nan, nan
    parts = np.array([x.var(ddof=1) / x.size for x in (a, b)])
    if not parts.any():  # the runs of each arm are alike
        return estimate, 0.0, nan
    freedom = parts.sum() ** 2 / (parts**2 / (np.array([a.size, b.size]) - 1)).sum()
    return estimate, float(np.sqrt(parts.sum())), float(freedom)


def holm(p: npt.ArrayLike) -> Floats:
    """Holm's adjusted p (1979): one below 0.05 is so whichever others of the family are true.

    Args:
        p: (K,) of a family of tests.

    Returns:
        (K,) in the same order.
    """
    found = np.asarray(p, np.float64)
    order = np.argsort(found)
    stepped = np.maximum.accumulate(found[order] * np.arange(found.size, 0, -1))
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def bootstrap_curve(runs: npt.ArrayLike, resamples: int = 500, seed: int = 0) -> Floats:
    """Interquartile mean over runs at each point of a curve, with its bootstrap interval.

    Runs are drawn whole, so that the band keeps what points of one run share.

    Args:
        runs: (R, K) one row a run, without NaN.
        resamples: how many.
        seed: of the resampling.

    Returns:
        (3, K): estimate, low, high; the interval is NaN where there is one run.
    """
    rows = np.asarray(runs, np.float64)
    estimate = _middle(rows)
    if len(rows) < 2:
        return np.stack([estimate, *np.full((2, rows.shape[1]), np.nan)])
    drawn = np.random.default_rng(seed).integers(len(rows), size=(resamples, len(rows)))
    draws = np.stack([_middle(rows[which]) for which in drawn])
    return np.stack([estimate, *np.quantile(draws, [0.025, 0.975], axis=0)])


def spread_curve(runs: npt.ArrayLike) -> Floats:
    """:func:`bootstrap_curve` of ten runs or more; of fewer the range of the runs.

    Args:
        runs: (R, K) one row a run, without NaN.
    """
    rows = np.asarray(runs, np.float64)
    if not few(len(rows)):
        return bootstrap_curve(rows)
    return np.stack([_middle(rows), rows.min(0), rows.max(0)])


def spread(values: npt.ArrayLike) -> Interval:
    """:func:`bootstrap` of ten runs or more; of fewer the range of the runs.

    Args:
        values: (R,) one a run.
    """
    flat = np.asarray(values, np.float64)
    if not few(flat.size):
        return bootstrap([flat])
    return Interval(interquartile_mean(flat), float(flat.min()), float(flat.max()))


def few(runs: int) -> bool:
    """Whether runs have a range, but are too few for an interval."""
    return 1 < runs < FEW


def steps_to_solved(
    steps: npt.ArrayLike,
    scores: npt.ArrayLike,
    threshold: float = SOLVED,
    in_a_row: int = IN_A_ROW,
) -> Solved:
    """The first evaluation from which the score stays at the threshold ``in_a_row`` times.

    Args:
        steps: (E,) experience at each evaluation, ascending; may be empty.
        scores: (E,) score01; NaN is never solved.
        threshold: what counts as solved.
        in_a_row: how many evaluations confirm it, the first included.
    """
    at, reached = np.asarray(steps, np.float64), np.asarray(scores, np.float64) >= threshold
    for first in range(len(at) - in_a_row + 1):
        if reached[first : first + in_a_row].all():
            return Solved(float(at[first]), False, float(at[first - 1]) if first else 0.0)
    unsolved = at[~reached]
    after = float(unsolved[-1]) if len(unsolved) else 0.0
    return Solved(float(at[-1]) if len(at) else 0.0, True, after)


def kaplan_meier(times: Sequence[Solved]) -> tuple[Floats, Floats]:
    """The share of runs still unsolved after each time at which one was solved.

    Returns:
        times (K,) ascending and survival (K,); the survival before the first time is 1.
    """
    at = np.array([t.steps for t in times], np.float64)
    solved = np.array([not t.censored for t in times], np.bool_)
    events = np.unique(at[solved])
    # A run that was censored at t was still at risk at t.
    factors = [1 - (solved & (at == t)).sum() / (at >= t).sum() for t in events]
    return events, np.cumprod(factors) if factors else np.empty(0)


def median_steps(times: Sequence[Solved]) -> Solved:
    """The Kaplan-Meier median; censored at the longest time where half the runs never solved."""
    events, survival = kaplan_meier(times)
    reached = events[survival <= 0.5 + 1e-12]
    if reached.size:
        return Solved(float(reached[0]), False)
    return Solved(max(t.steps for t in times), True)


def restricted_mean(times: Sequence[Solved], budget: float) -> float:
    """Mean steps to solved within ``budget``: the area under the Kaplan-Meier curve up to it.

    Unsolved runs count as the budget, so that a censored arm has a finite figure that must be
    stated with its budget.
    """
    events, survival = kaplan_meier(times)
    inside = events < budget
    edges = np.concatenate([[0.0], events[inside], [budget]])
    heights = np.concatenate([[1.0], survival[inside]])
    return float(np.sum(np.diff(edges) * heights))


def probability_of_improvement(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """The probability that a run of ``first`` scores above one of ``second``; ties count half."""
    a = np.asarray(first, np.float64).ravel()[:, None]
    b = np.asarray(second, np.float64).ravel()[None, :]
    return float(np.mean((a > b) + 0.5 * (a == b)))
