"""Ratios of steps to solved, against Student's test, SciPy's censored fits and simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import CensoredData, norm, t, ttest_ind

from motley.studies.statistics import Floats, Solved
from motley.studies.survival import ratio_of_ratios, steps_ratio

GRID, BUDGET = 20_000, 200_000
NEVER = [Solved(BUDGET, True, BUDGET)] * 10


def draw(rng: np.random.Generator, median: float, spread: float = 0.5) -> Floats:
    """Steps to solved of ten runs."""
    return np.exp(rng.normal(math.log(median), spread, 10))


def seen(steps: Floats, budget: float = BUDGET) -> list[Solved]:
    """What evaluations tell of them."""
    late = np.ceil(steps / GRID) * GRID
    return [
        Solved(x, False, x - GRID) if x <= budget else Solved(budget, True, budget) for x in late
    ]


def known(steps: Floats) -> list[Solved]:
    """Steps to solved as good as exactly."""
    return [Solved(x, False, x * (1 - 1e-5)) for x in steps]


def test_of_steps_that_are_known_it_is_students() -> None:
    rng = np.random.default_rng(0)
    first, second = draw(rng, 60_000), draw(rng, 100_000)
    # An arm that is the other one moved has its spread, and both are as good as one deviation.
    for other, within in ((first * 2, 1e-3), (second, 0.02)):
        found = steps_ratio(known(first), known(other))
        test = ttest_ind(np.log(other), np.log(first), equal_var=False)
        assert found.estimate == pytest.approx(np.exp(np.log(other / first).mean()), rel=1e-3)
        ends = np.exp(test.confidence_interval(0.9))
        assert (found.low, found.high) == pytest.approx(tuple(ends), rel=within)
        assert found.p == pytest.approx(test.pvalue / 2, rel=0.2)


def test_of_steps_between_evaluations_it_is_scipys_fit() -> None:
    rng = np.random.default_rng(1)
    arms = seen(draw(rng, 30_000)), seen(draw(rng, 160_000))
    assert any(run.censored for run in arms[1])
    assert any(run.after == 0 for run in arms[0])
    means = []
    for arm in arms:
        beyond = [np.log(run.after) for run in arm if run.censored]
        below = [np.log(run.steps) for run in arm if run.after == 0]
        between = [
            (np.log(run.after), np.log(run.steps))
            for run in arm
            if run.after > 0 and not run.censored
        ]
        mean, _ = norm.fit(CensoredData(interval=between, right=beyond, left=below))
        means.append(mean)
    assert steps_ratio(*arms).estimate == pytest.approx(np.exp(means[1] - means[0]), rel=0.01)


def test_arms_that_are_alike_are_seldom_told_apart() -> None:
    """Also where runs are cut off and spreads differ; more than 4 of 24 at 5% are not by chance."""
    rng = np.random.default_rng(2)
    found = [
        steps_ratio(seen(draw(rng, 150_000, a)), seen(draw(rng, 150_000, b)))
        for a, b in [(0.5, 0.5), (1.0, 0.2)] * 12
    ]
    assert sum(one.low > 1 for one in found) <= 4
    assert sum(one.high < 1 for one in found) <= 4
    assert all((one.p < 0.05) == (one.low > 1) for one in found)


def test_the_interval_holds_the_truth() -> None:
    rng = np.random.default_rng(3)
    found = [steps_ratio(seen(draw(rng, 60_000)), seen(draw(rng, 120_000))) for _ in range(24)]
    assert 18 <= sum(one.low <= 2 <= one.high for one in found) <= 24
    assert sum(one.low > 1 for one in found) > 12


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
    assert steps_ratio(some, [Solved(2 * BUDGET, True, 2 * BUDGET)] * 10).low > 1.5 * ratio.low


def test_where_nothing_is_known_nothing_is_said() -> None:
    once = [Solved(20, True, 0)] * 5  # at the threshold in the only evaluation
    some = [Solved(20, False, 10)] * 5
    for arms in ((NEVER, NEVER), ([], []), ([], some), (some[:1], some[:1]), (once, some)):
        ratio = steps_ratio(*arms)
        assert math.isnan(ratio.estimate)
        assert math.isnan(ratio.p)
        assert (ratio.low, ratio.high) == (0, math.inf)
    with pytest.raises(ValueError, match="solved before it had learnt"):
        steps_ratio([Solved(0, False)] * 3, NEVER)


def test_runs_that_are_all_alike_are_as_far_apart_as_evaluations() -> None:
    """Two arms solved between the same two evaluations may differ by all that lies between."""
    alike, later = [Solved(60_000, False, 40_000)] * 10, [Solved(120_000, False, 100_000)] * 10
    ratio = steps_ratio(alike, alike)
    assert ratio.estimate == pytest.approx(1, rel=1e-3)
    assert (ratio.low, ratio.high) == pytest.approx((40 / 60, 60 / 40), rel=0.01)
    ratio = steps_ratio(alike, later)  # the middle of what may be
    assert ratio.estimate == pytest.approx(math.sqrt(100 / 60 * 120 / 40), rel=0.01)
    at_once = [Solved(60_000, False)] * 10
    assert steps_ratio(at_once, later).estimate == math.inf
    assert steps_ratio(at_once, later).low == pytest.approx(100 / 60, rel=0.01)


def test_an_interaction_of_steps_that_are_known_is_that_of_mean_logs() -> None:
    rng = np.random.default_rng(6)
    logs = [np.log(draw(rng, 50_000 * (k + 1), 0.2 + 0.2 * k)) for k in range(4)]
    found = ratio_of_ratios(*(known(np.exp(x)) for x in logs))
    parts = np.array([x.var(ddof=1) / 10 for x in logs])
    estimate = logs[1].mean() - logs[0].mean() - logs[3].mean() + logs[2].mean()
    freedom = parts.sum() ** 2 / (parts**2 / 9).sum()
    reach = t.ppf(0.95, freedom) * np.sqrt(parts.sum())
    expected = np.exp([estimate, estimate - reach, estimate + reach])
    np.testing.assert_allclose(found[:3], expected, rtol=2e-3)
    assert found.p == pytest.approx(t.sf(estimate / np.sqrt(parts.sum()), freedom), abs=2e-3)


def test_where_two_helps_add_up_an_interaction_is_seldom_found() -> None:
    """Also where the worst arm is cut off in a fifth of its runs, and spreads differ.

    There a contrast that takes the budget for a time finds one in most studies, if the helps are
    large and runs many; here more than 6 of 60 at 5% on a side are not by chance (p < 0.05).
    """
    rng, medians, spreads = np.random.default_rng(7), (20_000, 60_000, 45_000, 135_000), (0.3, 0.6)
    found, kept = [], 0
    for _ in range(120):
        cells = [
            seen(draw(rng, median, spreads[k % 2]), 240_000) for k, median in enumerate(medians)
        ]
        if sum(not run.censored for run in cells[3]) >= 8:
            found.append(ratio_of_ratios(*cells))
        kept += any(run.censored for run in cells[3])
        if len(found) == 60:
            break
    assert kept > 10
    assert sum(one.low > 1 for one in found) <= 6
    assert sum(one.high < 1 for one in found) <= 6
    assert all((one.p < 0.05) == (one.low > 1) for one in found)


def test_an_interaction_that_is_there_is_found() -> None:
    rng = np.random.default_rng(8)
    medians = (20_000, 160_000, 60_000, 120_000)  # 8 times over 2 times
    found = [
        ratio_of_ratios(*(seen(draw(rng, m, 0.3), 600_000) for m in medians)) for _ in range(12)
    ]
    assert sum(one.low > 1 for one in found) >= 11
    assert sum(one.low <= 4 <= one.high for one in found) >= 9


def test_an_interaction_of_runs_that_are_all_alike_is_told_as_far_as_evaluations_do() -> None:
    """Of arms solved between the same two evaluations, or on both sides of one."""
    cells = [[Solved(k * GRID, False, (k - 1) * GRID)] * 10 for k in (2, 4, 4, 8)]
    found = ratio_of_ratios(*cells)
    assert 0.8 < found.low < found.estimate < found.high < 1.6
    cells[1][:5] = [Solved(5 * GRID, False, 4 * GRID)] * 5
    wider = ratio_of_ratios(*cells)
    assert found.estimate < wider.estimate < 1.5
    assert wider.high / wider.low < 2.0


def test_no_interaction_is_told_of_runs_that_were_cut_off() -> None:
    some = seen(draw(np.random.default_rng(9), 60_000))
    cut = [*some[:7], *NEVER[:3]]
    with pytest.raises(ValueError, match="the fourth arm was solved by 7 of 10 runs"):
        ratio_of_ratios(some, some, some, cut)
    with pytest.raises(ValueError, match="a run of the first arm was solved before it had learnt"):
        ratio_of_ratios([Solved(0, False), *some[1:]], some, some, some)
