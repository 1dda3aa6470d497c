"""Scores, losses and their routing stay on one device, and no number of theirs is looked at.

There may be no GPU here. Tensors on torch's device ``meta`` have shapes and no numbers, so that
one on the CPU that areas, costs or the trainer make by themselves meets one of another device, and
what would wait for a GPU to tell a number cannot be done at all.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from fits import fits
from motley.agents import AREAS, Agent, Blueprint, Node
from motley.agents.areas import Actor, Perceptron
from motley.agents.gradients import Tape
from motley.agents.rollout import Rollout, collect
from motley.agents.scoring import scored
from motley.agents.update import Learner
from motley.costs import COSTS, Intrinsic
from motley.envs.tasks import TASKS

NOVELTIES = [name for name, cost in COSTS.items() if issubclass(cost, Intrinsic)]


class OneDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Raises where tensors of two devices meet; single numbers of the CPU may go anywhere."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor) and x.dim()]
        devices = {x.device.type for x in found}
        moves = "_to_copy" in str(func) or "copy_" in str(func)
        assert len(devices) < 2 or moves, f"{func} is given tensors of {devices}"
        return func(*args, **(kwargs or {}))


def lived(agent: Agent) -> Rollout:
    agent._setup_learn(1)
    assert agent.env is not None
    rollout = collect(
        agent.env, agent.brain, agent.learner.distribution, agent.policy.senses, agent._stand(),
        agent.noise(), lambda facts: True,
    )  # fmt: skip
    assert rollout is not None
    return rollout


def elsewhere(x: Any) -> Any:
    return tree_map(lambda leaf: leaf.to("meta") if isinstance(leaf, Tensor) else leaf, x)


def moved(learner: Learner) -> Learner:
    """Move a learner to ``meta``, where its parameters become others (on a GPU they stay)."""
    names = {id(p): name for name, p in learner.named_parameters()}
    learner.to("meta")
    now = dict(learner.named_parameters())
    for groups in (learner.area_parameters, learner.followers, learner.head_parameters):
        for name, parameters in groups.items():
            groups[name] = [now[names[id(p)]] if id(p) in names else p for p in parameters]
    return learner


def cored(name: str) -> Blueprint:
    core = Node(AREAS[name], ("vision", "egomotion"), "core", {"size": 16})
    actor = Node(Actor, ("core",), "actor", {"hidden": (8,)})
    return Blueprint(
        {"core": core, "actor": actor, "critic": Node(Perceptron, ("core",), "critic", {"size": 8})}
    )


CASES: list[Any] = [pytest.param("matched", task, "heterogeneous", id=task) for task in TASKS]
CASES += [
    pytest.param(cored(name), "DarkHome", "reward", id=name)
    for name in ("GRU", "LSTM", "MinGRU", "Attention", "Reservoir")
]
CASES += [pytest.param(*fits(name), f"reward+{name}", id=name) for name in NOVELTIES]


@pytest.mark.parametrize(("structure", "task", "costs"), CASES)
@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_scoring_and_learning_stay_on_their_device(structure: Any, task: str, costs: str) -> None:
    agent = Agent(structure, task, costs, n_envs=4, n_steps=8, seed=0, budget=None, width=16)
    rollout = elsewhere(lived(agent))
    learner = moved(agent.learner)
    with OneDevice():  # type: ignore[no-untyped-call]
        batch, _ = scored(learner, rollout, 0)
        tape = Tape(learner.brain.inputs)
        losses, _ = learner.losses(batch, learner.weights(0), 0.2, tape)
        learner.route(losses, tape=tape)
    assert losses
    assert {loss.device.type for loss in losses.values()} == {"meta"}
    gradients = [p.grad for p in learner.parameters() if p.grad is not None]
    assert {x.device.type for x in gradients} == {"meta"}


def test_two_devices_are_noticed() -> None:
    notice = OneDevice()  # type: ignore[no-untyped-call]
    with notice, pytest.raises(AssertionError, match="is given tensors of"):
        torch.zeros(3, 3, device="meta") @ torch.zeros(3, 3)
