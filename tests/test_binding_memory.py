"""Binding memory: keys come back, contents never do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor, nn

from motley.agents.actions import action_distribution
from motley.agents.areas import GRU, Actor, BindingMemory, Perceptron
from motley.agents.blueprints import Blueprint, Node
from motley.agents.brain import Brain
from motley.costs import MatchPrediction, Trace
from motley.envs.tasks.role_bind import fillers

TIME, WORLDS = 12, 5


def shown(seed: int = 0) -> Tensor:
    """One of three symbols or its opposite, or nothing, at each step."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, 1], [0, 0, 0, 0]])
    picked = kinds[torch.randint(4, (TIME, WORLDS), generator=generator)]
    sign = torch.randint(2, (TIME, WORLDS, 1), generator=generator)
    return picked * (2.0 * sign - 1.0)


def starts(seed: int = 0) -> Tensor:
    return torch.rand(TIME, WORLDS, generator=torch.Generator().manual_seed(seed)) < 0.15


def test_reading_is_a_loop_over_entries() -> None:
    """Against NumPy: each step is compared with the steps before it in the episode."""
    torch.manual_seed(0)
    area = BindingMemory((4, 3), 6, capacity=4)
    content, controller, start = shown(), torch.randn(TIME, WORLDS, 3), starts()
    assert area.key is not None
    with torch.no_grad():
        out, _ = area((content, controller), area.initial_state(WORLDS), start)
        keys = torch.tanh(area.key(controller)).double().numpy()
    x = content.double().numpy()
    for i in range(WORLDS):
        begin = 0
        for t in range(TIME):
            begin = t if start[t, i] else begin
            expected = np.zeros(6)
            for e in range(max(begin, t - 4), t):
                size = np.linalg.norm(x[t, i]) * np.linalg.norm(x[e, i])
                like = (x[t, i] @ x[e, i] / size) ** 5 if size else 0.0
                # The key of a step is made from what the controller gives one step later.
                expected += like * np.append(keys[e + 1, i], 1.0)
            np.testing.assert_allclose(out[t, i].numpy(), expected, atol=1e-5)


def test_exact_keys_are_the_order_of_showing() -> None:
    one, two, none = [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]
    minus = [-1.0, 0.0]
    content = torch.tensor([one, one, none, two, one, minus, none, two]).unsqueeze(1)
    start = torch.zeros(8, 1, dtype=torch.bool)
    out, _ = BindingMemory((2,), 4, "exact")((content,), empty(), start)
    # Shown first: one, in two steps; second: two; third: one again, and later still as the third.
    assert out[:, 0].tolist() == [
        [0, 0, 0, 0],
        [1, 0, 0, 1],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [2, 0, 0, 2],
        [-2, 0, -1, -3],
        [0, 0, 0, 0],
        [0, 1, 0, 1],
    ]


def empty() -> dict[str, Tensor]:
    return BindingMemory((2,), 4, "exact").initial_state(1)


@pytest.mark.parametrize("prior", ["exact", "learnt"])
def test_contents_never_reach_the_controller(prior: str) -> None:
    """Turn all contents by one rotation, and everything that comes out is the same."""
    torch.manual_seed(0)
    sizes = (4,) if prior == "exact" else (4, 3)
    area = BindingMemory(sizes, 7, prior)
    rotation = torch.linalg.qr(torch.randn(4, 4))[0]
    others = () if prior == "exact" else (torch.randn(TIME, WORLDS, 3),)
    with torch.no_grad():
        out, _ = area((shown(), *others), area.initial_state(WORLDS), starts())
        turned, _ = area((shown() @ rotation, *others), area.initial_state(WORLDS), starts())
        other, _ = area((shown(1), *others), area.initial_state(WORLDS), starts())
    torch.testing.assert_close(out, turned, atol=1e-5, rtol=1e-5)
    assert float((out - other).abs().max()) > 0.5


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"prior='learnt'\) wants a content and a controller"):
        BindingMemory((4,))
    with pytest.raises(ValueError, match="an odd power, not 4"):
        BindingMemory((4,), prior="exact", power=4)


def brain(kind: str) -> Brain:
    """A recurrent core that sees what is shown, or what a binding memory makes of it."""
    areas: dict[str, Node] = {}
    if kind == "binding":
        areas["binding"] = Node(BindingMemory, ("cue", "core@-1"), "binding", {"size": 9})
    source = "binding" if kind == "binding" else "cue"
    areas["core"] = Node(GRU, (source,), "core", {"size": 48})
    areas["actor"] = Node(Actor, ("core",), "actor")
    areas["critic"] = Node(Perceptron, ("core",), "critic")
    return Brain(Blueprint(areas), {"cue": 8}, action_distribution(spaces.Discrete(3)), seed=1)


def pairs(symbols: Tensor, worlds: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A symbol, nothing, and a second one that is the same, the opposite or another one."""
    order = torch.rand(worlds, len(symbols), generator=generator).argsort(1)[:, :2]
    sign = torch.randint(2, (worlds, 2), generator=generator)
    first, other = symbols[order, sign].unbind(1)
    relation = torch.randint(3, (worlds,), generator=generator)
    second = torch.stack((first, -first, other))[relation, torch.arange(worlds)]
    return torch.stack((first, torch.zeros_like(first), second)), relation


def learn(kind: str) -> tuple[float, float]:
    """Teach the relation on 4 pairs of symbols; accuracy on these, and on the 60 others."""
    net, generator = brain(kind), torch.Generator().manual_seed(0)
    symbols = torch.as_tensor(fillers())
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)

    def answers(cue: Tensor) -> Tensor:
        worlds = cue.shape[1]
        known = {"cue": cue, "previous_action": torch.zeros(3, worlds, 3)}
        start = torch.zeros(3, worlds, dtype=torch.bool)
        start[0] = True
        outputs, _ = net(known, net.initial_state(worlds), start)
        last: Tensor = outputs["actor"][-1]
        return last

    for _ in range(200):
        cue, relation = pairs(symbols[:4], 128, generator)
        loss = nn.functional.cross_entropy(answers(cue), relation)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    accuracies = []
    for part in (symbols[:4], symbols[4:]):
        cue, relation = pairs(part, 2_000, generator)
        with torch.no_grad():
            accuracies.append(float((answers(cue).argmax(-1) == relation).float().mean()))
    return accuracies[0], accuracies[1]


def test_a_rule_learnt_on_some_symbols_holds_for_those_never_met() -> None:
    """A recurrent core learns the same lessons on the symbols that it meets, and these only."""
    met, new = learn("binding")
    assert met > 0.99
    assert new > 0.99
    met, new = learn("gru")
    assert met > 0.9
    assert new < 0.8


def test_matches_are_with_showings_that_are_over() -> None:
    """Within the episode, also across rollouts; what is still on view does not match itself."""
    one, two, none = [1.0, 1.0], [1.0, -1.0], [0.0, 0.0]
    minus = [-1.0, -1.0]
    cue = torch.tensor([one, one, two, one, minus, none, minus, two, one]).unsqueeze(1)
    start = torch.tensor([1, 0, 0, 0, 0, 0, 0, 1, 0], dtype=torch.bool).unsqueeze(1)
    same, opposite, new, both = [1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]
    expected = torch.tensor([new, new, new, same, opposite, new, both, new, new]).unsqueeze(1)
    cost = MatchPrediction()
    for cut in range(1, 9):
        state: dict[str, Tensor] = {}
        targets = []
        for part in (slice(cut), slice(cut, None)):
            seen = Trace({"cue": cue[part], "episode_start": start[part]})
            notes, state = cost.annotate(seen, state, nn.Module())
            targets.append(cost.target(seen.noted(notes)))
            assert torch.equal(cost.mask(seen), cue[part].any(-1))
        assert torch.equal(torch.cat(targets), expected)
