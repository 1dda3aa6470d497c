"""Parity with SB3: cases scored from random to solved, and what a study's verdict says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from scipy.stats import ttest_ind
from stable_baselines3 import PPO

from motley.scripts.main import main
from motley.studies import parity, peers, study
from motley.studies.config import ConfigError, build_agent
from motley.studies.folder import read_json
from motley.studies.scored import CASES
from motley.studies.spine import SPINE
from motley.studies.statistics import Interval, difference
from motley.studies.study import Contrast
from motley.studies.verdict import decide, ending, verdict

pytest.importorskip("minigrid")
pytest.importorskip("sb3_contrib")


@pytest.mark.parametrize("name", CASES)
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
        case = CASES[name]
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


@pytest.mark.parametrize("entropy", [0.0, 0.01])
def test_both_learners_without_memory_are_alike(entropy: float) -> None:
    name, ending = parity.VARIED, "_entropy" if entropy else ""
    ours, theirs = (
        parity.PARITY.config(name, None, parity.PARITY.arms[name][arm + ending], seed=0)
        for arm in ("feedforward", "PPO")
    )
    agent, peer = build_agent(ours), peers.build(theirs)
    assert isinstance(peer, PPO)
    values = sum(p.numel() for p in agent.learner.heads.parameters())
    assert agent.n_parameters + values == sum(p.numel() for p in peer.policy.parameters())
    settings = agent.settings
    assert agent.n_steps == peer.n_steps
    assert agent.n_steps * agent.n_envs // settings.n_minibatches == peer.batch_size
    assert (settings.n_epochs, settings.gamma) == (peer.n_epochs, peer.gamma)
    assert (settings.gae_lambda, settings.target_kl) == (peer.gae_lambda, peer.target_kl)
    assert settings.max_grad_norm == peer.max_grad_norm
    assert not settings.clip_by_area
    assert not settings.normalise_returns
    clip_range: Any = peer.clip_range
    for part in (1.0, 0.5, 0.0):
        assert agent.lr_schedule(part) == peer.lr_schedule(part)
        assert agent.clip_range == clip_range(part)
    value = agent.learner.costs["value_reward"]
    assert value.weight == peer.vf_coef
    assert peer.ent_coef == entropy
    assert agent.learner.costs.keys() - {"entropy"} == {"reward", "value_reward"}
    assert entropy == (agent.learner.costs["entropy"].weight if entropy else 0)
    assert agent.learner.optimizer.defaults["eps"] == peer.policy.optimizer.defaults["eps"]


def test_the_interval_of_a_difference_holds_at_ten_runs() -> None:
    """Nine intervals in ten hold the truth, where a bootstrap's do in eight."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(1.0, 0.2, 10), rng.normal(0.7, 0.1, 12)
    theirs = ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    assert difference(a, b)[1:] == pytest.approx((theirs.low, theirs.high))
    held = 0
    for _ in range(2_000):
        found = difference(rng.normal(1.0, 0.2, 10), rng.normal(0.7, 0.1, 10))
        held += found.low < 0.3 < found.high
    assert 0.885 < held / 2_000 < 0.915
    assert difference([1.0, 2.0], [1.0, 1.0]).estimate == 0.5
    assert difference([1.0, 1.0], [1.0, 1.0]) == (0.0, 0.0, 0.0)
    assert np.isnan(difference([1.0], [0.0, 1.0]).low)
    assert np.isnan(difference([], [1.0]).estimate)


def test_the_end_of_a_run_is_told_by_its_steps() -> None:
    whole = [(0, 0.0), (50, 0.5), (100, 1.0)]
    assert ending(whole, 0.25) == 1.0
    assert ending(whole, 0.6) == 0.75
    assert ending(whole, 1.0) == 0.75  # but for what came before training


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
        eval_every=256, eval_episodes=4, contrasts=parity.PARITY.contrasts[:1],
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
    assert found["difference"][0] == pytest.approx(found["means"][0] - found["means"][1])
    assert found["unfinished_runs"] == 0
    with (tmp_path / "results" / "small" / "curves.csv").open() as file:
        *rows, _, _ = file.readlines()  # a run that stopped short
    (tmp_path / "results" / "small" / "curves.csv").write_text("".join(rows))
    [found] = verdict(small, tmp_path / "results" / "small")
    assert (found["seeds"], found["unfinished_runs"]) == ([2, 1], 1)
    assert found["difference"][1] is None  # JSON knows no NaN
    with pytest.raises(ConfigError, match="unknown arm 'feedforwrd'; did you mean feedforward"):
        verdict(
            replace(small, contrasts=(Contrast("feedforwrd", "PPO", 0.1),)),
            tmp_path / "results" / "small",
        )
    with pytest.raises(ConfigError, match="states no contrasts"):
        verdict(SPINE, tmp_path)
