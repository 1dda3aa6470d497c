"""The three doors give the same bits, through resets, at every batch size and mode."""

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest
from gymnasium.vector import AutoresetMode

from motley.envs.sb3 import WorldVecEnv
from motley.envs.senses import Observation
from motley.envs.single import WorldEnv
from motley.envs.vector import WorldVectorEnv

ID = "motley/DarkHome-v0"
SEED = 11
EPISODES = 4
STEPS = 190
"""Enough for `EPISODES` of level 0 in every world."""

Floats = npt.NDArray[Any]
Event = tuple[Floats, float, bool, bool]
"""What came out: observation, reward, terminated, truncated; a reset has the last three blank."""


def flat(observation: Observation, i: int | None = None) -> Floats:
    return np.concatenate([v if i is None else v[i] for v in observation.values()])


class Actions:
    """A random action or the oracle's, by world and step, however the door counts."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(5)
        self.table = rng.uniform(-1, 1, (n, STEPS, 2)).astype(np.float32)
        self.step = np.zeros(n, np.int64)
        self.expert = np.arange(n) % 3 > 0

    def next(self, oracle: Floats) -> Floats:
        action = self.table[np.arange(len(self.step)), self.step % STEPS]
        return np.where(self.expert[:, None], oracle, action)


def single(n: int) -> list[list[Event]]:
    worlds = []
    actions = Actions(n)
    for i in range(n):
        env = gym.make(ID, level=0)
        inner = env.unwrapped
        assert isinstance(inner, WorldEnv)
        events = []
        for episode in range(EPISODES):
            observation, _ = env.reset(seed=SEED + i if episode == 0 else None)
            events.append((flat(observation), 0.0, False, False))
            over = False
            while not over:
                expert = inner.oracle()
                action = expert if actions.expert[i] else actions.table[i, actions.step[i] % STEPS]
                actions.step[i] += 1
                observation, reward, ended, late, _ = env.step(action)
                events.append((flat(observation), float(reward), ended, late))
                over = ended or late
        worlds.append(events)
    return worlds


def vector(n: int, mode: AutoresetMode) -> list[list[Event]]:
    env = gym.make_vec(
        ID, num_envs=n, vectorization_mode="vector_entry_point", level=0, autoreset_mode=mode
    )
    assert isinstance(env, WorldVectorEnv)
    actions = Actions(n)
    observation, _ = env.reset(seed=SEED)
    worlds: list[list[Event]] = [[(flat(observation, i), 0.0, False, False)] for i in range(n)]
    over = np.zeros(n, np.bool_)
    for _ in range(STEPS):
        action = actions.next(env.oracle())
        waiting = over if mode is AutoresetMode.NEXT_STEP else np.zeros(n, np.bool_)
        action[waiting] = np.nan
        actions.step += ~waiting
        observation, reward, ended, late, info = env.step(action)
        over = ended | late
        for i in range(n):
            last = flat(observation, i)
            if mode is AutoresetMode.SAME_STEP and over[i]:
                assert info["_final_obs"][i]
                last = flat(info["final_obs"][i])
            worlds[i].append((last, reward[i], ended[i], late[i]))
            if mode is AutoresetMode.SAME_STEP and over[i]:
                worlds[i].append((flat(observation, i), 0.0, False, False))
        if mode is AutoresetMode.DISABLED and over.any():
            observation, _ = env.reset(options={"reset_mask": over})
            for i in np.flatnonzero(over).tolist():
                worlds[i].append((flat(observation, i), 0.0, False, False))
    return worlds


def stable_baselines(n: int) -> list[list[Event]]:
    env: Any = WorldVecEnv("DarkHome", n, seed=SEED, level=0)
    actions = Actions(n)
    observation = env.reset()
    worlds: list[list[Event]] = [[(flat(observation, i), 0.0, False, False)] for i in range(n)]
    for _ in range(STEPS):
        action = actions.next(env.oracle())
        actions.step += 1
        observation, reward, done, infos = env.step(action)
        for i in range(n):
            if not done[i]:
                worlds[i].append((flat(observation, i), reward[i], False, False))
                continue
            late = infos[i]["TimeLimit.truncated"]
            last = flat(infos[i]["terminal_observation"])
            worlds[i].append((last, reward[i], not late, late))
            worlds[i].append((flat(observation, i), 0.0, False, False))
    return worlds


@pytest.mark.parametrize("n", [1, 7, 256])
def test_doors_are_bit_equal(n: int) -> None:
    expected = single(n)
    ends = [sum(e[2] for e in events) for events in expected]
    late = [sum(e[3] for e in events) for events in expected]
    if n > 1:
        assert sum(ends) > n
        assert sum(late) > n
    for mode in (*AutoresetMode, None):
        others = stable_baselines(n) if mode is None else vector(n, mode)
        for mine, other in zip(expected, others, strict=True):
            assert len(other) >= len(mine)
            for (seen, reward, ended, truncated), theirs in zip(mine, other, strict=False):
                assert np.array_equal(seen, theirs[0])
                assert np.float32(reward) == np.float32(theirs[1])
                assert (ended or truncated) == (theirs[2] or theirs[3])
                assert ended == theirs[2]
