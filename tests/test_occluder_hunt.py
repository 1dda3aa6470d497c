"""OccluderHunt: the rules, one by one."""

import math

import numpy as np
import pytest

from motley.envs import World
from motley.envs.streams import length
from motley.envs.tasks.occluder_hunt import OccluderHunt
from motley.envs.tasks.occluder_hunt_policies import Predictor

rungs = pytest.mark.parametrize(
    ("level", "ood"), [(level, ood) for level in range(4) for ood in (False, True)]
)


def make(level: int = 0, ood: bool = False, n: int = 200) -> World:
    world = World(OccluderHunt(level, ood), n)
    world.seed(np.arange(n))
    world.reset()
    return world


def rules(world: World) -> OccluderHunt:
    assert isinstance(world.task, OccluderHunt)
    return world.task


def still(world: World) -> None:
    world.step(np.zeros((world.n, 2), np.float32))


def bounced(
    place: list[float], vx: float, vy: float, steps: int, back: float
) -> tuple[float, float, int]:
    """The prey's centre after ``steps`` steps in a box, in small steps; and bounces off sides."""
    (x, y), side, count = place, 1.2, 0
    for _ in range(steps * 50):
        x, y = x + vx / 50, y + vy / 50
        if abs(x) > side:
            x, vx, count = math.copysign(2 * side, x) - x, -vx, count + 1
        if y > back:
            y, vy = 2 * back - y, -vy
    return x, y, count


@rungs
def test_the_prey_runs_straight_and_bounces(level: int, ood: bool) -> None:
    """Against an integration in small steps of the first trial of some worlds."""
    world = make(level, ood, n=3)
    hiding = world.hiding[:, 0].copy()
    first = world.shape_position[:, 0].copy()
    back = world.wall[:, 3, 1].astype(float) - 0.4
    still(world)
    velocity = world.shape_position[:, 0] - first
    track = [first, world.shape_position[:, 0].copy()]
    for _ in range(3 + hiding.max()):
        still(world)
        track.append(world.shape_position[:, 0].copy())
    for i in range(3):
        vx, vy = (float(v) for v in velocity[i])
        for steps in (2, 3, 4, 4 + hiding[i] // 2, 3 + hiding[i]):
            x, y, _ = bounced(first[i].tolist(), vx, vy, int(steps), back[i])
            np.testing.assert_allclose(track[steps][i], (x, y), atol=5e-3)
        # It is back at the screen at the exit, having bounced as often as the level says.
        x, y, count = bounced(first[i].tolist(), vx, vy, int(4 + hiding[i]), back[i])
        assert abs(x - rules(world).exits[world.exit[i, 0]]) < 5e-3
        assert abs(y - rules(world).hidden_at) < 5e-3
        assert count == level + 1
        np.testing.assert_allclose(track[4 + hiding[i]][i], (x, 1.3), atol=5e-3)


@rungs
def test_the_prey_is_faster_than_the_body_and_hidden_for_as_long_as_the_level_says(
    level: int, ood: bool
) -> None:
    world = make(level, ood, n=2_000)
    assert length(world.velocity).min() > 0.4
    low, high = (19, 22) if ood else OccluderHunt.levels[level].hiding
    assert (world.hiding.min(), world.hiding.max()) == (low, high)


@rungs
def test_the_screen_hides_the_prey_while_the_body_is_free_until_it_comes_out(
    level: int, ood: bool
) -> None:
    world = make(level, ood)
    color = np.array(rules(world).prey_color, np.float32)
    seen_while_held = np.zeros(200, np.int64)
    for _ in range(4 + int(world.hiding[:, 0].min())):
        senses = world.observe()
        rays = senses["vision"].reshape(200, 24, 4)[:, :, 1:]
        sees = (np.abs(rays - color).max(-1) < 1e-3).any(1)
        free = senses["go"][:, 0] == 1
        first = world.trial == 0
        seen_while_held += sees & ~free & first
        assert not sees[free & first].any()
        assert (world.hidden == world.free)[first].all()
        # The body runs about and looks everywhere.
        action = np.random.default_rng(0).uniform(-1, 1, (200, 2)).astype(np.float32)
        world.step(action)
    assert (seen_while_held >= 3).all()
    late = world.clock == 4 + world.hiding[:, 0]
    assert late.any()
    assert (world.shape_position[late, 0, 1] == np.float32(1.3)).all()


def test_the_body_is_held_while_it_watches() -> None:
    world = make()
    before = world.position.copy()
    for _ in range(3):
        world.step(np.ones((200, 2), np.float32))
        np.testing.assert_array_equal(world.position, before)
        assert not world.free.any()
    world.step(np.ones((200, 2), np.float32))
    np.testing.assert_array_equal(world.position, before)
    assert world.free.all()


def test_a_catch_pays_and_the_body_is_carried_back() -> None:
    world = make()
    total = np.zeros(200)
    for _ in range(world.task.horizon):
        trial, free = world.trial.copy(), world.free.copy()
        reward, terminated, _ = world.step(world.task.oracle(world))
        over = (world.trial > trial) & (trial < 4)
        np.testing.assert_allclose(reward, over - 0.005 * free, atol=1e-7)
        assert (world.touched[over]).all()
        assert (world.position[over] == rules(world).start).all()
        assert not world.free[over].any()
        total += over
    assert terminated.all()
    np.testing.assert_array_equal(world.task.score(world), total / 4)
    assert total.mean() > 3.9


def test_the_prey_can_be_caught_for_two_steps() -> None:
    """A body put before the right exit: as it comes out, one step later, and too late."""
    for late, caught in ((-1, True), (0, True), (1, False)):
        world = make(n=100)
        at = np.stack((rules(world).exits[world.exit[:, 0]], np.full(100, 0.9)), -1)
        for step in range(4 + int(world.hiding[:, 0].max()) + 2):
            # Its place before the step that would catch.
            put = (world.clock == 4 + world.hiding[:, 0] + late) & (world.trial == 0)
            put &= step >= 4
            world.position[put] = at[put]
            still(world)
        assert (world.caught == (1 if caught else 0)).all(), late


def test_who_waits_at_the_wrong_exit_catches_nothing() -> None:
    world = make()
    for step in range(24):
        if step >= 4:
            wrong = (world.exit[:, 0] + 1) % 3
            first = world.trial == 0
            world.position[first, 0] = rules(world).exits[wrong[first]]
            world.position[first, 1] = 0.9
        still(world)
    assert (world.trial > 0).all()
    assert (world.caught == 0).all()


@rungs
def test_no_place_serves_two_exits(level: int, ood: bool) -> None:
    """From any place that a body can stand in, at most one exit's prey is a step away."""
    task = OccluderHunt(level, ood)
    x, y = np.meshgrid(np.linspace(-1.35, 1.35, 109), np.linspace(-1.35, 1.45, 113))
    place = np.stack((x.ravel(), y.ravel()), -1)
    for wall in (-0.5, 0.5):
        fin = np.stack((np.full(len(place), wall), np.clip(place[:, 1], 0.3, 1.7)), -1)
        place = place[np.hypot(*(place - fin).T) >= 0.25]
    served = np.zeros(len(place))
    for exit_x in task.exits:
        mouth = np.array([exit_x, 1.3])
        # As the crow flies in open ground; an alcove's walls do not let through.
        alcove = np.digitize(place[:, 0], (-0.5, 0.5)) - 1 == exit_x
        may = alcove | (place[:, 1] < 0.3)
        served += may & (np.hypot(*(place - mouth).T) <= 0.4 + float(task.reach))
    assert served.max() == 1
    assert (served == 1).any()


@rungs
def test_nothing_but_its_motion_tells_where_the_prey_comes_out(level: int, ood: bool) -> None:
    world = make(level, ood, n=4_000)
    out = world.exit.ravel()
    assert np.bincount(out).min() / out.size > 0.32
    for trait in (world.side.ravel() > 0, world.room.ravel() > np.median(world.room)):
        for value in (False, True):
            share = np.bincount(out[trait == value]) / (trait == value).sum()
            assert share.min() > 0.31
    follows = out.reshape(-1, 4)
    assert abs((follows[:, 1:] == follows[:, :-1]).mean() - 1 / 3) < 0.02


@rungs
def test_the_observers_fit_is_the_preys_motion(level: int, ood: bool) -> None:
    """From the rays alone, to a centimetre or so, and the depth of the room exactly."""
    world = make(level, ood)
    policy = Predictor(rules(world))
    policy.reset(200)
    starts = np.ones(200, np.bool_)
    for _ in range(4):
        policy.act(world.observe(), starts)
        starts[:] = False
        still(world)
    place, velocity = policy.fit(world.rows)
    step = world.velocity[:, 0] * np.stack((world.side[:, 0], np.ones(200)), -1)
    error = np.abs(velocity - step).max(1)
    assert np.quantile(error, 0.95) < 0.01
    assert np.quantile(np.abs(place[:, 1] - rules(world).hidden_at), 0.95) < 0.02
    np.testing.assert_allclose(policy.depth, world.wall[:, 3, 1], atol=1e-4)
