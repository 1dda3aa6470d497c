"""Parity with SB3: cases scored from random to solved, and what a study's verdict says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from motley.scripts.main import main
from motley.studies import parity, study
from motley.studies.config import ConfigError
from motley.studies.folder import read_json
from motley.studies.spine import SPINE
from motley.studies.statistics import Interval, difference
from motley.studies.study import Contrast
from motley.studies.verdict import decide, verdict

pytest.importorskip("minigrid")
pytest.importorskip("sb3_contrib")


@pytest.mark.parametrize("name", parity.CASES)
def test_random_actions_score_nothing(name: str) -> None:
    env = gym.make(name)
    env.action_space.seed(0)
    scores = []
    for seed in range(60):
        env.reset(seed=seed)
        ended, total = False, 0.0
        while not ended:
            _, reward, terminated, truncated, info = env.step(env.action_space.sample())
            total += float(reward)
            ended = terminated or truncated
        case = parity.CASES[name]
        assert info["score01"] == pytest.approx((total - case.random) / (case.solved - case.random))
        scores.append(info["score01"])
    assert abs(float(np.mean(scores))) < 0.1


def test_a_masked_cartpole_hides_its_speeds() -> None:
    env = gym.make("parity/MaskedCartPole-v1")
    plain = gym.make("CartPole-v1")
    env.reset(seed=3)
    plain.reset(seed=3)
    seen, full = env.step(1)[0], plain.step(1)[0]
    assert seen[1] == seen[3] == 0 != full[1]
    assert (seen[0], seen[2]) == (full[0], full[2])


def test_both_learners_have_the_same_settings() -> None:
    for arms in parity.PARITY.arms.values():
        ours, theirs = (dict(arm.settings) for arm in arms.values())
        assert theirs.pop("batch_size") == theirs["n_steps"] * 8 // ours["n_minibatches"]
        assert theirs.items() <= ours.items()


def test_the_difference_of_means_is_that_of_its_normal_interval() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(1.0, 0.2, 200), rng.normal(0.7, 0.1, 300)
    found = difference(a, b)
    error = np.hypot(a.std() / np.sqrt(200), b.std() / np.sqrt(300))
    assert found.estimate == pytest.approx(a.mean() - b.mean())
    assert found.low == pytest.approx(found.estimate - 1.645 * error, abs=0.002)
    assert found.high == pytest.approx(found.estimate + 1.645 * error, abs=0.002)
    assert np.isnan(difference([1.0], [0.0, 1.0]).low)
    assert np.isnan(difference([], [1.0]).estimate)


@pytest.mark.parametrize(
    ("low", "high", "equivalent", "at_least", "at_most", "more"),
    [
        (-0.05, 0.05, "supported", "supported", "supported", "refuted"),
        (-0.05, 0.20, "inconclusive", "supported", "inconclusive", "inconclusive"),
        (0.15, 0.30, "refuted", "supported", "refuted", "supported"),
        (-0.20, 0.05, "inconclusive", "inconclusive", "supported", "refuted"),
        (-0.30, -0.15, "refuted", "refuted", "supported", "refuted"),
        (float("nan"), float("nan"), *4 * ("inconclusive",)),
    ],
)
def test_what_an_interval_decides(
    low: float, high: float, equivalent: str, at_least: str, at_most: str, more: str
) -> None:
    between = Interval((low + high) / 2, low, high)
    same = Contrast("a", "b", 0.1)
    assert decide(same, between, 10) == equivalent
    assert decide(replace(same, kind="at least"), between, 10) == at_least
    assert decide(replace(same, kind="at most"), between, 10) == at_most
    assert decide(replace(same, kind="more"), between, 10) == more
    assert decide(same, between, 9) == "inconclusive"


def test_from_runs_to_a_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs' processes know the study's environments, and too few seeds decide nothing."""
    name = "parity/CartPole-v1"
    short = {
        arm: replace(what, steps=512, settings={**what.settings, "n_steps": 32, "n_epochs": 1})
        for arm, what in parity.PARITY.arms[name].items()
    }
    small = replace(
        parity.PARITY, name="small", tasks=((name, None),), arms={name: short}, seeds=(0, 1),
        eval_every=256, eval_episodes=4,
    )  # fmt: skip
    monkeypatch.setitem(study.STUDIES, "small", small)
    where = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    assert main(["study", "verdict", "small", *where]) == 2  # nothing was run
    assert main(["study", "run", "small", *where]) == 0
    assert main(["study", "verdict", "small", *where]) == 0
    [found] = read_json(tmp_path / "results" / "small" / "verdict.json")["verdicts"]
    assert (found["first"], found["second"]) == ("feedforward", "PPO")
    assert found["seeds"] == [2, 2]
    assert found["verdict"] == "inconclusive"
    assert found["difference"][0] == pytest.approx(found["ends"][0] - found["ends"][1])
    with pytest.raises(ConfigError, match="states no contrasts"):
        verdict(SPINE, tmp_path)
