"""Exact routing in one sweep against a pass for each set of costs, and clipping against torch's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fits import rewarded
from motley.agents import Agent
from motley.agents.gradients import Tape, clip
from motley.costs import BehaviouralCloning, Cost
from motley.envs import TASKS
from motley.envs.senses import BODY

pytestmark = pytest.mark.filterwarnings("ignore:.*has no calibration")


def gradients(
    agent: Agent, swept: bool, shut: frozenset[str] = frozenset()
) -> dict[str, torch.Tensor]:
    """Of one batch, by parameter; and a second time over the same graph, which must not differ."""
    learner = agent.learner
    batch = rewarded(agent)
    tape = Tape(agent.brain.inputs) if swept else None
    losses, _ = learner.losses(batch, learner.weights(0), 0.2, tape)
    found = []
    for retain_graph in (True, False):
        learner.optimizer.zero_grad(set_to_none=True)
        learner.route(losses, shut, retain_graph, tape)
        named = learner.named_parameters()
        found.append({name: p.grad.clone() for name, p in named if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    return found[0]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("shut", [(), ("core",), ("encoder", "critic")], ids=str)
def test_a_sweep_gives_what_separate_passes_give(task: str, shut: tuple[str, ...]) -> None:
    one, other = (
        Agent("matched", f"motley/{task}-v0", "heterogeneous", n_envs=6, n_steps=12, seed=3)
        for _ in range(2)
    )
    assert_same(gradients(one, False, frozenset(shut)), gradients(other, True, frozenset(shut)))


CREDIT = ("bptt_3", "direct_feedback", "node_perturbation")


@pytest.mark.parametrize("credit", CREDIT)
@pytest.mark.parametrize("lesioned", ["", "core"])
def test_a_sweep_follows_credit_rules_and_lesions(credit: str, lesioned: str) -> None:
    """In a structure with a loop, where the rule supports one."""
    looped = credit != "node_perturbation"
    structure, task = ("matched", "RoleBind") if looped else ("uniform", "DarkHome")
    found = []
    for swept in (False, True):
        agent = Agent(structure, f"motley/{task}-v0", "heterogeneous", n_envs=6, n_steps=12,
                      seed=3, credit=credit)  # fmt: skip
        if lesioned:
            agent.lesion(lesioned)
        found.append(gradients(agent, swept))
    assert_same(*found)
    assert not any(lesioned and f"areas.{lesioned}." in name for name in found[1])


def test_a_sweep_goes_through_a_teachers_lessons_as_well(tmp_path: Path) -> None:
    """They are a second run of the brain, with a graph of its own."""
    rng, steps = np.random.default_rng(0), 10
    path = tmp_path / "teacher.npz"
    rows: dict[str, Any] = {"episode": np.repeat(np.arange(4), steps)}
    rows["action"] = rng.uniform(-1, 1, (4 * steps, 2)).astype(np.float32)
    rows |= {
        f"sense/{sense.name}": rng.uniform(0, 1, (4 * steps, sense.size)).astype(np.float32)
        for sense in BODY
    }
    np.savez(path, **rows)
    cloning = BehaviouralCloning(recording=str(path), trains=("encoder", "actor"), episodes=3)
    few: dict[str, Any] = {"n_envs": 6, "n_steps": 12, "seed": 3}
    costs: list[str | Cost] = ["heterogeneous", cloning]
    agents = [Agent("matched", "motley/DarkHome-v0", costs, **few) for _ in range(2)]
    plain, swept = gradients(agents[0], False), gradients(agents[1], True)
    assert_same(plain, swept)
    without = gradients(Agent("matched", "motley/DarkHome-v0", costs[:1], **few), False)
    taught = {name.split(".")[2] for name, x in plain.items() if not torch.equal(x, without[name])}
    assert taught == {"encoder", "actor"}


def assert_same(plain: dict[str, torch.Tensor], swept: dict[str, torch.Tensor]) -> None:
    """The same parameters have a gradient that is not zero, and all are alike."""
    assert {name for name, x in plain.items() if x.any()} == {
        n for n, x in swept.items() if x.any()
    }
    for name, x in swept.items():
        expected = plain.get(name, torch.zeros_like(x))
        # Sums in another order: a small element is as exact as the largest that it is summed with.
        rounding = 1e-5 * float(expected.abs().max())
        torch.testing.assert_close(x, expected, atol=rounding, rtol=2e-4)


def test_clipping_is_torchs_group_by_group() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(3, 4), (4,), (5,), (2, 2), (7,), (1,)]
    ours, theirs = ([nn.Parameter(torch.zeros(shape)) for shape in shapes] for _ in range(2))
    for n, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if n != 1:  # one without a gradient
            a.grad = 0.2 * torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
    clip([ours[:2], ours[2:3], [], ours[3:]], 0.5)
    for group in (theirs[:2], theirs[2:3], theirs[3:]):
        nn.utils.clip_grad_norm_(group, 0.5)
    for a, b in zip(ours, theirs, strict=True):
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None and b.grad is not None:
            torch.testing.assert_close(a.grad, b.grad)


def test_clipping_scales_a_gradient_once_that_two_parameters_share() -> None:
    """As those of a sum, which autograd gives as one tensor; or of a sum over a parameter."""
    a, b, c = (nn.Parameter(torch.zeros(3)) for _ in range(3))
    loss = ((a + b) * torch.tensor([3.0, 4.0, 0.0])).sum() + 2 * c.sum()
    for p, gradient in zip((a, b, c), torch.autograd.grad(loss, (a, b, c)), strict=True):
        p.grad = gradient
    clip([[a], [b], [c]], 0.5)
    for p, expected in ((a, [0.3, 0.4, 0.0]), (b, [0.3, 0.4, 0.0]), (c, [0.5 / 3**0.5] * 3)):
        assert p.grad is not None
        assert p.grad.is_contiguous()
        torch.testing.assert_close(p.grad, torch.tensor(expected))


def test_what_learning_cannot_change_is_run_once_a_rollout() -> None:
    agent = Agent("matched", "motley/Caregiver-v0", "heterogeneous", n_envs=4, n_steps=8, seed=0)
    brain, batch = agent.brain, rewarded(agent)
    assert brain.fixed == ("detector",)
    again, _ = brain(batch.tensors, batch.state, batch.tensors["episode_start"])
    assert torch.equal(again["detector"], batch.tensors["detector"])
    outputs, _ = brain(batch.tensors, batch.state, batch.tensors["episode_start"], brain.learning)
    assert "detector" not in outputs
    assert torch.equal(outputs["core"], again["core"])
