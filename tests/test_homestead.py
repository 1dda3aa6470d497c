"""Homestead: the rules, one by one."""

from typing import Any

import numpy as np
import pytest
import torch

from motley.costs import DriveReduction, Trace
from motley.envs import World
from motley.envs.sb3 import WorldVecEnv
from motley.envs.streams import length
from motley.envs.tasks.homestead import DAY, NIGHT, SHOWING, Homestead

LEVELS = range(len(Homestead.levels))
levels = pytest.mark.parametrize("level", LEVELS)


def make(level: int = 3, ood: bool = False, n: int = 100) -> World:
    world = World(Homestead(level, ood), n)
    world.seed(np.arange(n))
    world.reset()
    return world


def still(world: World) -> np.ndarray:
    return np.zeros((world.n, 2), np.float32)


@levels
@pytest.mark.parametrize("ood", [False, True])
def test_layout(level: int, ood: bool) -> None:
    world = make(level, ood)
    setting = Homestead.levels[level]
    assert world.n_shapes == setting.patches + setting.caches
    # The nest lies within the ring, out of reach of all sites, and off its middle.
    assert length(world.shape_position).min() > 0.4 + 0.25
    gap = length(world.shape_position[:, :, None] - world.shape_position[:, None])
    assert (gap + 10 * np.eye(world.n_shapes)).min() > 2 * 0.4
    fed = setting.patches + (setting.caches > 0)
    shown = world.observe()["interoception"]
    assert (shown[:, :fed] > 0).all()
    assert (shown[:, fed:] == 0).all()
    items = world.item.reshape(-1)
    if setting.caches and ood:
        assert set(np.unique(items)) == {-1.0, 1.0}
    elif setting.caches:
        assert abs(float((items**2).mean()) - 1 / 3) < 0.03


@levels
def test_a_day_has_its_phases(level: int) -> None:
    world, setting = make(level), Homestead.levels[level]
    phases = np.zeros((100, 3), np.int64)
    day, before = world.day.copy(), world.phase.copy()
    while (world.day == day).all():
        assert (world.free == (world.phase != SHOWING)).all()
        assert ((world.light > 0) == (world.phase != NIGHT)).all()
        seen = world.observe()
        lit = world.shape_visible.sum(1)
        assert (lit[world.phase == SHOWING] == 1).all()
        for name, sense in seen.items():  # by night nothing tells where the body is but its motion
            felt = name in ("egomotion", "touch", "interoception", "go")
            assert felt or (sense[world.phase == NIGHT] == 0).all()
        # What is felt as the light goes out was met in the last step of the day.
        assert (seen["touch"][(world.phase == NIGHT) & (before == NIGHT)] == 0).all()
        phases[world.rows, world.phase] += 1
        before = world.phase.copy()
        world.step(world.task.oracle(world))
    assert (phases[:, SHOWING] == 2 * setting.caches).all()
    ended = world.day > 0
    assert (phases[ended, DAY] == world.daylight[ended, 0]).all()
    if setting.nights:
        assert phases[ended, NIGHT].min() >= 1
    else:
        assert (phases[:, NIGHT] == 0).all()
    # The next dawn finds the body on its nest, or dead outside.
    assert length(world.position[ended & ~world.dead]).max() <= 0.5


def test_the_right_cache_feeds_and_then_nothing_is_asked() -> None:
    world = make()
    for _ in range(6):
        world.step(still(world))
    assert (world.phase == DAY).all()
    asked = world.query[:, 0]
    np.testing.assert_array_equal(world.observe()["cue"][:, :6], world.item[world.rows, asked])
    before, right = world.need[:, 2].copy(), world.rows % 2 == 0
    site = 2 + np.where(right, asked, (asked + 1) % 3)
    world.position[:] = world.shape_position[world.rows, site]
    world.step(still(world))
    meal = np.minimum(before - world.rate[:, 2] + 0.7 * right, 1.0)
    np.testing.assert_allclose(world.need[:, 2], meal, atol=1e-6)
    assert (world.asked == 1).all()
    assert (world.observe()["cue"] == 0).all()
    world.step(still(world))  # still there, and nothing is asked
    assert (world.asked == 1).all()
    assert (world.need[:, 2] < meal).all()


@levels
def test_a_day_is_kept_by_low_drive_and_by_being_home(level: int) -> None:
    """By a loop beside the world: the mean drive of each day, before sleep took its part."""
    world, setting = make(level, n=60), Homestead.levels[level]
    task = world.task
    drives: list[list[float]] = [[] for _ in range(60)]
    kept = np.zeros(60, np.int64)
    away = world.rows % 3 == 0  # these stay where night falls
    over = np.zeros(60, np.bool_)
    while not over.all():
        action = task.oracle(world)
        action[away & (world.phase == NIGHT)] = 0.0
        up, day, night = world.phase != SHOWING, world.day.copy(), world.phase == NIGHT
        _, terminated, truncated = world.step(action)
        assert not (terminated & truncated).any()
        at_home = length(world.position) <= 0.5
        for i in np.flatnonzero(~over):
            ends = bool(world.day[i] > day[i])
            if up[i]:
                need = world.need[i] + 8 * world.rate[i] * ends
                drives[i].append(float(np.mean((need - 0.8) ** 2)) / 0.64)
            if ends:
                home = not setting.nights or bool(night[i] and at_home[i])
                assert setting.nights <= world.dead[i] or home
                kept[i] += np.mean(drives[i]) <= 0.13 and not world.dead[i]
                drives[i] = []
        over |= terminated | truncated
    score = task.score(world)
    # A need that was full before sleep, or a drive at the limit, may fall otherwise by rounding.
    assert (np.abs(score - kept / 3) < 1e-9).mean() > 0.95
    if setting.nights:
        assert score[away].mean() < score[~away].mean() - 0.1


@pytest.mark.parametrize(("left", "lives"), [(0.5, False), (1.5, True)])
def test_no_day_is_kept_whose_sleep_kills(left: float, lives: bool) -> None:
    """``left``: what a need still has as the body falls asleep, in what sleep takes of it."""
    world = make(2, n=20)
    while (world.phase != NIGHT).any():
        world.need[:], world.elapsed[:] = 1.0, world.due
        world.step(still(world))
    world.position[:], world.burden[:] = 0.0, 0.0
    world.need[:, 0] = world.rate[:, 0] * (1 + left * Homestead.sleep)
    world.step(still(world))
    assert (world.day == 1).all()
    assert (world.dead != lives).all()
    assert (world.kept == lives).all()


@levels
def test_to_live_through_the_last_day_is_no_death(level: int) -> None:
    """Time is up in the morning after it."""
    world, lived = make(level, n=60), np.zeros(60, np.bool_)
    over = lived.copy()
    while not over.all():
        reward, terminated, truncated = world.step(world.task.oracle(world))
        ends = (terminated | truncated) & ~over
        assert (terminated == world.dead)[ends].all()
        lived |= ends & ~terminated
        morning = np.flatnonzero(ends & ~terminated)
        assert (world.day[morning] == 3).all()
        assert (world.phase[morning] != NIGHT).all()
        assert (world.light[morning] == 1).all()
        assert (reward[morning] > -0.5).all()
        over |= ends
    assert lived.mean() > 0.5
    assert world.elapsed.max() < world.task.horizon


def test_the_cost_of_drives_takes_death_for_one_and_the_last_morning_not() -> None:
    """Through the door that agents learn by, from what it says of an episode's last step."""
    env, last = WorldVecEnv(Homestead(2, ood=True), 100, seed=0), {True: 0, False: 0}
    seen: Any = env.reset()
    for _ in range(env.task.horizon):
        now, (seen, _, done, infos) = seen, env.step(env.oracle())
        terminated = [d and not i["TimeLimit.truncated"] for d, i in zip(done, infos, strict=True)]
        tensors = {
            "interoception": torch.as_tensor(np.stack((now["interoception"],))),
            "episode_start": torch.zeros(1, 100, dtype=torch.bool),
            "terminated": torch.tensor([terminated]),
        }
        fell = DriveReduction().score(Trace(tensors, {}))[0]
        for i in np.flatnonzero(done):
            lived = not terminated[i]
            last[lived] += 1
            assert (fell[i] == 0) if lived else (fell[i] < -1)
    assert last[True] > 5 * last[False] > 0


def test_the_picture_says_how_a_life_stands() -> None:
    world = make(n=2)
    task = world.task
    assert task.scene(world, 0)["caption"] == "day 1 of 3: dawn"
    world.day[0], world.dead[1] = 3, True
    assert [task.scene(world, i)["caption"] for i in (0, 1)] == ["the days are over", "dead"]


def test_sleep_is_longer_out_of_distribution() -> None:
    lost = []
    for ood in (False, True):
        world = make(2, ood, n=20)
        world.rate[:] = 0.001
        while (world.day == 0).all():  # the body stays on its nest
            before = world.need.copy()
            world.step(still(world))
        slept = world.day > 0
        lost.append(float((before - world.need)[slept].mean()))
    assert lost[0] == pytest.approx(0.009, rel=0.01)  # 8 steps of sleep and one awake
    assert lost[1] == pytest.approx(0.013, rel=0.01)


@levels
def test_a_world_is_the_same_in_any_batch(level: int) -> None:
    many = make(level, n=40)
    for seed in (0, 17, 39):
        one = World(Homestead(level), 1)
        one.seed([seed])
        one.reset()
        states = many.get_state()
        for _ in range(60):
            one.step(one.task.oracle(one))
            many.step(many.task.oracle(many))
        for name, array in one.observe().items():
            np.testing.assert_array_equal(array[0], many.observe()[name][seed])
        many.set_state(states)
