"""DarkHome: the rules, one by one."""

import numpy as np
import numpy.typing as npt
import pytest

from motley.envs import World
from motley.envs.streams import length
from motley.envs.tasks.dark_home import DarkHome

LEVELS = range(len(DarkHome.levels))


def make(n: int = 500, level: int = 2, ood: bool = False, stop: bool = False) -> World:
    world = World(DarkHome(level, ood, stop), n)
    world.seed(np.arange(n))
    world.reset()
    return world


def walk(world: World) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """An oracle step: reward and terminated."""
    reward, terminated, _ = world.step(world.task.oracle(world))
    return reward, terminated


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("ood", [False, True])
def test_layout(level: int, ood: bool) -> None:
    world = make(level=level, ood=ood)
    foods = DarkHome.levels[level].foods * (3 if ood else 1)
    spots = world.shape_position[:, :foods]
    from_nest = length(spots)
    assert from_nest.min() > 1.5
    steps = np.diff(spots, axis=1, prepend=np.zeros((500, 1, 2)))
    assert length(steps).min() + 1e-5 >= 1.2
    assert length(steps).max() <= 2.5 + 1e-5
    assert (world.shape_radius[:, :foods] == np.float32(0.35)).all()
    assert (world.position == 0).all()
    assert (world.shape_visible.sum(1) == 1).all()
    assert world.shape_visible[:, 0].all()
    if ood:
        assert (world.gain == 1.5).all()
    else:
        assert 0.8 <= world.gain.min() < 0.82
        assert 1.18 < world.gain.max() < 1.2
    np.testing.assert_array_equal(world.cue[:, 0], world.gain / 2)


def test_directions_are_drawn_from_the_whole_circle() -> None:
    world = make(4_000)
    for angles in (world.heading, np.arctan2(*world.shape_position[:, 0].T)):
        counts, _ = np.histogram(angles, 8, (-np.pi, np.pi))
        assert counts.min() > 400


def test_foods_in_their_order_then_home_in_the_dark() -> None:
    world = make(200)
    total = np.zeros(200)
    over = np.zeros(200, np.bool_)
    was_lit = np.ones(200, np.bool_)
    for _ in range(60):
        goal = world.goal.copy()
        reward, terminated = walk(world)
        live = ~over
        eaten = live & (world.goal > goal)
        np.testing.assert_allclose(reward[eaten], 0.2 / 3, atol=1e-7)
        observation = world.observe()
        assert (observation["touch"][eaten] == 1).all()
        assert (observation["touch"][live & ~eaten] == 0).all()
        lit = world.goal < 3
        np.testing.assert_array_equal(world.light > 0, lit)
        rows = np.flatnonzero(lit & live)
        np.testing.assert_array_equal(np.argmax(world.shape_visible[rows], 1), world.goal[rows])
        assert (world.shape_visible.sum(1) == lit).all()
        assert (observation["vision"][~lit] == 0).all()
        total += reward * live
        over |= terminated
        was_lit &= lit
    assert over.all()
    np.testing.assert_allclose(total, 1.2, atol=1e-6)
    assert not was_lit.any()


def test_home_is_half_a_metre_wide_and_counts_only_in_the_dark() -> None:
    world = make(3)
    world.position[:] = [[0.55, 0], [0.45, 0], [0.45, 0]]
    world.goal[:] = [3, 3, 1]
    world.limit[:] = 100
    reward, terminated, _ = world.step(np.zeros((3, 2), np.float32))
    np.testing.assert_array_equal(terminated, [False, True, False])
    np.testing.assert_array_equal(reward, [0, 1, 0])
    np.testing.assert_array_equal(world.task.success(world), [False, True, False])


def test_stop_asks_the_body_to_stand_still() -> None:
    world = make(2, stop=True)
    world.goal[:] = 3
    world.limit[:] = 100
    _, terminated, _ = world.step(np.array([[0.1, 0], [0, 0]], np.float32))
    np.testing.assert_array_equal(terminated, [False, True])


def test_the_limit_of_the_way_home() -> None:
    world = make(300)
    for _ in range(70):
        before = world.goal.copy()
        walk(world)
        fresh = (before == 2) & (world.goal == 3)
        steps = np.floor(1.5 * length(world.position[fresh]) / 0.4 + 4)
        np.testing.assert_array_equal(world.limit[fresh] - world.elapsed[fresh], steps)
        world.goal[fresh] = 3
        if fresh.any():
            break
    row = int(np.flatnonzero(fresh)[0])
    left = int(world.limit[row] - world.elapsed[row])
    for step in range(1, left + 1):
        _, terminated, _ = world.step(np.zeros((300, 2), np.float32))
        assert terminated[row] == (step >= left)
    assert not world.task.success(world)[row]


@pytest.mark.parametrize("level", LEVELS)
def test_the_oracle_uses_a_quarter_of_the_horizon(level: int) -> None:
    world = make(300, level)
    over, steps = np.zeros(300, np.bool_), np.zeros(300)
    while not over.all():
        _, terminated = walk(world)
        steps[~over] += 1
        over |= terminated
    assert steps.mean() < 0.4 * world.task.horizon
    assert steps.max() < world.task.horizon


def test_the_nest_gives_no_sign_of_itself() -> None:
    """On the nest or far from it, the senses are the same."""
    world, far = make(50), make(50)
    far.position[:] += 100.0
    for one in (world, far):
        one.light[:] = 0.0
        one.goal[:] = 3
        one.shape_visible[:] = one.shape_touchable[:] = False
    action = np.tile(np.array([0.5, 0.2], np.float32), (50, 1))
    world.step(action)
    far.step(action)
    assert world.contact[:, 3].all()
    for name, seen in world.observe().items():
        np.testing.assert_allclose(seen, far.observe()[name], atol=1e-6)
