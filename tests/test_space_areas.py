"""Head direction, path integration and place: what their cells tell against the path itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motley.agents import Agent
from motley.agents.areas import HeadDirection, PathIntegrator, PlaceCode
from motley.costs import HeadingIntegration, NoiseTarget, Trace
from motley.costs.ring import population_vector


def walk(steps: int, worlds: int, seed: int, noise: float = 0.0) -> tuple[Tensor, np.ndarray]:
    """A random walk: egomotion as felt (time, worlds, 3), and x, y, heading (time, worlds, 3)."""
    rng = np.random.default_rng(seed)
    turn = rng.uniform(-math.pi / 3, math.pi / 3, (steps, worlds))
    ahead = rng.uniform(0.0, 1.0, (steps, worlds))
    turn[0] = ahead[0] = 0.0
    truth = np.zeros((steps, worlds, 3))
    x = y = heading = np.zeros(worlds)
    for t in range(steps):
        heading = heading + turn[t]
        x, y = x + ahead[t] * np.cos(heading), y + ahead[t] * np.sin(heading)
        truth[t] = np.stack((x, y, heading), -1)
    felt = turn + noise * rng.standard_normal(turn.shape)
    ahead = ahead * (1 + noise * rng.standard_normal(ahead.shape))
    felt = np.stack((ahead, np.sin(felt), np.cos(felt)), -1)
    return torch.as_tensor(felt, dtype=torch.float32), truth


def begins(felt: Tensor) -> Tensor:
    start = torch.zeros(felt.shape[:2], dtype=torch.bool)
    start[0] = True
    return start


def way_home(truth: np.ndarray) -> Tensor:
    """The vector home in the body's frame, (time, worlds, 2)."""
    x, y, heading = np.moveaxis(truth, -1, 0)
    c, s = np.cos(heading), np.sin(heading)
    return torch.as_tensor(np.stack((-c * x - s * y, s * x - c * y), -1), dtype=torch.float32)


def test_the_ring_tracks_the_turn() -> None:
    felt, truth = walk(60, 8, seed=0)
    area = HeadDirection((3,), 16, "exact")
    activity, _ = area((felt,), area.initial_state(8), begins(felt))
    heading = torch.as_tensor(truth[..., 2], dtype=torch.float32)
    vector = population_vector(activity)
    torch.testing.assert_close(vector[..., 0], heading.cos(), atol=2e-3, rtol=0)
    torch.testing.assert_close(vector[..., 1], heading.sin(), atol=2e-3, rtol=0)
    # One bump, as high wherever it stands, on the cell that prefers the heading.
    cells = torch.round(heading / (2 * math.pi / 16)).long() % 16
    torch.testing.assert_close(activity.argmax(-1), cells)
    assert float(activity.sum(-1).std()) < 1e-3 * float(activity.sum(-1).mean())


def learn(area: HeadDirection | PathIntegrator, steps: int, updates: int) -> None:
    """Teach an area of the rung ``learnt`` on short walks, by the error of its output."""
    optimizer = torch.optim.Adam(area.parameters(), lr=3e-3)
    for update in range(updates):
        felt, truth = walk(steps, 64, seed=update)
        output, _ = area((felt,), area.initial_state(64), begins(felt))
        if isinstance(area, HeadDirection):
            angle = torch.as_tensor(truth[..., 2:], dtype=torch.float32)
            error = population_vector(output) - torch.cat((angle.cos(), angle.sin()), -1)
        else:
            error = output - way_home(truth) / area.reach
        optimizer.zero_grad()
        loss = error.square().mean()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(area.parameters(), 0.5)
        optimizer.step()


def test_a_learnt_ring_comes_to_track_the_turn_three_times_as_long() -> None:
    torch.manual_seed(0)
    area = HeadDirection((3,), 16, "learnt")

    def error() -> float:
        felt, truth = walk(60, 64, seed=10_000)
        with torch.no_grad():
            output, _ = area((felt,), area.initial_state(64), begins(felt))
            vector = population_vector(output)
        angle = torch.as_tensor(truth[..., 2], dtype=torch.float32)
        return float((vector[..., 0] * angle.cos() + vector[..., 1] * angle.sin()).mean())

    before = error()
    learn(area, 20, 250)
    assert before < 0.7
    assert error() > 0.95


def home_errors(area: PathIntegrator, steps: int, noise: float = 0.0) -> Tensor:
    """Mean distance between the way home told and the true one, by step, (steps,)."""
    felt, truth = walk(steps, 256, seed=10_000, noise=noise)
    with torch.no_grad():
        output, _ = area((felt,), area.initial_state(256), begins(felt))
    errors: Tensor = (area.reach * output - way_home(truth)).norm(dim=-1).mean(1)
    return errors


def test_the_error_of_the_way_home_grows_with_the_path_and_with_the_noise() -> None:
    """The exact integrator in the dark; the way is 0.5 a step."""
    area = PathIntegrator((3,), "exact")
    assert float(home_errors(area, 120).max()) < 1e-4
    little, much = home_errors(area, 120, 0.02), home_errors(area, 120, 0.08)
    for errors in (little, much):
        assert errors[10] < errors[30] < errors[119]
    assert 3.0 < float(much[60] / little[60]) < 5.0
    assert float(little[40]) < 0.05 * 20


def test_a_learnt_integrator_finds_home_three_times_as_far_as_it_learnt() -> None:
    torch.manual_seed(0)
    area = PathIntegrator((3,), "learnt")
    before = home_errors(area, 60)
    learn(area, 20, 300)
    after = home_errors(area, 60)
    assert float(after[19]) < 0.1 * float(before[19])
    assert float(after[59]) < 0.1 * float(before[59])


@pytest.mark.parametrize("prior", ["exact", "learnt"])
def test_the_place_cell_that_fires_most_is_the_nearest(prior: str) -> None:
    torch.manual_seed(0)
    felt, truth = walk(12, 32, seed=1)
    integrator, ring = PathIntegrator((3,), "exact"), HeadDirection((3,), 32, "exact")
    cells = PlaceCode((2, 32), 49, prior)
    start = begins(felt)
    with torch.no_grad():
        home, _ = integrator((felt,), integrator.initial_state(32), start)
        heading, _ = ring((felt,), ring.initial_state(32), start)
        activity, _ = cells((home, heading), {}, start)
    place = torch.as_tensor(truth[..., :2], dtype=torch.float32) / integrator.reach
    distance = (place.unsqueeze(-2) - cells.centres).norm(dim=-1)
    two = distance.topk(2, largest=False).values
    clear = two[..., 1] - two[..., 0] > 0.01
    assert clear.float().mean() > 0.7
    torch.testing.assert_close(activity.argmax(-1)[clear], distance.argmin(-1)[clear])
    torch.testing.assert_close(activity.sum(-1), torch.ones(12, 32))


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"HeadDirection's first input must be egomotion"):
        HeadDirection((4,))
    with pytest.raises(ValueError, match=r"HeadDirection\(prior='exakt'\)"):
        HeadDirection((3,), prior="exakt")
    with pytest.raises(ValueError, match=r"PlaceCode wants the way home"):
        PlaceCode((3, 16))
    with pytest.raises(ValueError, match=r"PlaceCode\(size=50, prior='exact'\): give a square"):
        PlaceCode((2, 16), 50)


def test_the_heading_is_added_up_across_rollouts_and_starts() -> None:
    """Against one loop over both rollouts."""
    cost, state, found = HeadingIntegration(), dict[str, Tensor](), []
    felt, _ = walk(30, 6, seed=3)
    start = torch.rand(30, 6, generator=torch.Generator().manual_seed(1)) < 0.1
    start[:12, 0] = False  # until then nothing of the first world counts
    counts = []
    for part in (slice(0, 13), slice(13, 30)):
        ring = torch.zeros(felt[part].shape[0], 6, 8)
        tensors = {"egomotion": felt[part], "episode_start": start[part], "head_direction": ring}
        seen = Trace(tensors)
        notes, state = cost.annotate(seen, state, nn.Module())
        found.append(notes["heading_integration/target"])
        counts.append(cost.mask(seen))
    for i in range(6):
        heading = 0.0
        for t in range(30):
            turn = math.atan2(float(felt[t, i, 1]), float(felt[t, i, 2]))
            heading = 0.0 if start[t, i] else heading + turn
            vector = torch.cat(found)[t, i].tolist()
            assert vector == pytest.approx([math.cos(heading), math.sin(heading)], abs=1e-5)
    assert not counts[0][:12, 0].any()
    assert torch.equal(counts[1], start[13:].cumsum(0) > 0)


def test_its_placebo_is_zero_too_where_there_is_no_ring() -> None:
    placebo = NoiseTarget.like(HeadingIntegration())
    agent = Agent("uniform", "DarkHome", ["reward", placebo], **SMALL).learn(1)
    assert agent.diagnostics()[f"cost/{placebo.name}"] == 0
    agent = Agent("path_integration.place", "DarkHome", ["reward", placebo], **SMALL).learn(1)
    assert agent.diagnostics()[f"cost/{placebo.name}"] > 0


def ring_error(area: HeadDirection) -> float:
    """Mean distance between the direction told and the true one on walks of 60 steps."""
    felt, truth = walk(60, 64, seed=10_000)
    with torch.no_grad():
        output, _ = area((felt,), area.initial_state(64), begins(felt))
    angle = torch.as_tensor(truth[..., 2:], dtype=torch.float32)
    told = population_vector(output) - torch.cat((angle.cos(), angle.sin()), -1)
    return float(told.norm(dim=-1).mean())


@pytest.mark.parametrize("seed", [0, 3, 6])
def test_a_ring_learns_to_turn_by_its_cost_alone(seed: int) -> None:
    """From first weights of which two let a read-out that learns too give the mean."""
    torch.manual_seed(seed)
    area, cost = HeadDirection((3,)), HeadingIntegration()
    head = cost.heads({"head_direction": 16})
    assert not list(head.parameters())
    optimizer = torch.optim.Adam(area.parameters(), lr=4e-3)
    before, generator = ring_error(area), torch.Generator().manual_seed(4)
    start = begins(torch.zeros(20, 16, 3))
    for _ in range(150):
        turn = 2 * torch.rand(20, 16, generator=generator) - 1
        ahead = torch.rand(20, 16, generator=generator)
        felt = torch.stack((ahead, turn.sin(), turn.cos()), -1)
        output, _ = area((felt,), area.initial_state(16), start)
        seen = Trace({"egomotion": felt, "episode_start": start, "head_direction": output})
        notes, _ = cost.annotate(seen, {}, head)
        optimizer.zero_grad()
        torch.autograd.backward(cost.loss(seen.noted(notes), head).mean())
        nn.utils.clip_grad_norm_(area.parameters(), 0.5)
        optimizer.step()
    assert before > 1.0
    assert ring_error(area) < 0.15


SMALL: dict[str, Any] = {
    "n_envs": 8, "n_steps": 16, "budget": None, "width": 8, "seed": 1, "log_gradients_every": 1,
}  # fmt: skip


def test_the_heading_trains_the_ring_alone_and_nothing_where_there_is_none() -> None:
    costs = "heterogeneous+heading_integration"
    agent = Agent("path_integration.place", "DarkHome", costs, **SMALL).learn(1)
    facts = agent.diagnostics()
    grads = {a: facts[f"grad/heading_integration/{a}"] for a in agent.blueprint}
    assert {area for area, norm in grads.items() if norm > 0} == {"ring"}
    assert facts["cost/heading_integration"] > 0
    with_it = Agent("uniform", "DarkHome", costs, **SMALL).learn(1)
    without = Agent("uniform", "DarkHome", "heterogeneous", **SMALL).learn(1)
    assert with_it.learner.routes["heading_integration"] == frozenset()
    assert "cost heading_integration trains nothing here" in with_it.describe()
    for name, weight in without.brain.state_dict().items():
        assert torch.equal(weight, with_it.brain.state_dict()[name])


@pytest.mark.slow
def test_an_agents_ring_learns_in_its_task() -> None:
    """61,000 steps; by reward alone it stays as it was."""

    def error(costs: str) -> float:
        settings = SMALL | {"n_envs": 32, "n_steps": 32, "seed": 0}
        agent = Agent("path_integration.place", "DarkHome", costs, **settings).learn(61_440)
        ring = agent.brain.areas["ring"]
        assert isinstance(ring, HeadDirection)
        return ring_error(ring)

    assert error("reward+heading_integration") < 0.5
    assert error("reward") > 1.0
