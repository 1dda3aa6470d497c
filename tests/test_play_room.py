"""PlayRoom: the rules, one by one."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from motley.costs import ramp
from motley.envs import World, calibration
from motley.envs.sb3 import WorldVecEnv
from motley.envs.streams import length
from motley.envs.tasks.play_room import BALL, BLOCK, PENDULUM, SCREEN, PlayRoom
from motley.envs.tasks.play_room_policies import Bringer, Tryer

STAND = [0.0, 0.0]


def make(level: int = 2, n: int = 200, **settings: Any) -> World:
    world = World(PlayRoom(level, **settings), n)
    world.seed(np.arange(n))
    world.reset()
    return world


def act(world: World, action: npt.ArrayLike) -> npt.NDArray[Any]:
    """One step of the same action in all worlds; returns the reward."""
    return world.step(np.tile(np.asarray(action, np.float32), (world.n, 1)))[0]


def face(world: World, thing: int) -> None:
    """Put the bodies before a thing, 0.1 m from contact, looking at it."""
    middle = world.shape_position[:, thing]
    away = -middle / length(middle)[:, None]
    world.position[:] = middle + np.float32(0.7) * away
    world.heading[:] = np.arctan2(-away[:, 1], -away[:, 0])


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("screen", [False, True])
def test_layout(level: int, screen: bool) -> None:
    world = make(level, n=2_000, screen=screen)
    there = world.present
    assert (there[:, SCREEN] == screen).all()
    assert (there[:, BLOCK] == (level == 2)).all()
    assert (there[:, :BLOCK].sum(1) == (1 if level == 0 else 2)).all()
    assert there[world.rows, world.wanted].all()
    assert abs(world.wanted.mean() - 0.5) < 0.05
    distance = length(
        np.concatenate([world.shape_position[:, [BALL, BLOCK]], world.foot[:, None]], 1)
    )
    np.testing.assert_allclose(distance, 1.7, atol=1e-5)
    assert np.unique(world.shape_radius[there]) == np.float32(0.35)
    apart = length(world.shape_position - world.place[:, None])
    assert apart.min() > 1.1 - world.task.swing  # type: ignore[attr-defined]
    assert length(world.place).min() >= 0.7 - 1e-5
    assert length(world.place).max() <= 1.0 + 1e-5
    # What stands where tells nothing of what is asked for.
    bearing = np.arctan2(world.shape_position[:, BALL, 1], world.shape_position[:, BALL, 0])
    assert abs(np.corrcoef(bearing, world.wanted)[0, 1]) < 0.07
    assert 1.0 <= world.mass.min() <= world.mass.max() <= 2.0


def test_a_ball_rolls_on_by_its_mass() -> None:
    """After one push of s metres it rolls s / m, then 0.7 of it, ...: s / m / 0.3 in all."""
    world = make(1, n=100)
    world.shape_position[:, BALL] = [0.0, 0.5]
    world.position[:] = [0.0, -0.2]
    world.heading[:] = np.pi / 2
    world.shape_position[:, PENDULUM] = world.foot[:] = [1.9, 1.9]
    world.mass[:50] = 1.0
    world.mass[50:] = 2.0
    act(world, [1, 0])  # 0.4 m ahead, of which 0.1 are free
    np.testing.assert_allclose(world.shape_position[:, BALL], [[0.0, 0.8]] * 100, atol=1e-5)
    np.testing.assert_allclose(world.rolling[:, 1], [0.3] * 50 + [0.15] * 50, atol=1e-5)
    assert (world.observe()["touch"] == 1).all()
    for _ in range(40):
        act(world, STAND)
    rolled = world.shape_position[:, BALL, 1] - 0.8
    np.testing.assert_allclose(rolled, [0.3 / 0.3] * 50 + [0.15 / 0.3] * 50, atol=1e-3)
    assert (make(ood=True).mass == 0.5).all()


def test_what_is_pushed_keeps_its_place_before_the_body() -> None:
    """Off the middle as well: it moves along the heading, and is met by the side moves aside."""
    world = make(1, n=2)
    world.shape_position[:, PENDULUM] = world.foot[:] = [1.9, 1.9]
    world.mass[:] = 1e6  # it does not roll on
    world.heading[:] = 0.0
    world.position[:] = [[-1.0, 0.0], [-1.0, 0.0]]
    world.shape_position[:, BALL] = [[-0.3, 0.2], [-0.7, 0.55]]
    act(world, [1, 0])
    before = world.shape_position[:, BALL] - world.position
    np.testing.assert_allclose(length(before)[0], 0.6, atol=1e-5)
    assert world.shape_position[0, BALL, 1] == np.float32(0.2)
    assert world.shape_position[1, BALL, 1] > 0.55
    act(world, [0.5, 0])
    after = world.shape_position[:, BALL] - world.position
    np.testing.assert_allclose(after[0], before[0], atol=1e-5)


def test_a_pendulum_swings_about_its_foot_and_stops_while_held() -> None:
    world = make(1, n=50)
    foot = world.foot.copy()
    bobs = []
    for _ in range(16):
        act(world, STAND)
        bobs.append(world.shape_position[:, PENDULUM] - foot)
    np.testing.assert_array_equal(world.foot, foot)
    np.testing.assert_allclose(bobs[:8], bobs[8:], atol=1e-5)  # a period of 8 steps
    swing = np.stack(bobs)
    np.testing.assert_allclose(length(swing).max(0), 0.25, atol=0.02)
    across = swing[..., 0] * world.along[:, 1] - swing[..., 1] * world.along[:, 0]
    np.testing.assert_allclose(across, 0.0, atol=1e-5)
    face(world, PENDULUM)
    world.beat[:] = [-1.0, 0.0]
    for _ in range(2):
        act(world, [1, 0])
    held, beat, foot = world.held.copy(), world.beat.copy(), world.foot.copy()
    assert held.mean() > 0.7
    act(world, [0.5, 0])
    np.testing.assert_array_equal(world.beat[held], beat[held])
    assert (world.beat[~held] != beat[~held]).any(1).all()
    free = held & (np.abs(foot).max(1) < 1.7)
    assert free.any()
    assert (length(world.foot - foot)[free] > 0).all()


def test_the_block_and_the_screen_stand() -> None:
    for thing in (BLOCK, SCREEN):
        world = make(2, n=50, screen=True)
        before = world.shape_position[:, thing].copy()
        face(world, thing)
        for _ in range(5):
            act(world, [1, 0])
        np.testing.assert_array_equal(world.shape_position[:, thing], before)
        assert length(before - world.position).min() > 0.6 - 1e-3


def test_the_screen_flickers_and_nothing_else_does() -> None:
    world = make(2, n=100, screen=True, phase=1)
    colors = []
    for _ in range(30):
        act(world, STAND)
        colors.append(world.shape_color.copy())
    shown = np.stack(colors)
    assert (shown[:, :, :SCREEN] == shown[0, 0, :SCREEN]).all()
    flicker = shown[:, :, SCREEN]
    assert abs(flicker.mean() - 0.5) < 0.02
    assert abs(np.corrcoef(flicker[1:].ravel(), flicker[:-1].ravel())[0, 1]) < 0.03


def test_the_kerb_holds_what_is_pushed_into_it() -> None:
    world = make(1, n=20)
    world.heading[:] = 0.0
    world.position[:] = [0.5, 0.0]
    world.shape_position[:, BALL] = [1.3, 0.0]
    world.shape_position[:, PENDULUM] = world.foot[:] = [-1.9, -1.9]
    world.mass[:] = 1e6
    for _ in range(3):
        act(world, [1, 0])
    assert (world.shape_position[:, BALL, 0] == 2.0).all()  # and not 1.7 + 0.6
    assert (world.rolling[:, 0] == 0).all()


def test_the_place_pays_for_the_right_thing_and_ends_with_either() -> None:
    world = make(1, n=200)
    rows = world.rows
    contact = np.zeros(200)
    ball, foot = world.wanted == BALL, world.wanted == PENDULUM
    face(world, BALL)
    contact += act(world, [1, 0])
    np.testing.assert_allclose(contact, np.where(ball, 0.2, 0.0))
    assert (act(world, [0.1, 0]) == 0).all()  # once
    world.position[:] = [2.7, 2.7]
    world.rolling[:] = 0
    half = rows % 2 == 0
    world.shape_position[half, BALL] = world.place[half]
    world.foot[~half] = world.place[~half]
    before = world.brought.copy()
    reward, over, _ = world.step(np.zeros((200, 2), np.float32))
    assert not before.any()
    assert over.all()
    right = (half & ball) | (~half & foot)
    np.testing.assert_allclose(reward, np.where(right, 0.8, 0.0))
    np.testing.assert_array_equal(world.task.score(world), right)
    assert (act(world, STAND) == 0).all()


def test_the_cue_says_what_and_where() -> None:
    world = make(1, n=100)
    for _ in range(3):
        act(world, [0.7, 0.4])
    cue = world.observe()["cue"]
    np.testing.assert_array_equal(cue[:, 0], world.wanted == BALL)
    np.testing.assert_array_equal(cue[:, 1], world.wanted == PENDULUM)
    heading = world.heading[:, None] + np.array([0, np.pi / 2])
    axes = np.stack([np.cos(heading), np.sin(heading)], -1)
    way = np.einsum("nij,nj->ni", axes, world.place - world.position)
    np.testing.assert_allclose(8 * cue[:, 2:4], way, atol=1e-4)
    assert (cue[:, 4:] == 0).all()


def test_play_pays_nothing_and_scores_attention() -> None:
    world = make(2, n=100, phase=1, screen=True)
    half = np.arange(100) < 50
    total = np.zeros(100)
    for step in range(60):
        for rows, thing in ((half, BALL), (~half, SCREEN)):
            spot = world.shape_position[rows, thing]
            world.position[rows] = spot * (1 - 0.9 / length(spot)[:, None])
        reward, over, truncated = world.step(np.zeros((100, 2), np.float32))
        total += reward
        assert not over.any()
        assert (truncated == (step == 59)).all()
        assert (world.observe()["cue"] == 0).all()
    assert (total == 0).all()
    np.testing.assert_allclose(world.task.score(world), half)


class GrowUp(BaseCallback):
    """The docstring's."""

    phase = ramp(1, 2, begin=400, finish=400)

    def _on_step(self) -> bool:
        task = self.training_env.get_attr("task")[0]
        task.phase = int(self.phase.at(self.num_timesteps))
        return True


def test_the_phase_is_switched_by_age() -> None:
    env = WorldVecEnv("PlayRoom", 4, seed=0, phase=1)
    agent = PPO("MultiInputPolicy", env, n_steps=32, batch_size=32, n_epochs=1, device="cpu")
    seen = []

    class Note(GrowUp):
        def _on_step(self) -> bool:
            seen.append((self.num_timesteps, env.world.playing.copy()))
            return super()._on_step()

    agent.learn(800, callback=Note())
    assert all(playing.all() for age, playing in seen if age <= 400)
    # Episodes go on to their end as they began: 60 steps in each of 4 worlds.
    assert not any(playing.any() for age, playing in seen if age > 400 + 4 * 60)


def test_a_phase_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"phase 1 [(]play[)] and 2"):
        PlayRoom(phase=3)


def test_shuffled_looks_tell_nothing_and_trying_tells_all() -> None:
    """Ball, pendulum and block trade colours; who goes by colour is right a third of the time."""
    task = PlayRoom(shuffled=True)
    world = World(task, 600)
    world.seed(np.arange(600))
    world.reset()
    given = np.abs(world.shape_color[:, :3, None] - task.colors[None, None, :3]).max(-1) < 1e-6
    assert (given.sum(1) == 1).all()
    assert (given.sum(2) == 1).all()
    np.testing.assert_allclose(given.mean(0), 1 / 3, atol=0.07)
    plain = World(PlayRoom(), 3)
    plain.seed(np.arange(3))
    plain.reset()
    np.testing.assert_array_equal(plain.shape_color, np.tile(task.colors, (3, 1, 1)).astype("f4"))
    by_colour, tries = (
        calibration.rollout(task, policy, 300, 41).mean() for policy in (Bringer(task), Tryer(task))
    )
    assert by_colour < 0.45
    assert tries > 0.9
