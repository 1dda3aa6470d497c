"""Every cost on traces whose answer is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motley.agents import Agent
from motley.costs import (
    COSTS,
    Cost,
    Entropy,
    ExtrinsicReward,
    NextObservation,
    NoiseTarget,
    Reconstruction,
    Schedule,
    SelfLocalisation,
    Trace,
    Value,
    cost_set,
    ramp,
)
from motley.costs.base import Sizes
from motley.costs.sets import from_json, to_json

TIME, WORLDS = 12, 5
SIZES = {"vision": 8, "egomotion": 3, "go": 1, "core": 6, "critic": 4, "action": 2}


def trace(seed: int = 0, time: int = TIME) -> Trace:
    generator = torch.Generator().manual_seed(seed)
    tensors = {name: torch.rand(time, WORLDS, n, generator=generator) for name, n in SIZES.items()}
    tensors["reward"] = torch.rand(time, WORLDS, generator=generator)
    tensors["entropy"] = torch.rand(time, WORLDS, generator=generator)
    tensors["value/reward/target"] = torch.rand(time, WORLDS, generator=generator)
    tensors["episode_start"] = torch.rand(time, WORLDS, generator=generator) < 0.2
    return Trace(tensors)


def annotated(cost: Cost, before: Trace) -> Trace:
    notes, _ = cost.annotate(before, {})
    return Trace({**before.tensors, **notes})


def head(cost: Cost) -> nn.Module:
    torch.manual_seed(0)
    return cost.heads(Sizes(SIZES, {})) or nn.Module()


@pytest.mark.parametrize("name", COSTS)
def test_losses_and_scores_are_per_step_and_finite(name: str) -> None:
    cost = COSTS[name]()
    assert cost.scores or cost.has_loss
    seen = annotated(cost, trace())
    out = [cost.score(seen)] if cost.scores else []
    out += [cost.loss(seen, head(cost))] if cost.has_loss else []
    for x in out:
        assert x.shape == (TIME, WORLDS)
        assert torch.isfinite(x).all()


def test_the_reward_is_the_environments() -> None:
    seen = trace()
    assert torch.equal(ExtrinsicReward().score(seen), seen["reward"])


def test_entropy_is_a_cost_when_small() -> None:
    assert torch.equal(Entropy().loss(trace(), nn.Module()), -trace()["entropy"])


def linear(cost: Cost, weight: list[list[float]], bias: list[float], sizes: dict[str, int]) -> Any:
    made = cost.heads(Sizes(sizes, {}))
    assert isinstance(made, nn.Linear)
    with torch.no_grad():
        made.weight.copy_(torch.tensor(weight))
        made.bias.copy_(torch.tensor(bias))
    return made


def test_value_is_the_squared_error_of_its_target() -> None:
    seen = Trace({"critic": torch.tensor([[[1.0]], [[2.0]]]),
                  "value/reward/target": torch.tensor([[5.0], [4.0]])})  # fmt: skip
    made = linear(Value(), [[2.0]], [1.0], {"critic": 1})
    assert Value().loss(seen, made).flatten().tolist() == [4.0, 1.0]


def test_the_next_observation_is_compared_within_episodes_only() -> None:
    """Two of four steps have a next one, so that each counts twice in the mean."""
    seen = Trace({
        "core": torch.tensor([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]),
        "action": torch.zeros(4, 1, 1),
        "vision": torch.tensor([[[9.0]], [[0.0]], [[5.0]], [[7.0]]]),
        "episode_start": torch.tensor([[True], [False], [True], [False]]),
    })  # fmt: skip
    sizes = {"core": 1, "action": 1, "vision": 1}
    made = linear(NextObservation(), [[1.0, 100.0]], [0.0], sizes)
    loss = NextObservation().loss(seen, made).flatten().tolist()
    # 1 predicts 0; 2 has no next in its episode; 3 predicts 7; the last step has none.
    assert loss == [1.0 * 2, 0.0, 16.0 * 2, 0.0]


def test_reconstruction_counts_while_the_body_is_held() -> None:
    seen = Trace({
        "core": torch.tensor([[[1.0]], [[2.0]]]),
        "vision": torch.tensor([[[3.0]], [[9.0]]]),
        "go": torch.tensor([[[0.0]], [[1.0]]]),
        "episode_start": torch.tensor([[True], [False]]),
    })  # fmt: skip
    made = linear(Reconstruction(), [[1.0]], [0.0], {"core": 1, "vision": 1})
    assert Reconstruction(when="go").loss(seen, made).flatten().tolist() == [8.0, 0.0]
    assert Reconstruction().loss(seen, made).flatten().tolist() == [4.0, 49.0]


def test_the_way_home_is_integrated_across_rollouts_and_starts() -> None:
    """Against one loop over both rollouts, in float64."""
    cost, targets = SelfLocalisation(reach=2.0), []
    state: dict[str, Tensor] = {}
    parts = [trace(1), trace(2, time=7)]
    for part in parts:
        notes, state = cost.annotate(part, state)
        targets.append(notes["self_localisation/target"])
    felt = torch.cat([p["egomotion"] for p in parts]).double().numpy()
    start = torch.cat([p.episode_start for p in parts]).numpy()
    assert not start[TIME].all()  # something is carried over
    expected = np.zeros((TIME + 7, WORLDS, 2))
    for i in range(WORLDS):
        home = np.zeros(2)
        for t in range(TIME + 7):
            forward, sine, cosine = felt[t, i]
            home = np.array([[cosine, sine], [-sine, cosine]]) @ home - [forward, 0.0]
            home = home * (not start[t, i])
            expected[t, i] = home / 2.0
    np.testing.assert_allclose(torch.cat(targets).numpy(), expected, atol=1e-5)


def test_noise_is_reproducible_and_tells_nothing() -> None:
    one, state = NoiseTarget(seed=3).annotate(trace(1), {})
    again, _ = NoiseTarget(seed=3).annotate(trace(2), {})
    name = "noise_target/target"
    assert torch.equal(one[name], again[name])  # whatever was seen
    following, _ = NoiseTarget(seed=3).annotate(trace(1), state)
    other, _ = NoiseTarget(seed=4).annotate(trace(1), {})
    assert not torch.equal(one[name], following[name])
    assert not torch.equal(one[name], other[name])
    long, _ = NoiseTarget(seed=3, scale=0.5).annotate(trace(1, time=2000), {})
    flat = long[name].flatten(0, 1)
    assert float(flat.std()) == pytest.approx(0.5, rel=0.03)
    assert float(flat.mean()) == pytest.approx(0.0, abs=0.02)
    seen = trace(1, time=2000)["egomotion"].flatten(0, 1)
    correlation = np.corrcoef(flat[:, 0].numpy(), seen[:, 0].numpy())[0, 1]
    assert abs(correlation) < 0.05


@dataclass(frozen=True)
class Broken(Cost):
    """Not a number."""

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        return (trace["core"].sum(-1) * 0.0 - 1.0).sqrt()


@dataclass(frozen=True)
class Summed(Cost):
    """One number for a whole batch."""

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        return trace["core"].mean()


@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_a_bad_loss_stops_the_run_by_the_costs_name() -> None:
    with pytest.raises(FloatingPointError, match="'broken' is not finite"):
        Agent("uniform", "DarkHome", ["reward", Broken()], n_envs=2, n_steps=8).learn(16)
    with pytest.raises(ValueError, match=r"cost summed: loss must be \(time, worlds\)"):
        Agent("uniform", "DarkHome", ["reward", Summed()], n_envs=2, n_steps=8).learn(16)


def test_a_schedule_is_linear_between_its_ages() -> None:
    schedule = ramp(1.0, 0.0, 100, 300)
    assert [schedule.at(age) for age in (0, 100, 150, 200, 300, 999)] == [1, 1, 0.75, 0.5, 0, 0]
    with pytest.raises(ValueError, match="begin <= finish"):
        Schedule(0.0, 1.0, begin=5, finish=4)


def test_costs_go_through_json() -> None:
    costs = (*cost_set(["heterogeneous", "placebo"][0], SIZES),
             NoiseTarget(weight=ramp(0.0, 1.0, 5, 9)))  # fmt: skip
    assert from_json(to_json(costs)) == costs


def test_unknown_and_useless_costs_are_refused() -> None:
    with pytest.raises(ValueError, match="did you mean heterogeneous"):
        cost_set("heterogenous", SIZES)
    with pytest.raises(ValueError, match="gives a score"):
        cost_set([Entropy()], SIZES)
    with pytest.raises(ValueError, match="give a number >= 0"):
        Entropy(weight=-1.0)
    with pytest.raises(KeyError, match="nothing in this trace is called 'smell'"):
        trace()["smell"]


def test_a_score_brings_its_value() -> None:
    assert [c.name for c in cost_set([ExtrinsicReward()], SIZES)] == ["reward", "value_reward"]
