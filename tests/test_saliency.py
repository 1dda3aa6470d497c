"""Saliency: what it calls salient, and a store that it keeps free for what matters."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motley.agents import Agent
from motley.agents.areas import BasalGangliaGate, EpisodicMemory
from motley.costs import NoiseTarget, Saliency, Trace
from motley.costs.base import Sizes
from motley.envs.sb3 import WorldVecEnv

TIME, WORLDS = 40, 6


def noted(cost: Saliency, trace: Trace, cuts: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
    """Target and mask (time, worlds) of a trace that comes in pieces."""
    state: dict[str, Tensor] = {}
    edges, found = [0, *cuts, len(trace.episode_start)], []
    for a, b in pairwise(edges):
        part = Trace({name: x[a:b] for name, x in trace.tensors.items()})
        notes, state = cost.annotate(part, state, nn.Module())
        seen = part.noted(notes)
        found.append((cost.target(seen)[..., 0] > 0, cost.mask(seen)))
    target, mask = (torch.cat(parts) for parts in zip(*found, strict=True))
    return target, mask


def test_a_step_is_salient_by_what_changes_and_by_what_comes_of_it() -> None:
    """Against a loop over steps; where the rollout ends before it is known, it does not count."""
    rng = np.random.default_rng(0)
    vision = rng.random((TIME, WORLDS, 3)) * (rng.random((TIME, WORLDS, 1)) < 0.5)
    reward = rng.normal(size=(TIME, WORLDS)) * (rng.random((TIME, WORLDS)) < 0.1)
    start = rng.random((TIME, WORLDS)) < 0.1
    forward = rng.random((TIME, WORLDS)) < 0.3
    turn = ~forward & (rng.random((TIME, WORLDS)) < 0.2)  # on the spot
    felt = np.stack((forward, 0.5 * turn, np.where(turn, 0.75**0.5, 1.0)), -1).astype(float)
    trace = Trace({
        "vision": torch.as_tensor(vision), "reward": torch.as_tensor(reward),
        "egomotion": torch.as_tensor(felt), "episode_start": torch.as_tensor(start),
    })  # fmt: skip
    for window, lasts, motion in ((None, 1, None), (0, 1, None), (3, 3, "egomotion"), (3, 2, None)):
        expected, known = np.zeros((2, TIME, WORLDS), np.bool_)
        for i in range(WORLDS):
            left = 0
            for t in range(TIME):
                before = np.zeros(3) if start[t, i] or t == 0 else vision[t - 1, i]
                left = 0 if start[t, i] else max(left - 1, 0)
                if motion and (forward[t, i] or turn[t, i]):
                    left = 0
                elif np.abs(vision[t, i] - before).sum() > 1.0:
                    left = lasts
                expected[t, i] = left > 0
                known[t, i] = True
                for k in range(window + 1 if window is not None else 0):
                    if t + k == TIME:
                        known[t, i] = expected[t, i]
                        break
                    if k and start[t + k, i]:
                        break
                    expected[t, i] |= reward[t + k, i] != 0
        cost = Saliency(window=window, lasts=lasts, felt=motion)
        target, mask = noted(cost, trace)
        np.testing.assert_array_equal(target.numpy(), expected)
        np.testing.assert_array_equal(mask.numpy(), known)
    for cost in (Saliency(lasts=1), Saliency(lasts=4, felt="egomotion")):
        whole, pieces = noted(cost, trace), noted(cost, trace, (7, 8, 30))
        assert all(map(torch.equal, whole, pieces))
    assert Saliency.fitted({"vision": 96, "egomotion": 3}).felt == "egomotion"
    assert Saliency.fitted({"vision": 96}).felt is None
    with pytest.raises(ValueError, match=r"Saliency\(lasts=0\): give 1 step or more"):
        Saliency(lasts=0)
    with pytest.raises(ValueError, match="give a sense whose change counts"):
        Saliency(sense=None)
    with pytest.raises(ValueError, match="window=-1"):
        Saliency(window=-1)
    for other in ("vision", "go"):
        said = rf"Saliency\(felt='{other}'\): give 'egomotion', or None"
        with pytest.raises(ValueError, match=said):
            Saliency(felt=other)


def test_in_cache_recall_a_lit_item_is_salient_and_a_walk_is_not() -> None:
    worlds, rng = WorldVecEnv("CacheRecall", 64, seed=0), np.random.default_rng(0)
    seen: list[Any] = [worlds.reset()]
    start = [np.ones(64, np.bool_)]
    for _ in range(100):
        sensed, _, done, _ = worlds.step(rng.uniform(-1, 1, (64, 2)).astype(np.float32))
        seen.append(sensed)
        start.append(done)
    tensors = {name: torch.as_tensor(np.stack([x[name] for x in seen])) for name in seen[0]}
    reward = torch.zeros(101, 64)
    cost = Saliency.fitted({name: x.shape[-1] for name, x in tensors.items()})
    starts = torch.as_tensor(np.stack(start))
    target, _ = noted(cost, Trace({**tensors, "reward": reward, "episode_start": starts}))
    free = tensors["go"][..., 0] > 0
    assert float(target[free].float().mean()) < 0.1
    assert float(target[~free].float().mean()) > 0.95


def test_it_reads_the_most_open_slot_of_a_gate_and_else_the_core() -> None:
    gate = torch.rand(TIME, WORLDS, 4)
    target = (torch.rand(TIME, WORLDS, 1) < 0.3).float()
    notes = {"saliency/target": target, "saliency/known": torch.ones(TIME, WORLDS) > 0}
    seen = Trace({"gate": gate, "core": torch.randn(TIME, WORLDS, 5),
                  "episode_start": torch.zeros(TIME, WORLDS) > 0, **notes})  # fmt: skip
    cost, sizes = Saliency(), {"gate": 4, "core": 5}
    head = cost.heads(Sizes(sizes, {}))
    expected = (gate.amax(-1) - target[..., 0]).square().mean() / target.var(unbiased=False)
    assert float(cost.loss(seen, head).mean()) == pytest.approx(float(expected), rel=1e-5)
    moved = cost.applied("core", ("core",))
    assert isinstance(moved.heads(Sizes(sizes, {})), nn.Linear)
    assert moved.inputs(seen) is seen["core"]


class Life(NamedTuple):
    """A life of items, some followed by a reward, then a question about one of these."""

    cue: Tensor
    seen: Tensor
    reward: Tensor
    relevant: Tensor
    asked: Tensor


MARK, PAYLOAD = 1, 4


def life(generator: torch.Generator, worlds: int = 64) -> Life:
    """Items (a cue, a mark, a payload); those with the mark are paid a step later, 10% of them."""
    relevant = torch.rand(TIME, worlds, generator=generator) < 0.1
    relevant[2] = True  # one at least, and long ago
    cue = nn.functional.normalize(torch.randn(TIME, worlds, 8, generator=generator), dim=-1)
    mark = relevant.unsqueeze(-1) + 0.3 * torch.randn(TIME, worlds, MARK, generator=generator)
    payload = torch.randn(TIME, worlds, PAYLOAD, generator=generator)
    reward = torch.zeros(TIME, worlds)
    reward[1:] = relevant[:-1].float()
    scores = torch.rand(TIME, worlds, generator=generator) * relevant
    return Life(cue, torch.cat((mark, payload), -1), reward, relevant, scores.argmax(0))


def recall(life: Life, opening: Tensor, capacity: int) -> float:
    """Share of questions whose answer is nearer to the payload asked for than to any other."""
    worlds = torch.arange(len(life.asked))
    memory = EpisodicMemory((8, 1 + PAYLOAD, 1), 1 + PAYLOAD, "learnt_gate", capacity, 50.0)
    assert memory.value is not None
    assert memory.key is not None
    with torch.no_grad():
        memory.value.weight.copy_(torch.eye(1 + PAYLOAD))
        memory.key.weight.copy_(torch.eye(8))
        question = life.cue[life.asked, worlds].unsqueeze(0)
        cue = torch.cat((life.cue, question))
        seen = torch.cat((life.seen, torch.zeros_like(life.seen[:1])))
        gate = torch.cat((opening, torch.zeros_like(opening[:1])))
        start = torch.zeros(TIME + 1, len(worlds), dtype=torch.bool)
        out, _ = memory((cue, seen, gate), memory.initial_state(len(worlds)), start)
    answer = out[-1, :, MARK : MARK + PAYLOAD]
    distance = (life.seen[..., MARK:] - answer).square().sum(-1)
    return float((distance.argmin(0) == life.asked).float().mean())


def test_a_small_store_keeps_what_was_paid_for_and_not_what_came_last() -> None:
    """At fixed capacity, recall of reward-relevant items beats FIFO and random.

    The probe's answer is known: all of what was relevant for a perfect gate, and for a full store
    of the newest the share of relevant items among the newest.
    """
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    gate, cost = BasalGangliaGate((8, 1 + PAYLOAD), 1), Saliency(sense=None, window=1)
    optimizer = torch.optim.Adam(gate.parameters(), 0.01)
    start = torch.zeros(TIME, 64, dtype=torch.bool)
    for _ in range(80):
        lived = life(generator)
        seen = Trace({"reward": lived.reward, "episode_start": start})
        notes, _ = cost.annotate(seen, {}, nn.Module())
        opening, _ = gate((lived.cue, lived.seen), {}, start)
        loss = cost.loss(seen.noted({**notes, "gate": opening}), nn.Identity()).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()

    test = life(generator, 500)
    with torch.no_grad():
        opening, _ = gate((test.cue, test.seen), {}, torch.zeros(TIME, 500) > 0)
    relevant, capacity = test.relevant.unsqueeze(-1).float(), 10
    # d' of the gate between what will be paid and what will not; the step paid is salient too.
    logit = torch.logit(opening[..., 0])
    cue, other = logit[test.relevant], logit[~test.relevant]
    assert float((cue.mean() - other.mean()) / ((cue.var() + other.var()) / 2).sqrt()) > 2
    perfect, learnt = recall(test, relevant, capacity), recall(test, opening, capacity)
    first_in_first_out = recall(test, torch.ones_like(opening), capacity)
    as_many = torch.rand(opening.shape, generator=generator) < (opening > 0.5).float().mean()
    random = recall(test, as_many.float(), capacity)
    newest = float((test.asked >= TIME - capacity).float().mean())
    assert first_in_first_out == pytest.approx(newest, abs=0.05)
    assert perfect > 0.95
    assert learnt > 0.8
    assert learnt > first_in_first_out + 0.3
    assert learnt > random + 0.3


def test_the_memory_with_a_learnt_gate_has_it_as_an_area_that_saliency_trains() -> None:
    settings = {"n_envs": 8, "n_steps": 32, "n_epochs": 1, "seed": 0, "log_gradients_every": 1}
    task = "motley/CacheRecall-v0"
    agent = Agent("episodic_memory.learnt_gate", task, "heterogeneous+saliency", **settings)  # type: ignore[arg-type]
    assert agent.learner.routes["saliency"] == {"gate"}
    agent.learn(512)
    norms = {n: x for n, x in agent.diagnostics().items() if n.startswith("grad/saliency/") and x}
    assert list(norms) == ["grad/saliency/gate"]
    placebo = NoiseTarget.like(Saliency())
    agent = Agent("uniform", task, ["reward", placebo], **settings)  # type: ignore[arg-type]
    assert agent.learner.routes[placebo.name] == {"encoder", "core"}
    agent.learn(256)
    with pytest.raises(ValueError, match="wants a gate of one number as its third"):
        EpisodicMemory((4, 12), prior="learnt_gate")
