"""Object permanence: the tracker and the cost that teaches it, against what the world hides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motley.agents.areas import ObjectTracker
from motley.agents.areas.object_tracker import fold
from motley.costs import OcclusionPrediction, Trace, sighting
from motley.costs.base import Sizes
from motley.envs import World
from motley.envs.tasks.occluder_hunt import OccluderHunt

WORLDS, TIME = 100, 24
Truth = dict[str, Tensor]


def in_body_frame(world: World, place: np.ndarray) -> np.ndarray:
    """Places (N, 2) as (ahead, left) of the body."""
    x, y = (place - world.position).T
    cosine, sine = np.cos(world.heading), np.sin(world.heading)
    return np.stack((cosine * x + sine * y, cosine * y - sine * x), -1)


def hunt(act: Callable[[World], np.ndarray], level: int = 0, time: int = TIME) -> Truth:
    """What is sensed in the first steps of an episode, and what the world hides."""
    world = World(OccluderHunt(level), WORLDS)
    world.seed(np.arange(WORLDS))
    world.reset()
    task, rows = world.task, []
    assert isinstance(task, OccluderHunt)
    for step in range(time):
        exits = np.stack((task.exits[world.exit[:, 0]], np.full(WORLDS, task.hidden_at)), -1)
        seen = world.observe()
        rows.append(
            {name: seen[name] for name in ("vision", "egomotion", "go")}
            | {
                "prey": in_body_frame(world, world.shape_position[:, 0]),
                "exit": in_body_frame(world, exits),
                "hidden": world.hidden & (world.trial == 0),
                "left": world.run[:, 6] - world.clock,
                "episode_start": np.full(WORLDS, step == 0),
            }
        )
        world.step(act(world).astype(np.float32))
    return {name: torch.as_tensor(np.stack([row[name] for row in rows])) for name in rows[0]}


def wander(world: World) -> np.ndarray:
    rng = np.random.default_rng(int(world.elapsed[0]))
    return rng.uniform(-1, 1, (world.n, 2))


def still(world: World) -> np.ndarray:
    return np.zeros((world.n, 2))


def track(area: ObjectTracker, truth: Truth) -> Tensor:
    inputs = (truth["vision"], truth["egomotion"])
    output: Tensor = area(inputs, area.initial_state(WORLDS), truth["episode_start"])[0]
    return output


@pytest.mark.parametrize("level", range(4))
def test_it_knows_where_the_hidden_is_better_than_where_it_was_last_seen(level: int) -> None:
    """The baseline keeps the last place seen, corrected for the body's own motion."""
    truth = hunt(wander, level)
    hidden = truth["hidden"]
    out = track(ObjectTracker((96, 3), "exact"), truth)
    assert (out[..., 1][hidden] == 1).all()
    assert (out[..., 0][hidden] == 0).all()
    error = (4 * out[..., 2:4] - truth["prey"]).norm(dim=-1)[hidden]
    fixed = ObjectTracker((96, 3), "noisy")
    with torch.no_grad():
        fixed.factors.copy_(torch.tensor([1.0, 0.0, 1.0]))  # type: ignore[union-attr]
        last_seen = (4 * track(fixed, truth)[..., 2:4] - truth["prey"]).norm(dim=-1)[hidden]
    assert float(error.median()) < 0.1
    assert float(error.mean()) < 0.4 * float(last_seen.mean())


@pytest.mark.parametrize("level", range(4))
def test_it_knows_where_and_when_the_hidden_comes_out(level: int) -> None:
    truth = hunt(wander, level)
    hidden = truth["hidden"]
    out = track(ObjectTracker((96, 3), "exact"), truth)
    where = (4 * out[..., 4:6] - truth["exit"]).norm(dim=-1)[hidden]
    when = (20 * out[..., 6] - truth["left"]).abs()[hidden]
    assert float((where < 0.5).float().mean()) > 0.8  # nearer to the right exit than to another
    assert float(where.median()) < 0.15
    assert float(when.median()) < 0.1


def test_nothing_is_known_before_anything_moved() -> None:
    truth = hunt(still, time=2)
    out = track(ObjectTracker((96, 3), "exact"), truth)
    assert (out[0] == 0).all()
    assert float((out[1, :, 0] == 1).float().mean()) > 0.9


def test_a_straight_way_is_folded_between_two_surfaces() -> None:
    way = torch.linspace(-7.0, 9.0, 161)
    low, high = torch.tensor(-1.0), torch.tensor(2.0)
    expected = []
    for x in way.tolist():
        while not -1.0 <= x <= 2.0:
            x = -2.0 - x if x < -1.0 else 4.0 - x
        expected.append(x)
    torch.testing.assert_close(fold(way, low, high), torch.tensor(expected), atol=1e-5, rtol=0)


def test_a_disc_is_located_from_the_rays_that_meet_it() -> None:
    """Exactly from two rays on; from one, straight behind what it met."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        angle, far = rng.uniform(-np.pi, np.pi), rng.uniform(0.8, 4.0)
        center = far * np.array([np.cos(angle), np.sin(angle)])
        view = torch.zeros(24, 4, dtype=torch.float64)
        way = sighting.directions(view).numpy()
        along = way @ center
        room = 0.4**2 - (far**2 - along**2)
        met = (room > 0) & (along > 0)
        view[:, 0] = torch.as_tensor(np.where(met, 1 - (along - np.sqrt(room.clip(0))) / 8, 0.0))
        place, count = sighting.locate(view, torch.as_tensor(met), 0.4)
        assert int(count) == met.sum()
        if met.sum() >= 2:
            np.testing.assert_allclose(place.numpy(), center, atol=1e-4)
        elif met.any():
            assert (
                np.linalg.norm(place.numpy() - center) < 0.57
            )  # both are on circles round the point
        else:
            assert (place == 0).all()


def annotated(truth: Truth, cost: OcclusionPrediction) -> Trace:
    trace = Trace(truth)
    return trace.noted(cost.annotate(trace, {}, nn.Module())[0])


def test_the_target_is_where_the_hidden_will_be_seen_next() -> None:
    """From the senses alone."""
    cost = OcclusionPrediction()
    truth = hunt(wander)
    trace = annotated(truth, cost)
    counts = cost.mask(trace)
    assert (truth["hidden"] | ~counts).all()
    # From elsewhere the walls of the alcoves hide the mouth.
    assert float(counts.sum() / truth["hidden"].sum()) > 0.3
    mouth = 4 * cost.target(trace)[counts]
    apart = (mouth - truth["exit"][counts]).norm(dim=-1)
    # It stops 0.81 m before where its middle is when the screen no longer hides it.
    assert float((apart - 0.81).abs().median()) < 0.1


def test_what_the_rollout_before_saw_is_known() -> None:
    cost, truth = OcclusionPrediction(), hunt(wander)
    whole = annotated(truth, cost)
    state: dict[str, Tensor] = {}
    for part in (slice(6), slice(6, TIME)):
        trace = Trace({name: x[part] for name, x in truth.items()})
        notes, state = cost.annotate(trace, state, nn.Module())
    for name in ("target", "counts"):
        key = f"occlusion_prediction/{name}"
        torch.testing.assert_close(notes[key], whole[key][6:])


@pytest.mark.parametrize("prior", ["noisy", "learnt"])
def test_prediction_through_occlusion_teaches_the_tracker(prior: str) -> None:
    """From the cost alone, in other worlds than it is tested in."""
    cost, truth = OcclusionPrediction(), hunt(wander)
    torch.manual_seed(3)
    area = ObjectTracker((96, 3), prior)
    sizes = Sizes({"tracker": 7, "core": 7}, {"tracker": "tracker"})
    head = cost.heads(sizes)
    trace = annotated(truth, cost)
    learn = torch.optim.Adam([*area.parameters(), *head.parameters()], lr=0.03)
    train, test = slice(0, 60), slice(60, WORLDS)

    def loss(worlds: slice) -> Tensor:
        tensors = {name: x[:, worlds] for name, x in trace.tensors.items()}
        inputs = (tensors["vision"], tensors["egomotion"])
        begin = area.initial_state(len(tensors["go"][0]))
        tensors["tracker"] = area(inputs, begin, tensors["episode_start"])[0]
        return cost.loss(Trace(tensors), head).mean()

    before = [area.get_parameter(name).detach().clone() for name, _ in area.named_parameters()]
    losses = []
    for _ in range(60):
        value = loss(train)
        learn.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        learn.step()
        losses.append(float(value.detach()))
    with torch.no_grad():
        assert float(loss(test)) < 0.35  # of the variance of where it comes out
    assert losses[-1] < 0.3 * losses[0]
    assert any(not torch.equal(a, b) for a, b in zip(before, area.parameters(), strict=True))


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="give one of exact, noisy, learnt"):
        ObjectTracker((96, 3), "perfect")
    with pytest.raises(ValueError, match="vision of rays x 4 channels and egomotion"):
        ObjectTracker((95, 3))


@pytest.mark.parametrize("prior", ["noisy", "learnt"])
def test_gradients_of_its_parameters_are_those_of_finite_differences(prior: str) -> None:
    """Those of its inputs are not checked: standing surfaces tie in the maximum over views."""
    torch.manual_seed(0)
    area, truth = ObjectTracker((96, 3), prior, hidden=4).double(), hunt(wander, time=8)
    inputs = tuple(truth[name][:, :3].double() for name in ("vision", "egomotion"))
    begin = {name: x[:3].double() for name, x in area.initial_state(3).items()}
    names = [name for name, _ in area.named_parameters()]

    def run(*parameters: Tensor) -> Tensor:
        named = dict(zip(names, parameters, strict=True))
        start = truth["episode_start"][:, :3]
        output: Tensor = torch.func.functional_call(area, named, (inputs, begin, start))[0]
        return output

    assert torch.autograd.gradcheck(run, tuple(area.parameters()), fast_mode=True)
