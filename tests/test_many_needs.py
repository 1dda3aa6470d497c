"""ManyNeeds: the rules, one by one."""

import numpy as np
import pytest

from motley.envs import World
from motley.envs.senses import hue
from motley.envs.streams import length
from motley.envs.tasks.foraging import Metabolism, Planner
from motley.envs.tasks.many_needs import ManyNeeds
from motley.envs.tasks.many_needs_policies import Forager

LEVELS = range(len(ManyNeeds.levels))
rungs = pytest.mark.parametrize(
    ("level", "ood"), [(level, ood) for level in LEVELS for ood in (False, True)]
)


def make(level: int = 1, ood: bool = False, n: int = 200) -> World:
    world = World(ManyNeeds(level, ood), n)
    world.seed(np.arange(n))
    world.reset()
    return world


def still(world: World) -> np.ndarray:
    return np.zeros((world.n, 2), np.float32)


@rungs
def test_layout(level: int, ood: bool) -> None:
    world = make(level, ood)
    needs = ManyNeeds.levels[level].needs
    assert world.n_shapes == needs
    near, far, _ = ManyNeeds.levels[level].ring
    distance = length(world.shape_position)
    assert distance.min() >= near - 1e-5
    assert distance.max() <= far + 1e-5
    gap = length(world.shape_position[:, :, None] - world.shape_position[:, None])
    # Even the neighbours leave room for the body between them.
    assert (gap + 10.0 * np.eye(needs)).min() > 2 * (0.4 + 0.25)
    sinks = world.rate > 0
    assert (sinks.sum(1) == needs - ood).all()
    most = np.where(sinks, world.rate, 0).max(1)
    least = np.where(sinks, world.rate, 9).min(1)
    assert 1.0 <= (most / least).max() <= (6.0 if ood else 4.0) + 1e-4
    # A patch can feed its need: the time it takes is shorter than that in which a meal is used up.
    assert (world.ripens[sinks] * world.rate[sinks] < 0.7).all()
    shown = world.observe()["interoception"]
    np.testing.assert_array_equal(shown[:, :needs], world.need)
    assert (shown[:, needs:] == 0).all()
    assert (world.need[~sinks] == 1.0).all()


def test_the_drive_is_that_of_keramati_and_gutkin() -> None:
    need = np.random.default_rng(0).random((50, 5)).astype(np.float32)
    slow = [sum((h - 0.8) ** 2 for h in row) / (5 * 0.8**2) for row in need.astype(np.float64)]
    np.testing.assert_allclose(Metabolism().drive(need), slow, rtol=1e-5)


def test_the_reward_is_what_the_drive_fell_by() -> None:
    world = make()
    first, rng = world.drive.astype(np.float64), np.random.default_rng(0)
    total, alive = np.zeros(200), np.ones(200, np.bool_)
    for _ in range(60):
        reward, dead, _ = world.step(rng.uniform(-1, 1, (200, 2)).astype(np.float32))
        total += reward * alive
        alive &= ~dead
        drive = ((world.need - 0.8) ** 2).mean(1) / 0.64
        np.testing.assert_allclose(world.drive[alive], drive[alive], atol=1e-6)
        np.testing.assert_allclose(total[alive], (first - world.drive)[alive], atol=1e-5)
    assert not alive.all()
    np.testing.assert_allclose(total[~alive], first[~alive] - 1.0, atol=1e-5)


def test_food_is_worth_what_it_does_for_the_drive() -> None:
    """Devaluation: the same patch pays less the fuller the need, costs, and then does nothing."""
    worth = []
    for level in (0.1, 0.5, 0.79, 1.0):
        world = make(n=1)
        world.rate[:] = 1e-9
        world.need[:] = 0.8
        world.need[0, 0] = level
        world.drive[:] = Metabolism().drive(world.need)
        world.age[:] = world.ripens
        world.position[0] = world.shape_position[0, 0]
        worth.append(float(world.step(still(world))[0][0]))
    assert worth[0] > worth[1] > 0 > worth[2]
    assert worth[3] == pytest.approx(0.0, abs=1e-6)


def test_a_patch_gives_the_square_of_the_time_and_begins_anew() -> None:
    world = make(n=1)
    world.rate[:] = 0.0
    world.ripens[:] = 20.0
    for waited, given in ((5.0, 0.7 / 16), (10.0, 0.7 / 4), (20.0, 0.7), (60.0, 0.7)):
        world.need[:] = 0.2
        world.age[:] = waited
        world.position[0] = world.shape_position[0, 2]
        world.step(still(world))
        np.testing.assert_allclose(world.need[0], [0.2, 0.2, 0.2 + given, 0.2], atol=1e-6)
        assert world.age[0, 2] == 0
        assert world.observe()["touch"][0, 0] == 1
        np.testing.assert_allclose(world.shape_color[0, 2], 0.3 * hue(90.0), atol=1e-6)
    # Whoever stays on it lives on crumbs.
    world.need[:] = 0.2
    for _ in range(20):
        world.step(still(world))
    assert world.need[0, 2] < 0.2 + 20 * 0.7 / 400 + 1e-3


@pytest.mark.parametrize("level", LEVELS)
def test_death_counts_to_the_end(level: int) -> None:
    """Of a body that stands still, by a loop over each need in float64."""
    world = make(level, n=30)
    need, rate = world.need.astype(np.float64), world.rate.astype(np.float64)
    expected = np.zeros(30)
    for i in range(30):
        drives: list[float] = []
        for t in range(1, 201):
            h = need[i] - rate[i] * t
            dead = h.min() <= 0
            drives.append(1.0 if dead or (drives and drives[-1] == 1.0) else
                          float(np.mean((h - 0.8) ** 2)) / 0.64)  # fmt: skip
        expected[i] = 1 - np.mean(drives)
    scores = np.full(30, np.nan)
    for _ in range(200):
        _, dead, _ = world.step(still(world))
        ends = dead & np.isnan(scores)
        scores[ends] = world.task.score(world)[ends]
    assert not np.isnan(scores).any()
    # One step more or less where a need is at zero up to rounding.
    np.testing.assert_allclose(scores, expected, atol=0.006)
    assert not world.task.success(world).any()


def test_the_planner_weighs_ripeness_urgency_and_distance() -> None:
    def choose(need: list[float], part: list[float], first: list[float]) -> tuple[int, float]:
        rate = np.full((1, 2), 0.02, np.float32)
        ripens = np.full((1, 2), 25.0, np.float32)
        between = np.full((1, 2, 2), 5.0, np.float32)
        age = 25 * np.array([part], np.float32)
        levels, steps = np.array([need], np.float32), np.array([first], np.float32)
        target, wait = planner.choose(levels, age, rate, ripens, steps, between)
        return int(target[0]), float(wait[0])

    planner = Planner(Metabolism())
    assert choose([0.5, 0.5], [1.0, 0.2], [4, 4]) == (0, 0.0)  # the ripe one
    assert choose([0.7, 0.25], [1.0, 1.0], [4, 4]) == (1, 0.0)  # the lower of two ripe ones
    assert choose([0.5, 0.5], [1.0, 1.0], [2, 9]) == (0, 0.0)  # the nearer
    assert choose([0.8, 0.8], [0.1, 0.1], [4, 4])[1] > 0  # nothing is ripe, and nothing presses


def test_the_observer_learns_rates_and_places_from_its_senses() -> None:
    world = make(n=50)
    eye = world.task.observer()
    assert isinstance(eye, Forager)
    eye.reset(50)
    starts = np.ones(50, np.bool_)
    for _ in range(12):
        action = eye.act(world.observe(), starts)
        starts = np.zeros(50, np.bool_)
        world.step(action)
    # Rays are 15 degrees apart, and far patches are seen less well.
    eye.act(world.observe(), starts)
    far = length(world.shape_position - world.position[:, None])
    assert np.abs(length(eye.spot) - far).mean() < 0.15
    np.testing.assert_allclose(eye.rate, world.rate, atol=2e-6)
    known = eye.known & (eye.part < 1.0)
    assert known.mean() > 0.3
    np.testing.assert_allclose(eye.ripens[known], world.ripens[known], rtol=0.03)
