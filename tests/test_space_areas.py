"""Head direction, path integration and place: what their cells tell against the path itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motley.agents.areas import HeadDirection, PathIntegrator, PlaceCode
from motley.agents.areas.head_direction import population_vector


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
