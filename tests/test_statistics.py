"""Statistics against hand-made answers and slow references."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from motley.studies.statistics import (
    Solved,
    bootstrap,
    bootstrap_curve,
    difference,
    holm,
    interquartile_mean,
    kaplan_meier,
    median_steps,
    p_above,
    probability_of_improvement,
    restricted_mean,
    spread,
    spread_curve,
    standard_error,
    steps_to_solved,
)


def test_standard_errors() -> None:
    assert standard_error(np.array([0.0, 1.0, 1.0, 0.0])) == pytest.approx(np.sqrt(1 / 3) / 2)
    assert np.isnan(standard_error(np.ones(1)))


def test_interquartile_mean_is_the_mean_of_the_middle_half() -> None:
    assert interquartile_mean([0, 0, 1, 2, 3, 4, 100, 100]) == 2.5
    assert interquartile_mean([[5.0]]) == 5.0
    assert interquartile_mean([1.0, float("nan"), 3.0]) == 2.0
    assert np.isnan(interquartile_mean([float("nan")]))


def test_bootstrap_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for trial in range(150):
        found = bootstrap([rng.normal(1.0, 1.0, 24)], lambda x: float(x.mean()), 300, trial)
        assert found.low <= found.estimate <= found.high
        covered.append(found.low <= 1.0 <= found.high)
    assert 0.87 <= np.mean(covered) <= 0.99


def test_bootstrap_draws_within_strata() -> None:
    # Each stratum is constant, so no resampling within strata can change the mean.
    found = bootstrap([[0.0] * 5, [1.0] * 5], lambda x: float(x.mean()))
    assert found == (0.5, 0.5, 0.5)


def test_a_band_is_the_bootstrap_at_each_point() -> None:
    rows = np.random.default_rng(3).normal(size=(8, 5))
    estimate, low, high = bootstrap_curve(rows, 2000)
    for k in range(5):
        point = bootstrap([rows[:, k]], resamples=2000)
        assert estimate[k] == pytest.approx(point.estimate)
        assert (low[k], high[k]) == pytest.approx((point.low, point.high), abs=0.1)
    assert np.isnan(bootstrap_curve(rows[:1])[1:]).all()


def test_few_runs_have_a_range_and_no_interval() -> None:
    rows = np.random.default_rng(4).normal(size=(10, 3))
    of_curve = spread_curve(rows)
    np.testing.assert_array_equal(of_curve, bootstrap_curve(rows))
    estimate, low, high = spread_curve(rows[:9])
    np.testing.assert_array_equal(estimate, bootstrap_curve(rows[:9])[0])
    np.testing.assert_array_equal((low, high), (rows[:9].min(0), rows[:9].max(0)))
    assert np.isnan(spread_curve(rows[:1])[1:]).all()
    of_ten, of_nine, of_one = (spread(rows[:n, 0]) for n in (10, 9, 1))
    np.testing.assert_allclose(of_ten, of_curve[:, 0], atol=0.1)
    assert of_ten.low > rows[:, 0].min()
    assert of_nine.estimate == pytest.approx(estimate[0])
    assert of_nine[1:] == (rows[:9, 0].min(), rows[:9, 0].max())
    assert of_one.estimate == rows[0, 0]
    assert np.isnan(of_one[1:]).all()


def test_one_run_has_no_interval() -> None:
    found = bootstrap([[0.7]])
    assert found.estimate == 0.7
    assert np.isnan(found.low)
    assert np.isnan(found.high)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.1, 0.8, 0.9, 0.2], Solved(20, False, after=10)),
        ([0.9, 0.1, 0.8, 0.8], Solved(30, False, after=20)),  # a single one does not count
        ([0.1, 0.1, 0.1, 0.9], Solved(40, True, after=30)),  # nothing confirms the last
        ([0.1, 0.79, 0.79, 0.79], Solved(40, True, after=40)),
        ([float("nan")] * 4, Solved(40, True, after=40)),
        ([0.8, 0.8], Solved(10, False)),
        ([0.9], Solved(10, True)),
        ([], Solved(0, True)),
    ],
)
def test_steps_to_solved(scores: list[float], expected: Solved) -> None:
    assert steps_to_solved([10.0, 20.0, 30.0, 40.0][: len(scores)], scores) == expected


def test_a_censored_time_is_written_as_a_bound() -> None:
    assert str(Solved(400_000, True)) == "≥ 400,000"
    assert str(Solved(400_000, False)) == "400,000"


def test_kaplan_meier_against_a_textbook_example() -> None:
    # Six runs: solved at 1, 3, 3; censored at 2, 4; solved at 5.
    times = [Solved(t, bool(c)) for t, c in [(1, 0), (2, 1), (3, 0), (3, 0), (4, 1), (5, 0)]]
    at, survival = kaplan_meier(times)
    np.testing.assert_array_equal(at, [1, 3, 5])
    np.testing.assert_allclose(survival, [5 / 6, 5 / 6 * 2 / 4, 0.0])
    assert median_steps(times) == Solved(3, False)


def test_kaplan_meier_agrees_with_scipy() -> None:
    from scipy.stats import CensoredData, ecdf

    rng = np.random.default_rng(1)
    for _ in range(20):
        steps = rng.integers(1, 12, 15).astype(float)
        censored = rng.random(15) < 0.4
        at, survival = kaplan_meier(
            [Solved(s, bool(c)) for s, c in zip(steps, censored, strict=True)]
        )
        reference = ecdf(CensoredData(uncensored=steps[~censored], right=steps[censored])).sf
        np.testing.assert_allclose(survival, reference.evaluate(at), atol=1e-12)


def test_restricted_mean() -> None:
    observed = [Solved(t, False) for t in (10, 20, 60)]
    assert restricted_mean(observed, 100) == pytest.approx(30)
    assert restricted_mean(observed, 40) == pytest.approx((10 + 20 + 40) / 3)
    assert restricted_mean([Solved(100, True)] * 3, 100) == 100


def test_a_censored_arm_never_becomes_a_number() -> None:
    unsolved = [Solved(50, True)] * 3 + [Solved(10, False)]
    assert median_steps(unsolved) == Solved(50, True)
    assert median_steps([Solved(50, True)]).censored


def test_probability_of_improvement() -> None:
    assert probability_of_improvement([2, 3], [0, 1]) == 1.0
    assert probability_of_improvement([1], [1]) == 0.5
    assert probability_of_improvement([0, 2], [1]) == 0.5


def test_the_p_of_being_above_is_that_of_welchs_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(1.0, 0.2, 10), rng.normal(0.7, 0.1, 12)
    for margin in (0.0, 0.2, 0.5):
        theirs = ttest_ind(a - margin, b, equal_var=False, alternative="greater")
        assert p_above(a, b, margin) == pytest.approx(theirs.pvalue)
    edge = difference(a, b).low
    assert p_above(a, b, edge - 1e-6) < 0.05 < p_above(a, b, edge + 1e-6)
    assert (p_above([1.0, 1.0], [0.0, 0.0]), p_above([1.0, 1.0], [1.0, 1.0])) == (0.0, 1.0)
    assert np.isnan(p_above([1.0], [0.0, 0.5]))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).size == 0


def test_among_arms_that_are_alike_holm_seldom_finds_one() -> None:
    """Six contrasts with the same arm, as in a study; uncorrected one in five is a find."""
    rng, found = np.random.default_rng(0), []
    for _ in range(500):
        scores = rng.normal(0.5, 0.1, (7, 10))
        p = [p_above(first, scores[0]) for first in scores[1:]]
        found.append((min(p) < 0.05, holm(p).min() < 0.05))
    plain, corrected = np.mean(found, axis=0)
    assert corrected < 0.07 < 0.15 < plain
