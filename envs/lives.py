"""The same lives through each of the doors: what `motley.envs.contract.doors` compares.

A life is a world's: what came out at each of its resets and steps. Actions depend on the world
and its own step alone, so that a door that resets in a step of its own gives the same life.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from motley.envs.sb3 import WorldVecEnv
from motley.envs.senses import Observation
from motley.envs.single import WorldEnv
from motley.envs.streams import Floats
from motley.envs.task import Task
from motley.envs.vector import WorldVectorEnv

WORLDS, RESETS = 3, 2
"""Lives through each door, and how many episodes of each at least."""

Events = list[list[Floats]]
"""By world: what came out at each reset and step, as one row of numbers."""


def through_doors(task: Task, seed: int) -> dict[str, Events]:
    """By door: single environments, SB3's vector, and Gymnasium's in each autoreset mode.

    Args:
        task: the rules.
        seed: of the first world; the others' follow.
    """
    steps = RESETS * task.horizon + 1
    lives = {"single": _single(task, seed, steps), "SB3": _sb3(task, seed, steps)}
    return lives | {
        f"vector, {mode.value}": _vector(task, seed, steps, mode) for mode in AutoresetMode
    }


class _Life:
    """Actions by world and its own steps, and what came of them."""

    def __init__(self, steps: int) -> None:
        rng = np.random.default_rng(5)
        self.table = rng.uniform(-1, 1, (WORLDS, steps, 2)).astype(np.float32)
        self.step = np.zeros(WORLDS, np.int64)
        self.events: Events = [[] for _ in range(WORLDS)]
        self.steps = steps

    @property
    def goes_on(self) -> bool:
        return bool((self.step < self.steps).all())

    def action(self, world: int, oracle: Floats) -> Floats:
        """Of one world: the oracle's in most worlds, random in the first."""
        return oracle if world else np.asarray(self.table[world, self.step[world]])

    def reset(self, world: int, observation: Observation) -> None:
        self.events[world].append(_flat(observation))

    def stepped(
        self, world: int, seen: Observation, reward: Any, terminated: Any, truncated: Any
    ) -> None:
        # SB3 knows float32 rewards, and no episode that is both terminated and truncated.
        came = np.array([reward, terminated, truncated and not terminated], np.float32)
        self.events[world].append(np.append(_flat(seen), came))
        self.step[world] += 1


def _flat(observation: Observation) -> Floats:
    return np.concatenate([np.ravel(array) for array in observation.values()])


def _of(observation: Any, world: int) -> Observation:
    return {name: array[world] for name, array in observation.items()}


def _single(task: Task, seed: int, steps: int) -> Events:
    life = _Life(steps)
    for world in range(WORLDS):
        env = WorldEnv(task)
        life.reset(world, env.reset(seed=seed + world)[0])
        while life.step[world] < steps:
            action = life.action(world, env.oracle())
            observation, reward, terminated, truncated, _ = env.step(action)
            life.stepped(world, observation, reward, terminated, truncated)
            if terminated or truncated:
                life.reset(world, env.reset()[0])
    return life.events


def _vector(task: Task, seed: int, steps: int, mode: AutoresetMode) -> Events:
    life, env = _Life(steps), WorldVectorEnv(task, WORLDS, autoreset_mode=mode)
    observation, _ = env.reset(seed=seed)
    for world in range(WORLDS):
        life.reset(world, _of(observation, world))
    resetting = np.zeros(WORLDS, np.bool_)
    while life.goes_on:
        oracle = env.oracle()
        action = np.stack([life.action(world, oracle[world]) for world in range(WORLDS)])
        observation, reward, terminated, truncated, info = env.step(action)
        over = terminated | truncated
        for world in range(WORLDS):
            if resetting[world]:
                life.reset(world, _of(observation, world))
                continue
            last = mode is AutoresetMode.SAME_STEP and over[world]
            seen = info["final_obs"][world] if last else _of(observation, world)
            life.stepped(world, seen, reward[world], terminated[world], truncated[world])
            if last:
                life.reset(world, _of(observation, world))
        resetting = over & (mode is AutoresetMode.NEXT_STEP)
        if mode is AutoresetMode.DISABLED and over.any():
            observation, _ = env.reset(options={"reset_mask": over})
            for ended in np.flatnonzero(over):
                life.reset(int(ended), _of(observation, int(ended)))
    return life.events


def _sb3(task: Task, seed: int, steps: int) -> Events:
    life, env = _Life(steps), WorldVecEnv(task, WORLDS, seed=seed)
    observation: Any = env.reset()
    for world in range(WORLDS):
        life.reset(world, _of(observation, world))
    while life.goes_on:
        oracle = env.oracle()
        action = np.stack([life.action(world, oracle[world]) for world in range(WORLDS)])
        observation, reward, over, infos = env.step(action)
        for world in range(WORLDS):
            cut = infos[world].get("TimeLimit.truncated", False)
            seen = infos[world]["terminal_observation"] if over[world] else _of(observation, world)
            life.stepped(world, seen, reward[world], over[world] and not cut, cut)
            if over[world]:
                life.reset(world, _of(observation, world))
    return life.events
