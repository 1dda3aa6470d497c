"""Ratios of steps to solved, against Student's test, SciPy's censored fits and simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import CensoredData, norm, ttest_ind

from motley.studies.statistics import Floats, Solved
from motley.studies.survival import steps_ratio

GRID, BUDGET = 20_000, 200_000
NEVER = [Solved(BUDGET, True)] * 10


def draw(rng: np.random.Generator, median: float, spread: float = 0.5) -> Floats:
    """Steps to solved of ten runs."""
    return np.exp(rng.normal(math.log(median), spread, 10))


def seen(steps: Floats, budget: float = BUDGET) -> list[Solved]:
    """What evaluations tell of them."""
    late = np.ceil(steps / GRID) * GRID
    return [Solved(x, False, x - GRID) if x <= budget else Solved(budget, True) for x in late]


def test_of_steps_that_are_known_it_is_students() -> None:
    rng = np.random.default_rng(0)
    first, second = draw(rng, 60_000), draw(rng, 100_000)
    one, other = ([Solved(x, False, x * (1 - 1e-5)) for x in arm] for arm in (first, second))
    found = steps_ratio(one, other)
    student = ttest_ind(np.log(second), np.log(first), alternative="greater")
    assert found.estimate == pytest.approx(np.exp(np.log(second / first).mean()), rel=1e-4)
    assert found.p == pytest.approx(student.pvalue, rel=1e-4)
    both = ttest_ind(np.log(second), np.log(first)).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx(tuple(np.exp(both)), rel=1e-4)


def test_of_steps_between_evaluations_it_is_scipys_fit() -> None:
    rng = np.random.default_rng(1)
    arms = seen(draw(rng, 30_000)), seen(draw(rng, 160_000))
    assert any(run.censored for run in arms[1])
    assert any(run.after == 0 for run in arms[0])

    def worse(shift: float) -> float:
        """Minus the likelihood with the second arm moved by a ratio, as SciPy fits one normal."""
        log = [
            (np.log(run.after or 1e-300) - shift * k, np.log(run.steps) - shift * k, run)
            for k, arm in enumerate(arms)
            for run in arm
        ]
        beyond = [high for _, high, run in log if run.censored]
        below = [high for _, high, run in log if not run.censored and run.after == 0]
        between = [(low, high) for low, high, run in log if not run.censored and run.after > 0]
        mean, deviation = norm.fit(CensoredData(interval=between, right=beyond, left=below))
        fitted = norm(mean, deviation)
        total = fitted.logsf(beyond).sum() + fitted.logcdf(below).sum()
        return -float(total + sum(np.log(fitted.cdf(b) - fitted.cdf(a)) for a, b in between))

    best = minimize_scalar(worse, bounds=(-1.0, 4.0), method="bounded")
    assert steps_ratio(*arms).estimate == pytest.approx(math.exp(best.x), rel=1e-3)


def test_arms_that_are_alike_are_seldom_told_apart() -> None:
    """Also where a third of the runs are cut off; more than 5 of 40 at 5% are not by chance."""
    rng = np.random.default_rng(2)
    found = [steps_ratio(seen(draw(rng, 150_000)), seen(draw(rng, 150_000))) for _ in range(40)]
    assert sum(one.low > 1 for one in found) <= 5
    assert sum(one.high < 1 for one in found) <= 5
    assert all((one.p < 0.05) == (one.low > 1) for one in found)


def test_the_interval_holds_the_truth() -> None:
    rng = np.random.default_rng(3)
    found = [steps_ratio(seen(draw(rng, 60_000)), seen(draw(rng, 120_000))) for _ in range(40)]
    assert 31 <= sum(one.low <= 2 <= one.high for one in found) <= 39
    assert sum(one.low > 1 for one in found) > 25


def test_an_arm_that_never_solves_is_a_bound_and_no_number() -> None:
    some = seen(draw(np.random.default_rng(4), 60_000))
    ratio = steps_ratio(some, NEVER)
    assert (ratio.estimate, ratio.high) == (math.inf, math.inf)
    assert 1 < ratio.low < BUDGET / 20_000
    assert ratio.p < 1e-3
    other = steps_ratio(NEVER, some)
    assert (other.estimate, other.low) == (0, 0)
    assert other.high == pytest.approx(1 / ratio.low, rel=1e-3)
    # The bound is the budget's: with twice of that it lies higher.
    assert steps_ratio(some, [Solved(2 * BUDGET, True)] * 10).low > 1.5 * ratio.low


def test_where_nothing_is_known_nothing_is_said() -> None:
    for arms in ((NEVER, NEVER), ([], []), ([Solved(20, False)], [Solved(30, False)])):
        ratio = steps_ratio(*arms)
        assert math.isnan(ratio.estimate)
        assert math.isnan(ratio.p)
        assert (ratio.low, ratio.high) == (0, math.inf)
    with pytest.raises(ValueError, match="solved before it had learnt"):
        steps_ratio([Solved(0, False)] * 3, NEVER)


def test_runs_that_are_all_alike_are_as_far_apart_as_evaluations() -> None:
    """Two arms solved between the same two evaluations may differ by all that lies between."""
    alike = [Solved(60_000, False, 40_000)] * 10
    ratio = steps_ratio(alike, alike)
    assert ratio.estimate == pytest.approx(1)
    assert (ratio.low, ratio.high) == pytest.approx((40 / 60, 60 / 40), rel=0.01)
