"""A bar is judged by what the episodes can tell, not by their mean alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from motley.envs.calibration import Scores
from motley.envs.tasks.gate_maze import GateMaze
from motley.studies.bars import Bar, bars, standard_error
from motley.studies.controls import Control
from motley.studies.statistics import bounded_mean


def coin(p: float, n: int, seed: int) -> Any:
    return (np.random.default_rng(seed).random(n) < p).astype(np.float64)


def judged(found: Scores, control: Control | None = None) -> dict[str, Bar]:
    """The bars by who has to reach them, at a chance of 0.5."""
    names = ["oracle", "observer"][: 1 + (found.observer is not None)]
    names += [*found.heuristics, *["memoryless"] * (control is not None)]
    return dict(zip(names, bars(GateMaze(), found, control), strict=True))


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


def test_few_episodes_decide_nothing_that_is_close_and_many_do() -> None:
    few, many = (judged(scores(n)) for n in (20, 1000))
    assert {name: bar.verdict for name, bar in few.items()} == dict.fromkeys(few, "undecided")
    assert {name: bar.verdict for name, bar in many.items()} == dict.fromkeys(many, "holds")
    broken = judged(scores(40, oracle=0.6, shortcut=1.0))
    assert broken["oracle"].verdict == broken["guess"].verdict == "fails"
    assert "the oracle scores 0." in broken["oracle"].text
    assert "(bar: 0.95 or more)" in broken["oracle"].text


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


@pytest.mark.parametrize(("missed", "verdict"), [(0, "holds"), (1, "fails")])
def test_a_bar_at_the_end_of_the_scale_can_be_met(
    missed: int, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GateMaze, "oracle_bar", 1.0)
    oracle = np.ones(50)
    oracle[:missed] = 0.9
    assert judged(Scores(oracle, np.zeros(50), None, {}))["oracle"].verdict == verdict


def test_how_many_episodes_would_decide() -> None:
    bar = judged(scores(200, oracle=0.97))["oracle"]
    assert bar.verdict == "undecided"
    assert 400 < bar.enough < 40_000
    assert judged(scores(1000))["oracle"].enough < 1000


def test_a_stored_control_counts_with_its_own_episodes() -> None:
    def found(score: float, episodes: int) -> str:
        control = Control(2, "memoryless", 1, 1, 0, episodes, score, score)
        return judged(scores(1000), control)["memoryless"].verdict

    assert (found(0.5, 500), found(0.8, 500)) == ("holds", "fails")
    assert found(0.5, 20) == found(0.8, 5) == "undecided"
    few = judged(scores(1000), Control(2, "memoryless", 1, 1, 0, 20, 0.5, 0.5))["memoryless"]
    assert np.isinf(few.enough)  # it is the control's own episodes that are too few


def test_standard_errors() -> None:
    assert standard_error(np.array([0.0, 1.0, 1.0, 0.0])) == pytest.approx(np.sqrt(1 / 3) / 2)
    assert np.isnan(standard_error(np.ones(1)))
