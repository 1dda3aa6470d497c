"""Loops: an input of an area's output one step before."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from motley.agents import WIDTH, Agent, Blueprint, Node
from motley.agents.actions import action_distribution
from motley.agents.areas import GRU, Actor, Perceptron, VisualSearch
from motley.agents.brain import Brain, width_for
from motley.agents.wiring import groups, source_of
from motley.costs import NextObservation

TIME, WORLDS = 14, 3
ACTIONS = action_distribution(spaces.Box(-1.0, 1.0, (2,)))
SENSES = {"eye": 4, "ear": 2}


def blueprint() -> Blueprint:
    """Two areas in a loop, one beside it, one after it, and an old look at a sense and an area."""
    return Blueprint(
        {
            "encoder": Node(Perceptron, ("eye", "core@-1"), "encoder", {"size": 6}),
            "beside": Node(Perceptron, ("ear", "ear@-1"), "encoder", {"size": 3}),
            "core": Node(GRU, ("encoder", "beside", "core@-1"), "core", {"size": 5}),
            "after": Node(GRU, ("core", "beside@-1"), "memory", {"size": 4}),
            "actor": Node(Actor, ("after", "previous_action"), "actor", {"hidden": (6,)}),
            "critic": Node(Perceptron, ("core", "actor@-1"), "critic", {"size": 3}),
        }
    )


def sequence(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[dict[str, Tensor], Tensor]:
    generator = torch.Generator().manual_seed(seed)
    known = {
        name: torch.randn(TIME, WORLDS, n, generator=generator, dtype=dtype)
        for name, n in {**SENSES, "previous_action": 2}.items()
    }
    start = torch.rand(TIME, WORLDS, generator=generator) < 0.15
    start[0] = torch.tensor([False, True, False])
    return known, start


def a_brain() -> Brain:
    return Brain(blueprint(), SENSES, ACTIONS, seed=0).double()


def state_of(brain: Brain) -> Any:
    """A state that is not zero."""
    known, start = sequence(1)
    first = {
        area: {name: x.double() for name, x in parts.items()}
        for area, parts in brain.initial_state(WORLDS).items()
    }
    with torch.no_grad():
        return brain(known, first, start)[1]


def by_hand(brain: Brain, known: dict[str, Tensor], state: Any, start: Tensor) -> dict[str, Tensor]:
    """Every area one step at a time, the last step's values kept in a dict."""
    last = {name: state[f"{name}@-1"]["output"] for name in ("core", "ear", "beside", "actor")}
    memory = {name: state[name] for name in ("core", "after")}
    taken: dict[str, list[Tensor]] = {name: [] for name in brain.blueprint}
    for t in range(TIME):
        now = {name: x[t] for name, x in known.items()}
        late = {name: torch.where(start[t, :, None], 0.0, x) for name, x in last.items()}
        for name, node in brain.blueprint.items():
            inputs = tuple(
                (late[s.removesuffix("@-1")] if s.endswith("@-1") else now[s]).unsqueeze(0)
                for s in node.inputs
            )
            out, memory[name] = brain.areas[name](inputs, memory.get(name, {}), start[t : t + 1])
            now[name] = out[0]
            taken[name].append(out[0])
        last = {name: now[name] for name in last}
    return {name: torch.stack(steps) for name, steps in taken.items()}


def test_only_the_areas_of_a_loop_are_taken_together() -> None:
    inputs = {name: node.inputs for name, node in blueprint().items()}
    found = groups(inputs)
    assert set(found) == {
        ("encoder", "core"), ("beside",), ("after",), ("actor",), ("critic",),
    }  # fmt: skip
    at = {name: i for i, group in enumerate(found) for name in group}
    for name, sources in inputs.items():
        assert all(at[s] <= at[name] for s in map(source_of, sources) if s in at)


def test_a_sequence_is_its_steps_also_in_two_parts() -> None:
    brain = a_brain()
    known, start = sequence()
    state = state_of(brain)
    with torch.no_grad():
        expected = by_hand(brain, known, state, start)
        for cuts in ([], [6], list(range(1, TIME))):
            parts, now = [], state
            for a, b in zip([0, *cuts], [*cuts, TIME], strict=True):
                out, now = brain({k: x[a:b] for k, x in known.items()}, now, start[a:b])
                parts.append(out)
            for name, x in expected.items():
                torch.testing.assert_close(torch.cat([p[name] for p in parts]), x)
            assert now.keys() == state.keys()


def test_nothing_goes_round_the_loop_into_another_episode() -> None:
    brain = a_brain()
    known, start = sequence()
    start[7] = True
    fresh = {
        area: {name: torch.zeros_like(x) for name, x in parts.items()}
        for area, parts in state_of(brain).items()
    }
    with torch.no_grad():
        one, _ = brain(known, state_of(brain), start)
        two, _ = brain({k: x[7:] for k, x in known.items()}, fresh, start[7:])
    for name, x in two.items():
        torch.testing.assert_close(one[name][7:], x)


def test_the_gradient_goes_round_the_loop() -> None:
    """Against autograd through the steps by hand, for every parameter."""
    brain = a_brain()
    known, start = sequence()
    state = state_of(brain)
    weight = torch.randn(TIME, WORLDS, 4, dtype=torch.float64)
    names = ("encoder", "beside", "core", "after")
    parameters = [p for name in names for p in brain.areas[name].parameters()]
    ours = torch.autograd.grad((brain(known, state, start)[0]["after"] * weight).sum(), parameters)
    hand = torch.autograd.grad(
        (by_hand(brain, known, state, start)["after"] * weight).sum(), parameters
    )
    for a, b in zip(ours, hand, strict=True):
        torch.testing.assert_close(a, b)
    assert all(a.abs().max() > 0 for a in ours)


def looped(senses: Any) -> Blueprint:
    """A core that sees what it looked for one step before: search -> core -> search."""
    read = ("encoder", "egomotion", "previous_action", "found@-1")
    return Blueprint(
        {
            "encoder": Node(Perceptron, ("vision",), "encoder", {"size": 16}),
            "core": Node(GRU, read, "core", {"size": WIDTH}),
            "search": Node(VisualSearch, ("core", "vision"), "readout"),
            "found": Node(Perceptron, ("search",), "readout", {"size": 8}),
            "actor": Node(Actor, ("core", "search"), "actor", {"hidden": (16,)}),
            "critic": Node(Perceptron, ("core", "search", "core@-1"), "critic", {"size": 16}),
        },
        "looped",
    )


@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_routing_is_exact_round_a_loop() -> None:
    """The cost reads the critic, which depends on all but the actor; it trains one of them."""
    cost = NextObservation(reads="critic", trains=("encoder",))
    agent = Agent(
        looped({}), "motley/DarkHome-v0", ["reward", cost],
        n_envs=16, n_steps=32, budget=None, width=12, seed=0, log_gradients_every=1,
    )  # fmt: skip
    agent.learn(1024)  # in fewer steps no food is found, and reward leads nobody
    told = agent.diagnostics()
    for area in agent.blueprint:
        assert (told[f"grad/next_observation/{area}"] > 0) == (area == "encoder")
        assert (told[f"grad/reward/{area}"] > 0) == (area != "critic")
    state = agent.brain.initial_state(2)
    assert {name for name in state if "@" in name} == {"found@-1", "core@-1"}


def test_a_width_is_found_for_a_loop() -> None:
    senses = {"vision": 96, "egomotion": 3}
    for budget in (8_000, 20_000):
        width = width_for(budget, looped(senses), senses, ACTIONS)
        count = Brain(looped(senses), senses, ACTIONS, width=width).n_parameters
        assert abs(count - budget) < 0.02 * budget


def test_wiring_that_cannot_be_is_named() -> None:
    def build(**inputs: tuple[str, ...]) -> Brain:
        areas = {
            "one": Node(Perceptron, inputs.get("one", ("eye",)), "encoder"),
            "two": Node(VisualSearch, inputs.get("two", ("one", "eye")), "readout"),
            "actor": Node(Actor, ("one",), "actor"),
            "critic": Node(Perceptron, ("one",), "critic"),
        }
        return Brain(Blueprint(areas), SENSES, ACTIONS)

    with pytest.raises(ValueError, match=r"'one' reads 'two', which does not come .*'two@-1'"):
        build(one=("eye", "two"))
    with pytest.raises(ValueError, match="a delay is one step, write 'two@-1'"):
        build(one=("eye", "two@-3"))
    with pytest.raises(ValueError, match="area 'one': unknown input 'toe'; did you mean"):
        build(one=("eye", "toe@-1"))
    with pytest.raises(ValueError, match=r"'two' is read before .* VisualSearch takes no size"):
        build(one=("eye", "two@-1"))
