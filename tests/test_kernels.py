"""The compiled kernels against slow NumPy."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from motley.envs import kernels, senses
from motley.envs.senses import hue
from motley.envs.streams import Bools, Floats, Ints, Streams
from motley.envs.task import Body, Task
from motley.envs.world import World

STILL = Body()


class Field(Task):
    """Discs strewn about: a world to test perception and motion in."""

    problem = "none"
    levels = ()
    horizon = 1_000
    n_shapes = 9
    n_walls = 0

    def __init__(self, body: Body = STILL) -> None:
        self.body = body

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        world.position[which] = rng.uniform(-4, 4, (2,))
        world.heading[which] = rng.uniform(-np.pi, np.pi)
        world.shape_position[which] = rng.uniform(-5, 5, (self.n_shapes, 2))
        world.shape_radius[which] = rng.uniform(0.1, 1.2, (self.n_shapes,))
        world.shape_color[which] = rng.uniform(0, 1, (self.n_shapes, 3))
        world.shape_visible[which] = rng.uniform(0, 1, (self.n_shapes,)) < 0.7
        world.shape_touchable[which] = rng.uniform(0, 1, (self.n_shapes,)) < 0.5
        world.light[which] = rng.integers(0, 3)
        world.light[which] /= 2
        world.cue[which] = rng.uniform(0, 1, (8,))
        world.smell[which] = rng.uniform(0, 1, (8,))
        world.interoception[which] = rng.uniform(0, 1, (8,))
        world.proprioception[which] = rng.uniform(0, 1, (4,))
        if self.n_walls:
            world.wall[which] = rng.uniform(-5, 5, (self.n_walls, 4))
            # A wall that is not there, among others that are.
            world.wall[which, 1, 2:] = world.wall[which, 1, :2]
            world.wall_color[which] = rng.uniform(0, 1, (self.n_walls, 3))

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        return np.zeros(world.n), np.zeros(world.n, bool)

    def score(self, world: World) -> npt.NDArray[Any]:
        return np.zeros(world.n)

    def oracle(self, world: World) -> Floats:
        return np.zeros((world.n, 2), np.float32)


class Maze(Field):
    """Walls among the discs, some of which are solid."""

    n_walls = 5

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        super().layout(world, which, rng)
        world.shape_solid[which] = rng.uniform(0, 1, (self.n_shapes,)) < 0.5
        world.shape_radius[which] /= 2


def make(n: int, body: Body = STILL, seed: int = 0, kind: type[Field] = Field) -> World:
    world = World(kind(body), n)
    world.seed(seed + np.arange(n))
    world.reset()
    return world


def look(world: World, i: int) -> npt.NDArray[np.float64]:
    """What world i sees, ray by ray and disc by disc, (24, 4) in float64."""
    view = np.zeros((24, 4))
    for ray in range(24):
        angle = float(world.heading[i]) + 2 * np.pi * ray / 24
        direction = np.array([np.cos(angle), np.sin(angle)])
        best = kernels.RANGE
        for s in np.flatnonzero(world.shape_visible[i]):
            to = world.shape_position[i, s].astype(float) - world.position[i]
            radius = float(world.shape_radius[i, s])
            along = to @ direction
            beside = to @ to - along**2
            if beside >= radius**2 or along + np.sqrt(radius**2 - beside) <= 0:
                continue
            distance = max(along - np.sqrt(radius**2 - beside), 0.0)
            if distance < best:
                best = distance
                view[ray, 0] = 1 - distance / kernels.RANGE
                view[ray, 1:] = world.shape_color[i, s] * world.light[i]
        for (ax, ay, bx, by), color in zip(world.wall[i], world.wall_color[i], strict=True):
            a, b = np.array([ax, ay], float), np.array([bx, by], float)
            sides = np.stack([direction, a - b], 1)
            if abs(np.linalg.det(sides)) < 1e-12:
                continue
            distance, share = np.linalg.solve(sides, a - world.position[i])
            if 0 <= share <= 1 and 0 <= distance < best:
                best = distance
                view[ray, 0] = 1 - distance / kernels.RANGE
                view[ray, 1:] = color * world.light[i]
    return view if world.light[i] > 0 else np.zeros((24, 4))


@pytest.mark.parametrize("kind", [Field, Maze])
def test_vision_equals_the_slow_reference(kind: type[Field]) -> None:
    world = make(200, kind=kind)
    seen = world.observe()["vision"].reshape(200, 24, 4)
    slow = np.stack([look(world, i) for i in range(200)])
    # A ray that grazes a disc may fall on either side of it in float32.
    off = np.abs(seen - slow).max((1, 2)) > 1e-4
    assert off.sum() <= 2
    assert (slow[..., 0] > 0).mean() > 0.1
    assert (seen.reshape(200, -1)[world.light == 0] == 0).all()


def test_each_ray_sees_what_stands_in_its_direction() -> None:
    world = make(24)
    world.shape_visible[:] = False
    world.shape_visible[:, 0] = True
    world.light[:] = 1.0
    angles = world.heading + senses.vision().angles
    world.shape_position[:, 0, 0] = world.position[:, 0] + 2 * np.cos(angles)
    world.shape_position[:, 0, 1] = world.position[:, 1] + 2 * np.sin(angles)
    world.shape_radius[:, 0] = 0.2
    nearness = world.observe()["vision"].reshape(24, 24, 4)[..., 0]
    np.testing.assert_array_equal(nearness > 0, np.eye(24, dtype=bool))
    np.testing.assert_allclose(np.diag(nearness), 1 - 1.8 / 8, atol=1e-5)


def test_a_nearer_disc_hides_the_one_behind_in_any_order() -> None:
    world = make(2)
    world.light[:] = 1.0
    world.shape_visible[:] = False
    world.shape_visible[:, :2] = True
    world.position[:] = world.heading[:] = 0.0
    world.shape_radius[:] = 0.3
    world.shape_position[0, :2] = [[1, 0], [2, 0]]
    world.shape_position[1, :2] = [[2, 0], [1, 0]]
    world.shape_color[0, :2] = [[1, 0, 0], [0, 1, 0]]
    world.shape_color[1, :2] = [[0, 1, 0], [1, 0, 0]]
    ahead = world.observe()["vision"].reshape(2, 24, 4)[:, 0]
    np.testing.assert_allclose(ahead, [[1 - 0.7 / 8, 1, 0, 0]] * 2, atol=1e-6)


def test_motion_without_noise_equals_the_slow_reference() -> None:
    world = make(100)
    actions = np.random.default_rng(0).uniform(-1.5, 1.5, (100, 2)).astype(np.float32)
    world.free[::5] = False
    position, heading = world.position.astype(float), world.heading.astype(float)
    world.step(actions)
    turn = np.clip(actions[:, 1], -1, 1) * np.pi / 3 * world.free
    forward = np.clip(actions[:, 0], 0, 1) * 0.4 * world.free
    heading += turn
    position += forward[:, None] * np.stack([np.cos(heading), np.sin(heading)], 1)
    np.testing.assert_allclose(world.position, position, atol=1e-5)
    np.testing.assert_allclose(np.sin(world.heading - heading), 0.0, atol=1e-5)
    np.testing.assert_allclose(world.displacement, forward, atol=1e-6)
    np.testing.assert_allclose(world.turn, turn, atol=1e-6)
    felt = np.stack([forward / kernels.FORWARD_SCALE, np.sin(turn), np.cos(turn)], 1)
    observation = world.observe()
    np.testing.assert_allclose(observation["egomotion"], felt, atol=1e-6)
    np.testing.assert_array_equal(observation["go"][:, 0], world.free)
    for sense in ("cue", "smell", "interoception", "proprioception"):
        np.testing.assert_array_equal(observation[sense], getattr(world, sense))
        assert (observation[sense] > 0).all()
    assert (np.abs(world.heading) <= np.float32(np.pi)).all()


def test_contact_is_tested_along_the_path() -> None:
    fast = make(200, Body(speed=3.0))
    before = fast.position.astype(float)
    fast.step(np.tile(np.array([1, 0], np.float32), (200, 1)))
    path = before[:, None] + np.linspace(0, 1, 3_001)[:, None] * (fast.position - before)[:, None]
    gaps = np.linalg.norm(path[:, :, None] - fast.shape_position[:, None], axis=-1).min(1)
    gaps -= fast.shape_radius + 0.25
    clear = np.abs(gaps) > 1e-3
    np.testing.assert_array_equal(fast.contact[clear], (gaps <= 0)[clear])
    jumped = (
        fast.contact
        & (
            np.linalg.norm(before[:, None] - fast.shape_position, axis=-1)
            > fast.shape_radius + 0.25
        )
        & (
            np.linalg.norm(fast.position[:, None] - fast.shape_position, axis=-1)
            > fast.shape_radius + 0.25
        )
    )
    assert jumped.sum() > 20
    felt = (fast.contact & fast.shape_touchable).any(1)
    np.testing.assert_array_equal(fast.observe()["touch"][:, 0], felt)
    assert 0 < felt.sum() < 200


def gaps(world: World) -> npt.NDArray[np.float64]:
    """Distance of each body's rim to the nearest wall or solid disc, (N,) metres."""
    out = np.full(world.n, np.inf)
    for i in range(world.n):
        here = world.position[i].astype(float)
        for wall in world.wall[i].astype(float):
            way = wall[2:] - wall[:2]
            if way.any():
                share = np.clip((here - wall[:2]) @ way / (way @ way), 0, 1)
                out[i] = min(out[i], np.linalg.norm(here - wall[:2] - share * way) - 0.25)
        for s in np.flatnonzero(world.shape_solid[i]):
            apart = np.linalg.norm(here - world.shape_position[i, s])
            out[i] = min(out[i], apart - world.shape_radius[i, s] - 0.25)
    return out


def test_walls_and_solid_discs_hold_the_body() -> None:
    world = make(300, kind=Maze)
    free = gaps(world) > 0.0
    rng = np.random.default_rng(0)
    touched = np.zeros(300, bool)
    for _ in range(60):
        before = world.position.copy()
        world.step(np.stack([rng.uniform(0.5, 1, 300), rng.normal(0, 0.2, 300)], 1, dtype="f4"))
        assert (gaps(world)[free] > -1e-4).all()
        touched |= world.touched
        way = np.linalg.norm(world.position - before, axis=1)
        assert (np.abs(world.displacement) <= way + 1e-5).all()
    assert free.sum() > 100
    assert touched[free].mean() > 0.3
    assert np.isfinite(world.position).all()


def test_a_body_slides_along_a_wall_and_feels_it() -> None:
    world = make(1, kind=Maze)
    world.shape_solid[:] = world.shape_touchable[:] = False
    world.wall[:] = 0.0
    world.wall[0, 0] = [-9, 1, 9, 1]
    world.position[:] = world.heading[:] = 0.0
    for _ in range(3):
        world.step(np.array([[1, 0.25]], np.float32))
    for _ in range(4):
        world.step(np.array([[1, 0]], np.float32))
    slope = np.pi / 4
    np.testing.assert_allclose(world.heading[0], slope, atol=1e-5)
    np.testing.assert_allclose(world.position[0, 1], 0.75, atol=1e-5)
    assert world.touched[0]
    # It goes on sideways by what its heading has along the wall, and feels what it made ahead.
    np.testing.assert_allclose(world.displacement[0], 0.4 * np.cos(slope) ** 2, atol=1e-5)


def test_a_solid_disc_is_touched_by_a_body_that_leans_on_it() -> None:
    world = make(1)
    world.shape_radius[:] = 0.0
    world.shape_radius[0, 0] = 0.5
    world.shape_position[0, 0] = [2, 0]
    world.shape_solid[0, 0] = world.shape_touchable[0, 0] = True
    world.position[:] = world.heading[:] = 0.0
    for _ in range(8):
        world.step(np.array([[1, 0]], np.float32))
    np.testing.assert_allclose(world.position[0], [1.25, 0], atol=1e-5)
    assert world.contact[0, 0]
    assert world.touched[0]


def test_noise_has_the_sizes_that_the_body_states() -> None:
    noisy = Body(motor_forward=0.1, motor_turn=0.2, egomotion_forward=0.05, egomotion_turn=0.03)
    world = make(20_000, noisy)
    world.gain[:] = 1.2
    world.step(np.tile(np.array([1, -0.5], np.float32), (20_000, 1)))
    assert abs(world.displacement.mean() - 0.4) < 0.002
    assert abs(world.displacement.std() - 0.04) < 0.002
    assert abs(world.turn.mean() + np.pi / 6) < 0.01
    assert abs(world.turn.std() - 0.2) < 0.01
    reading = world.observe()["egomotion"]
    error = reading[:, 0] * kernels.FORWARD_SCALE / (1.2 * world.displacement) - 1
    assert abs(error.std() - 0.05) < 0.002
    assert abs((np.arctan2(reading[:, 1], reading[:, 2]) - world.turn).std() - 0.03) < 0.002
    world.step(np.zeros((20_000, 2), np.float32))
    assert (world.displacement == 0).all()
    assert (world.turn == 0).all()


def test_an_action_that_is_not_finite_is_refused_and_nothing_moves() -> None:
    world = make(3)
    before = world.get_state()
    with pytest.raises(ValueError, match=r"action of world 1 is not finite: \[nan"):
        world.step(np.array([[1, 0], [np.nan, 0], [1, 0]], np.float32))
    for name, array in world.get_state().items():
        np.testing.assert_array_equal(array, before[name])


def test_colours_of_hues_are_a_tight_frame() -> None:
    colors = hue(np.arange(0, 360, 30)) - 0.5
    cosine = np.cos(np.deg2rad(np.arange(0, 360, 30)))
    np.testing.assert_allclose(colors @ colors[0], 0.375 * cosine, atol=1e-6)


def test_a_body_takes_as_many_draws_held_as_free() -> None:
    """Or what a world draws later would depend on how long its body was held."""
    worlds = [World(Field(), 6) for _ in range(2)]
    for world in worlds:
        world.seed(np.arange(6))
        world.reset()
    worlds[1].free[::2] = False
    before = worlds[0].counters[:, kernels.DRAW].copy()
    for world in worlds:
        world.step(np.ones((6, 2), np.float32))
        np.testing.assert_array_equal(world.counters[:, kernels.DRAW], before + 2)
    assert (worlds[1].displacement[::2] == 0).all()
    assert (worlds[0].displacement > 0).all()
