"""The three doors: copies, states, infos, and what they refuse."""

import copy
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecNormalize

import motley.envs
from motley.envs.door import SMALLEST
from motley.envs.sb3 import WorldVecEnv
from motley.envs.single import WorldEnv
from motley.envs.tasks.dark_home import DarkHome
from motley.envs.vector import WorldVectorEnv

ID = "motley/DarkHome-v0"
DOORS = (WorldEnv, WorldVectorEnv, WorldVecEnv)


def doors(n: int = 4, **settings: Any) -> Iterator[Any]:
    yield WorldEnv("DarkHome", **settings)
    for mode in AutoresetMode:
        yield WorldVectorEnv("DarkHome", n, autoreset_mode=mode, **settings)
    yield WorldVecEnv("DarkHome", n, seed=0, **settings)


def record(env: Any, steps: int) -> list[Any]:
    """Oracle steps with resets where the door leaves them to its user."""
    out = []
    for _ in range(steps):
        result = env.step(env.oracle())
        out.append(copy.deepcopy(result[:-1]))
        over = np.asarray(result[2]) | np.asarray(result[3]) if len(result) == 5 else False
        if isinstance(env, WorldEnv) and over:
            out.append(env.reset()[0])
        elif getattr(env, "autoreset_mode", None) is AutoresetMode.DISABLED and np.any(over):
            out.append(env.reset(options={"reset_mask": over})[0])
    return out


def start(env: Any) -> None:
    env.reset() if isinstance(env, WorldVecEnv) else env.reset(seed=0)


def made(door: Any, task: Any = "DarkHome", seed: Any = 0, **settings: Any) -> Any:
    """A door after its first reset."""
    if door is not WorldEnv:
        settings = {"num_envs": 2} | settings
    env = door(task, **settings)
    if door is WorldVecEnv:
        env.seed(seed)
    env.reset() if door is WorldVecEnv else env.reset(seed=seed)
    return env


CLONES: list[Callable[[Any], Any]] = [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))]


@pytest.mark.parametrize("clone", CLONES)
def test_copies_of_an_env_live_on_by_themselves(clone: Callable[[Any], Any]) -> None:
    for env in doors(level=0):
        start(env)
        record(env, 15)
        twin = clone(env)
        np.testing.assert_equal(record(twin, 40), record(env, 40))


def test_state_carries_everything() -> None:
    for env, other in zip(doors(level=0), doors(level=0), strict=True):
        start(env)
        record(env, 15)
        state = env.get_state()
        other.set_state(state)
        np.testing.assert_equal(other.observe(), env.observe())
        expected = record(env, 40)
        np.testing.assert_equal(record(other, 40), expected)
        env.set_state(state)
        np.testing.assert_equal(record(env, 40), expected)


def test_an_ended_world_needs_a_reset_where_autoreset_is_disabled() -> None:
    env = WorldVectorEnv("DarkHome", 2, autoreset_mode="Disabled", level=0)
    env.reset(seed=0)
    over = np.zeros(2, np.bool_)
    while not over.any():
        _, _, over, *_ = env.step(env.oracle())
    with pytest.raises(ValueError, match="autoreset is disabled"):
        env.step(env.oracle())


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        ([True, False], TypeError),
        (np.array([1, 0]), TypeError),
        (np.array([True]), ValueError),
        (np.array([False, False]), ValueError),
    ],
)
def test_reset_masks_are_checked(mask: Any, error: type[Exception]) -> None:
    env = WorldVectorEnv("DarkHome", 2, autoreset_mode="Disabled")
    with pytest.raises(error, match="reset_mask"):
        env.reset(seed=0, options={"reset_mask": mask})


def test_seeds_may_be_listed() -> None:
    env = WorldVectorEnv("DarkHome", 3)
    listed, _ = env.reset(seed=[5, None, 7])
    again, _ = env.reset(seed=[5, 6, 7])
    assert np.array_equal(listed["vision"][[0, 2]], again["vision"][[0, 2]])
    with pytest.raises(ValueError, match="2 seeds for 3 worlds"):
        env.reset(seed=[1, 2])


def test_a_first_reset_without_a_seed_is_random() -> None:
    def cue(env: Any) -> Any:
        first = env.reset()
        return (first if isinstance(first, dict) else first[0])["cue"].ravel()[0]

    for kind in (
        lambda: WorldEnv("DarkHome"),
        lambda: WorldVectorEnv("DarkHome", 2),
        lambda: WorldVecEnv("DarkHome", 2),
    ):
        assert cue(kind()) != cue(kind())


def test_infos_at_the_end_of_episodes() -> None:
    env = WorldVectorEnv("DarkHome", 8, level=0)
    env.reset(seed=0)
    ends = 0
    for _ in range(60):
        *_, ended, late, info = env.step(env.oracle())
        over = ended | late
        assert set(info) == (
            set()
            if not over.any()
            else {
                f"{mark}{name}" for mark in ("", "_") for name in ("is_success", "score", "score01")
            }
        )
        for name in ("is_success", "score", "score01"):
            if over.any():
                assert np.array_equal(info[f"_{name}"], over)
        ends += over.sum()
        if over.any():
            assert info["is_success"][ended].all()
            assert np.abs(info["score01"][ended] - 1.0).max() < 0.01
    assert ends >= 8


def test_sb3_infos_and_methods() -> None:
    env = WorldVecEnv(ID, 4, seed=3, level=0)
    env.reset()
    total, length = np.zeros(4), np.zeros(4, np.int64)
    seen = 0
    for _ in range(80):
        rows = env.env_method("oracle")
        assert np.array_equal(np.stack(rows), env.oracle())
        _, reward, done, infos = env.step(np.stack(rows))
        assert reward.dtype == np.float32
        total, length = total + reward, length + 1
        for i in np.flatnonzero(done):
            assert infos[i]["episode"]["r"] == pytest.approx(total[i], abs=1e-5)
            assert infos[i]["episode"]["l"] == length[i]
            assert infos[i]["is_success"] is True
            assert infos[i]["score"] == 1.0
            total[i] = length[i] = 0
            seen += 1
        assert all(infos[i] == {} for i in np.flatnonzero(~done))
    assert seen > 8
    assert env.get_attr("num_envs", [0, 2]) == [4, 4]
    assert env.env_is_wrapped(gym.Wrapper) == [False] * 4
    assert env.env_is_wrapped(Monitor, [0]) == [True]
    env.set_attr("mark", 1)
    assert env.get_attr("mark") == [1] * 4
    with pytest.raises(ValueError, match="share one object"):
        env.set_attr("mark", 1, [0])


def test_sb3_evaluates_and_wraps_without_a_warning() -> None:
    env = WorldVecEnv(ID, 4, seed=3, level=0)
    model = PPO("MultiInputPolicy", VecNormalize(env), n_steps=8, batch_size=32, device="cpu")
    model.learn(64)
    mean, _ = evaluate_policy(model, env, 6)
    assert np.isfinite(mean)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_gymnasium_wraps_and_counts_in_every_mode(mode: AutoresetMode) -> None:
    env = RecordEpisodeStatistics(WorldVectorEnv("DarkHome", 4, autoreset_mode=mode, level=0))
    env.reset(seed=0)
    lengths: list[int] = []
    for _ in range(60):
        *_, ended, late, info = env.step(env.unwrapped.oracle())  # type: ignore[attr-defined]
        if "episode" in info:
            lengths.extend(info["episode"]["l"][info["_episode"]])
        if mode is AutoresetMode.DISABLED and (ended | late).any():
            env.reset(options={"reset_mask": ended | late})
    assert len(lengths) > 8
    assert 5 < np.mean(lengths) < 20


def test_gymnasium_makes_its_own_vector_of_single_worlds() -> None:
    ours = gym.make_vec(ID, 3, vectorization_mode="vector_entry_point", level=1)
    theirs = gym.make_vec(ID, 3, vectorization_mode="sync", level=1)
    np.testing.assert_equal(ours.reset(seed=4)[0], dict(theirs.reset(seed=4)[0]))
    for _ in range(100):
        action = ours.action_space.sample()
        mine, other = ours.step(action), theirs.step(action)
        np.testing.assert_equal(mine[0], dict(other[0]))
        for a, b in zip(mine[1:4], other[1:4], strict=True):
            np.testing.assert_array_equal(a, b)
        assert mine[4].keys() == other[4].keys()
        for name in mine[4]:
            np.testing.assert_array_equal(mine[4][name], other[4][name])


def test_pictures_through_every_door() -> None:
    for env in doors(2, level=0, render_mode="rgb_array", render_size=96):
        start(env)
        frame = env.render()
        frames = frame if isinstance(frame, tuple) else (frame,)
        assert len(frames) == (2 if isinstance(env, WorldVectorEnv) else 1)
        wide = 192 if isinstance(env, WorldVecEnv) else 96
        assert all(f.shape == (96, wide, 3) and f.dtype == np.uint8 for f in frames)
        env.close()


def test_the_observer_is_asked_at_every_step() -> None:
    for env in doors(level=0):
        start(env)
        env.step(env.oracle())
        with pytest.raises(RuntimeError, match="every step"):
            env.observer()
        start(env)
        first = env.observer()
        assert np.array_equal(first, env.observer())
        env.step(first)
        env.observer()
        env.set_state(env.get_state())
        with pytest.raises(RuntimeError, match="every step"):
            env.observer()


def test_an_observer_through_the_door_gets_home() -> None:
    env = WorldVectorEnv("DarkHome", 50, autoreset_mode="SameStep", level=2)
    env.reset(seed=0)
    scores: list[float] = []
    for _ in range(150):
        *_, info = env.step(env.observer())
        if "final_info" in info:
            scores.extend(info["final_info"]["score"][info["_final_info"]])
    assert len(scores) > 150
    assert np.mean(scores) > 0.95


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WorldEnv("DarkHoem"), "no task 'DarkHoem'; near: DarkHome"),
        (lambda: WorldEnv("DarkHome", level=-1), "levels 0 to 4, not -1"),
        (lambda: WorldEnv("DarkHome", render_mode="ansi"), "render_mode is one of"),
        (lambda: WorldEnv(DarkHome(), level=3), "takes no settings, such as level: give"),
        (lambda: WorldEnv("DarkHome", stop="no"), r"^DarkHome\(stop='no'\): give True or False$"),
    ],
)
def test_what_doors_refuse(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("door", "name", "given"),
    [
        *((door, "the task", given) for door in DOORS for given in (5, dict, np.zeros(2))),
        *((door, "num_envs", given) for door in DOORS[1:] for given in (0, "a", 2.5, None, True)),
        *((door, "render_size", given) for door in DOORS for given in ("big", 63, 99.5)),
        *((door, "seed", given) for door in DOORS for given in ("x", -1, 0.5, True)),
    ],
)
def test_an_argument_of_a_door_that_cannot_be_is_named(door: Any, name: str, given: Any) -> None:
    message = f"^{name} must be .*, not {re.escape(repr(given))}$"
    with pytest.raises(ValueError, match=message):
        made(door, **{name.split()[-1]: given})


@pytest.mark.parametrize("door", DOORS)
def test_a_door_takes_the_whole_numbers_of_numpy(door: Any) -> None:
    plain = {"seed": 3, "render_size": SMALLEST} | ({} if door is WorldEnv else {"num_envs": 3})
    envs = [
        made(door, render_mode="rgb_array", **{name: kind(x) for name, x in plain.items()})
        for kind in (int, np.int64)
    ]
    np.testing.assert_equal(*(env.observe() for env in envs))
    np.testing.assert_equal(*(env.render() for env in envs))  # the smallest size can be drawn


def test_seeds_that_cannot_be_are_named() -> None:
    with pytest.raises(ValueError, match=r"^seed must be .*, not 'x'$"):
        WorldVecEnv("DarkHome", 2, seed="x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^seed must be .*, not -7$"):
        WorldVectorEnv("DarkHome", 2).reset(seed=[5, -7])


def test_the_largest_seeds_are_taken() -> None:
    for door in (WorldVectorEnv, WorldVecEnv):
        env = made(door, seed=2**63 - 1)
        assert env.world.counters[:, 0].tolist() == [2**63 - 1, 2**63]


def test_actions_are_checked_and_clipped() -> None:
    env = WorldVectorEnv("DarkHome", 3)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"shape \(2,\), not \(3, 2\)"):
        env.step(np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="action of world 2 is not finite"):
        env.step(np.array([[0, 0], [0, 0], [0, np.inf]], np.float32))
    one = WorldEnv("DarkHome")
    one.reset(seed=0)
    with pytest.raises(ValueError, match=r"shape \(3,\), not \(2,\)"):
        one.step(np.zeros(3, np.float32))
    one.reset(seed=0)
    wild = one.step(np.array([9, -7], np.float32))[0]
    one.reset(seed=0)
    tame = one.step(np.array([1, -1], np.float32))[0]
    np.testing.assert_equal(wild, tame)


@pytest.mark.parametrize("door", DOORS)
def test_a_step_before_the_first_reset_is_refused(door: Any) -> None:
    env = door("DarkHome") if door is WorldEnv else door("DarkHome", 2)
    action = np.zeros((2,) if door is WorldEnv else (2, 2), np.float32)
    with pytest.raises(gym.error.ResetNeeded, match=r"^DarkHome: call reset\(\) before"):
        env.step(action)
    env.reset()
    env.step(action)


def test_the_module_prefix_registers() -> None:
    assert motley.envs.TASKS
    env = gym.make("motley.envs:motley/DarkHome-v0", level=1)
    assert isinstance(env.unwrapped, WorldEnv)
    assert env.unwrapped.task.level == 1
