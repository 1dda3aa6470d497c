"""Competing drives: what is rewarded, who gets its way, and which head learns from what."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from motley.agents import Agent
from motley.agents.areas import Arbiter
from motley.agents.rollout import collect
from motley.agents.scoring import scored
from motley.costs import DriveReduction, Trace

TIME, WORLDS, NEEDS = 15, 4, 5


def lived(seed: int = 0) -> Trace:
    """Levels at random, of which the last need is not there; ends, deaths among them."""
    generator = torch.Generator().manual_seed(seed)
    levels = torch.rand(TIME + 1, WORLDS, NEEDS, generator=generator) * 0.98 + 0.01
    levels[..., -1] = 0.0
    start = torch.rand(TIME + 1, WORLDS, generator=generator) < 0.25
    ends = start[1:]
    died = ends & (torch.rand(TIME, WORLDS, generator=generator) < 0.5)
    assert died.any()
    assert (ends & ~died).any()
    tensors = {"interoception": levels[:-1], "episode_start": start[:-1], "terminated": died}
    after = {"interoception": levels[-1:], "episode_start": start[-1:]}
    return Trace(tensors, after=after)


def slow(trace: Trace, needs: list[int], setpoint: float, exponent: float, root: float) -> Tensor:
    """The score of some needs together, one number at a time in float64."""
    levels = torch.cat((trace["interoception"], trace.after["interoception"])).double().numpy()
    start = torch.cat((trace.episode_start, trace.after["episode_start"])).numpy()

    def drive(level: np.ndarray) -> float:
        gaps = [abs(level[k] - setpoint) / setpoint for k in needs if level[k] > 0]
        return float(sum(gap**exponent for gap in gaps) ** (1 / root))

    out = np.zeros((TIME, WORLDS))
    for t in range(TIME):
        for i in range(WORLDS):
            before, present = drive(levels[t, i]), sum(levels[t, i, k] > 0 for k in needs)
            if trace["terminated"][t, i]:
                out[t, i] = before - present ** (1 / root)
            elif not start[t + 1, i]:
                out[t, i] = before - drive(levels[t + 1, i])
    return torch.as_tensor(out, dtype=torch.float32)


@pytest.mark.parametrize(("exponent", "root"), [(2.0, 1.0), (4.0, 3.0), (1.0, 1.0)])
def test_the_score_is_the_fall_of_the_drive(exponent: float, root: float) -> None:
    trace = lived()

    def cost(need: int | None) -> DriveReduction:
        return DriveReduction(need=need, setpoint=0.6, exponent=exponent, root=root)

    expected = slow(trace, list(range(NEEDS)), 0.6, exponent, root)
    torch.testing.assert_close(cost(None).score(trace), expected, atol=1e-5, rtol=1e-5)
    for need in range(NEEDS):
        expected = slow(trace, [need], 0.6, exponent, root)
        torch.testing.assert_close(cost(need).score(trace), expected, atol=1e-5, rtol=1e-5)
    assert not cost(NEEDS - 1).score(trace).any()


def test_food_is_worth_nothing_to_the_sated() -> None:
    """Devaluation: a meal of 0.3 from ever fuller levels, up to the setpoint and beyond."""
    worth = []
    for level in (0.1, 0.3, 0.5, 0.65, 0.8):
        levels = torch.tensor([level, level + 0.3 if level < 0.8 else 0.8]).reshape(2, 1, 1)
        none = torch.zeros(2, 1, dtype=torch.bool)
        trace = Trace({"interoception": levels, "episode_start": none, "terminated": none})
        worth.append(float(DriveReduction().score(trace)[0, 0]))
    assert worth[0] > worth[1] > worth[2] > worth[3]
    assert worth[3] == pytest.approx(0.0, abs=1e-6)  # as far above as it was below
    assert worth[4] == 0.0


def test_the_mixed_control_keeps_the_sum_and_the_variance() -> None:
    trace = lived()
    own = torch.stack([DriveReduction(need=k).score(trace) for k in range(NEEDS)], -1)
    mixed = torch.stack([DriveReduction(need=k, mixed=True).score(trace) for k in range(NEEDS)], -1)
    torch.testing.assert_close(own.sum(-1), mixed.sum(-1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(own.square().sum(-1), mixed.square().sum(-1), atol=1e-5, rtol=1e-5)
    assert not mixed[..., -1].any()
    assert float((own - mixed).abs().mean()) > 0.1


def test_the_strongest_drive_and_the_highest_bid_get_their_way() -> None:
    area = Arbiter((4, 3, 3, 3, 3), 2, 2, sharpness=10.0)
    levels, bids = torch.tensor([[[0.2, 0.7, 0.8, 0.0]]]), torch.zeros(1, 1, 4)
    drive = ((np.array([0.2, 0.7, 0.8]) - 0.8) / 0.8) ** 2
    expected = np.exp(10 * drive) / np.exp(10 * drive).sum()
    np.testing.assert_allclose(area.weights(levels, bids)[0, 0, :3].detach(), expected, rtol=1e-5)
    assert area.weights(levels, bids)[0, 0, 3] == 0  # not there
    bids[..., 2] = 20.0
    assert area.weights(levels, bids).argmax() == 2
    none = area.weights(torch.zeros(1, 1, 4), torch.zeros(1, 1, 4))
    torch.testing.assert_close(none, torch.full((1, 1, 4), 0.25))
    swapped = Arbiter((4, 3, 3, 3, 3), 2, 2, swapped=True)
    assert swapped.weights(levels[..., [0, 1, 2, 2]], torch.zeros(1, 1, 4)).argmax() == 1
    # An action is the mean of what is wanted.
    heads = torch.tensor([[[1.0, 0.0, 0.0]]]), torch.tensor([[[0.0, 1.0, 0.0]]])
    out, _ = area((levels, *heads, *heads), {}, torch.zeros(1, 1, dtype=torch.bool))
    np.testing.assert_allclose(
        out[0, 0].detach(), [expected[0] + expected[2], expected[1]], rtol=1e-5
    )


@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_each_head_learns_from_its_own_need_and_absent_needs_do_nothing() -> None:
    agent = Agent("matched", "motley/ManyNeeds-v0", "heterogeneous", n_envs=16, n_steps=32, seed=1)
    assert agent.blueprint.name == "drives"
    routes = agent.learner.routes
    for need in range(8):
        assert routes[f"drive_reduction_{need}"] == {f"drive_{need}"}
    for shared in ("reward", "value_reward", "value_drive_reduction_3"):
        assert routes[shared] == set(agent.blueprint) - {f"drive_{k}" for k in range(8)}
    agent._setup_learn(1)
    assert agent.env is not None
    present = agent._stand()
    for _ in range(2):
        rollout = collect(
            agent.env, agent.brain, agent.learner.distribution, agent.policy.senses,
            present, agent.n_steps, agent._generator, lambda facts: True,
        )  # fmt: skip
    assert rollout is not None
    batch, _ = scored(agent.learner, rollout, 0)
    # The needs' own falls add up to what the task pays: its drive is their mean.
    trace = Trace(rollout.tensors, agent.brain.roles)
    total = torch.stack([DriveReduction(need=k).score(trace) for k in range(4)]).sum(0) / 4
    inside = trace.has_next | trace["terminated"]
    torch.testing.assert_close(total[inside], trace["reward"][inside], atol=1e-5, rtol=1e-4)
    for need in range(8):
        moves = bool(batch.advantages[f"drive_reduction_{need}"].any())
        assert moves == (need < 4)
    losses, _ = agent.learner.losses(batch, agent.learner.weights(0), 0.2)
    norms = agent.learner.gradient_norms(losses)
    for need in range(8):
        for head in range(8):
            norm = norms[f"grad/drive_reduction_{need}/drive_{head}"]
            assert (norm > 0) == (need == head < 4)


@pytest.mark.filterwarnings("ignore:.*has no calibration")
@pytest.mark.parametrize("structure", ["drives", "drives.swapped", "uniform"])
def test_the_arms_have_equally_many_parameters(structure: str) -> None:
    agent = Agent(structure, "motley/ManyNeeds-v0", "heterogeneous", n_envs=2)
    assert abs(agent.n_parameters / 40_000 - 1) < 0.02
    if structure == "uniform":  # one value head a need, on one critic
        assert agent.learner.routes["drive_reduction_2"] == {"actor"}
