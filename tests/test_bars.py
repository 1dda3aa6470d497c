"""A bar is judged by what the episodes can tell, not by their mean alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from motley.envs.calibration import Scores
from motley.envs.tasks.role_bind import RoleBind
from motley.scripts.audit import advice, how_many
from motley.studies.bars import Bar, bars, judge, stored_mean
from motley.studies.controls import Control
from motley.studies.statistics import Interval, bounded_mean


def coin(p: float, n: int, seed: int) -> Any:
    return (np.random.default_rng(seed).random(n) < p).astype(np.float64)


def judged(found: Scores, control: Control | None = None) -> dict[str, Bar]:
    """The bars by who has to reach them, at a chance of 0.5."""
    names = ["oracle", "observer"][: 1 + (found.observer is not None)]
    names += [*found.heuristics, *["memoryless"] * (control is not None)]
    return dict(zip(names, bars(RoleBind(level=1), found, control), strict=True))


def scores(n: int, oracle: float = 1.0, observer: float = 1.0, shortcut: float = 0.5) -> Scores:
    return Scores(
        coin(oracle, n, 1), coin(0.3, n, 2), coin(observer, n, 3), {"guess": coin(shortcut, n, 4)}
    )


def test_a_mean_of_bounded_scores_covers_the_truth() -> None:
    for p, n in ((0.5, 20), (0.95, 20), (0.99, 200), (0.3, 100)):
        inside = [
            i.low <= p <= i.high for i in (bounded_mean(coin(p, n, k), 0, 1) for k in range(500))
        ]
        assert np.mean(inside) > 0.93, (p, n)
    certain = bounded_mean(np.ones(20), 0, 1)
    assert (certain.estimate, certain.high) == (1.0, 1.0)
    assert 0.7 < certain.low < 0.9  # twenty of twenty: Clopper and Pearson have 0.83
    assert bounded_mean(np.ones(1000), 0, 1).low > 0.99
    assert bounded_mean([0.5], 0, 1).high - bounded_mean([0.5], 0, 1).low > 0.9
    a, b = bounded_mean(coin(0.4, 50, 0), 0, 1), bounded_mean(10 * coin(0.4, 50, 0) - 5, -5, 5)
    np.testing.assert_allclose(10 * np.array(a) - 5, b)


@pytest.mark.parametrize(("ones", "zeros"), [(0, 20), (0, 500), (13, 87), (5, 0)])
def test_the_interval_of_a_stored_mean_is_that_of_its_zeros_and_ones(ones: int, zeros: int) -> None:
    found = np.repeat([1.0, 0.0], [ones, zeros])
    stored = stored_mean(float(found.mean()), found.size)
    np.testing.assert_allclose(stored, bounded_mean(found, 0, 1), atol=1e-12)


def test_an_interval_is_students_with_two_more_scores_at_either_end() -> None:
    found = np.random.default_rng(0).random(30)
    more = np.concatenate([found, [0.0, 0.0, 1.0, 1.0]])
    expected = ttest_1samp(more, 0.5).confidence_interval(0.95)
    interval = bounded_mean(found, 0, 1)
    assert interval.low == pytest.approx(expected.low)
    assert interval.high == pytest.approx(expected.high)
    np.testing.assert_allclose(bounded_mean(found, 0, 1, 90), bounded_mean(np.tile(found, 3), 0, 1))


def test_few_episodes_decide_nothing_that_is_close_and_many_do() -> None:
    few, many = (judged(scores(n)) for n in (20, 1000))
    assert {name: bar.verdict for name, bar in few.items()} == dict.fromkeys(few, "undecided")
    assert {name: bar.verdict for name, bar in many.items()} == dict.fromkeys(many, "holds")
    broken = judged(scores(40, oracle=0.6, shortcut=1.0))
    assert broken["oracle"].verdict == broken["guess"].verdict == "fails"
    assert "the oracle scores 0." in broken["oracle"].text
    assert "(bar: 0.95 or more)" in broken["oracle"].text


@pytest.mark.parametrize(
    ("oracle", "random", "verdict"),
    [(0.0, 1.0, "fails"), (0.2, 0.5, "fails"), (0.99, 1.0, "undecided"), (1.0, 1.0, "undecidable")],
)
def test_an_oracle_no_better_than_random_is_told_and_nobody_measured_by_it(
    oracle: float, random: float, verdict: str
) -> None:
    n = np.ones(200)
    control = Control(2, "memoryless", 1, 1, 0, 200, 0.5, 0.5)
    found = Scores(oracle * n, random * n, 0.5 * n, {"guess": 0.5 * n})
    reached, above = bars(RoleBind(level=1), found, control)
    assert reached.verdict == ("holds" if oracle > 0.95 else "fails")
    assert f"the oracle scores {oracle - random:.3f} more than random" in above.text
    assert above.verdict == verdict


def test_noise_is_no_failure() -> None:
    """A shortcut at chance fails hardly ever, though its mean is above the bar again and again."""
    above = failed = 0
    for seed in range(0, 2000, 10):
        oracle, random, guess = np.ones(20), coin(0.3, 20, seed), coin(0.5, 20, seed + 1)
        bar = judged(Scores(oracle, random, None, {"guess": guess}))["guess"]
        above += bar.margin.estimate < 0
        failed += bar.verdict == "fails"
    assert above > 40
    assert failed <= 5


def test_scores_of_the_same_seeds_are_compared_seed_by_seed() -> None:
    """An observer that does a little worse than the oracle in each episode, easy or hard."""
    oracle = np.linspace(0.5, 1.0, 200)
    both = judged(Scores(oracle, np.zeros(200), 0.95 * oracle, {}))
    shuffled = judged(Scores(oracle, np.zeros(200), 0.95 * oracle[::-1], {}))
    width = [bar.margin.high - bar.margin.low for bar in (both["observer"], shuffled["observer"])]
    assert both["observer"].verdict == "holds"
    assert width[0] < width[1]


@pytest.mark.parametrize("least", [0.95, 1 - 1e-9, 1.0])
@pytest.mark.parametrize("episodes", [1, 5])
def test_a_few_perfect_episodes_prove_nothing_wherever_the_bar_lies(
    least: float, episodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RoleBind, "oracle_bar", least)
    found = Scores(np.ones(episodes), np.zeros(episodes), None, {})
    # On a bar of 1, which no task may have, they would stay for ever.
    assert judged(found)["oracle"].verdict == ("undecidable" if least == 1 else "undecided")


@pytest.mark.parametrize("least", [1.0, 1.1, -0.1, float("nan")])
def test_a_bar_that_cannot_be_shown_to_be_reached_is_refused(least: float) -> None:
    with pytest.raises(ValueError, match=rf"Sure.oracle_bar is {least}: give .* below 1"):
        type("Sure", (RoleBind,), {"oracle_bar": least})


@pytest.mark.parametrize(
    ("missed", "episodes", "enough"), [(0, 20, 92), (0, 50, 92), (6, 200, 483), (0, 92, 92)]
)
def test_how_many_episodes_would_decide(missed: int, episodes: int, enough: int) -> None:
    """Most of all near the end of the scale, where the interval is clipped."""
    scores = np.repeat([0.0, 1.0], [missed, episodes - missed])
    bar = Bar("", scores - 0.95, -0.95, 0.05)
    assert bar.enough == enough
    if episodes < enough:
        assert bar.verdict == "undecided"
        assert judge(bar.after(enough - 1)) == "undecided"
    assert judge(bar.after(enough)) == "holds"


def test_a_tie_in_every_episode_is_decided_by_no_number_of_them() -> None:
    tie = Scores(np.linspace(0, 1, 50), np.linspace(0, 1, 50), None, {})
    *_, bar = bars(RoleBind(level=1), tie)
    assert bar.verdict == "undecidable"
    assert "in every episode, and no number of such episodes decides it" in advice(bar)
    for episodes in (10**3, 10**6, 10**9):
        assert judge(bar.after(episodes)) == "undecided"
    almost = bar._replace(cleared=np.where(np.arange(50) == 0, 0.1, 0.0))
    assert almost.verdict == "undecided"
    *_, rounded = bars(
        RoleBind(level=1), Scores(np.full(50, 0.1 + 0.2), np.full(50, 0.3), None, {})
    )
    assert rounded.cleared.mean() > 0
    assert (rounded.verdict, rounded.text) == (bar.verdict, bar.text)


def test_a_mean_that_is_on_the_bar_by_chance_is_moved_by_more_episodes() -> None:
    def bar(missed: int, episodes: int) -> Bar:
        return Bar("", np.repeat([-0.95, 0.05], [missed, episodes - missed]), -0.95, 0.05)

    assert bar(1, 20).verdict == "undecided"
    assert advice(bar(1, 20)) == "give more --episodes; how many, these do not tell"
    assert bar(2, 300).verdict == "holds"


def test_as_many_episodes_as_advised_decide() -> None:
    """Whatever the bar: played in the same proportions, so many decide and half of them do not."""
    asked = 0
    stored = Interval(0.01, 0.005, 0.015)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        scores = rng.choice([0.0, rng.random(), 1.0], 40)
        bar = Bar("", scores - scores.mean() + rng.normal(0, 0.1), -1, 1, stored)
        if bar.verdict != "undecided" or np.isinf(bar.enough):
            continue
        asked += 1
        assert bar.enough > 40
        times = int(np.ceil(bar.enough / 40))
        assert bar._replace(cleared=np.tile(bar.cleared, times)).verdict != "undecided"
        fewer = bar._replace(cleared=np.tile(bar.cleared, max(times // 2, 1)))
        assert fewer.verdict == "undecided"
    assert asked > 10


def test_a_mean_close_to_its_bar_is_told_by_its_difference_and_no_number_of_episodes() -> None:
    def bar(episodes: int) -> Bar:
        return Bar("", np.resize([-0.4, 0.404], episodes), -1.0, 1.0)

    many, few = bar(2000), bar(50)
    assert many.verdict == few.verdict == "undecided"
    assert min(many.enough, few.enough) > 100_000
    assert advice(many).startswith("as good as on the bar, cleared by 0.0020 (95% interval")
    assert advice(few) == "give more --episodes; how many, these do not tell"
    missed = many._replace(cleared=-many.cleared)
    assert "missed by 0.0020" in advice(missed)
    assert not bar(2000)._replace(cleared=many.cleared + 0.02).near


def test_the_advice_is_never_rounded_down() -> None:
    assert "about 92" in how_many(92)
    assert "about 490" in how_many(483)
    assert "about 1,300" in how_many(1201)


def test_a_stored_control_counts_with_its_own_episodes() -> None:
    def found(score: float, episodes: int) -> str:
        control = Control(2, "memoryless", 1, 1, 0, episodes, score, score)
        return judged(scores(1000), control)["memoryless"].verdict

    assert (found(0.5, 500), found(0.8, 500)) == ("holds", "fails")
    assert found(0.5, 20) == found(0.8, 5) == "undecidable"
    few = judged(scores(1000), Control(2, "memoryless", 1, 1, 0, 20, 0.5, 0.5))["memoryless"]
    assert "an agent without a memory (one training) scores 0.500" in few.text
    assert np.isinf(few.enough)
    assert advice(few).endswith("those in which that agent was scored are too few")

    def perfect(n: int) -> str:
        control = Control(2, "memoryless", 1, 1, 0, 500, 0.57, 0.57)
        found = Scores(np.ones(n), np.zeros(n), None, {})
        return judged(found, control)["memoryless"].verdict

    # Of two episodes the mean may yet move away from the control's; of a thousand it hardly does.
    assert (perfect(2), perfect(1000)) == ("undecided", "undecidable")
