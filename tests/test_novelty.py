"""Costs that pay for novelty: their published forms, and probes with a known answer."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from motley.agents import Agent
from motley.costs import (
    COSTS,
    Intrinsic,
)

NOVELTIES = [name for name, cost in COSTS.items() if issubclass(cost, Intrinsic)]
LENGTH = 24


class Lock(gym.Env[np.ndarray, Any]):
    """A combination lock: the right one of two actions leads on, the other back to the start.

    By chance one gets k steps far in one of 2^k attempts; nothing is ever paid.
    """

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0.0, 1.0, (LENGTH,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.right = np.random.default_rng(0).integers(2, size=LENGTH)
        self.visited: set[int] = set()
        self.at = self.t = 0

    def _see(self) -> np.ndarray:
        self.visited.add(self.at)
        return np.eye(LENGTH, dtype=np.float32)[self.at]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = self.t = 0
        return self._see(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.at = min(self.at + 1, LENGTH - 1) if action == self.right[self.at] else 0
        self.t += 1
        return self._see(), 0.0, False, self.t == 2 * LENGTH, {}


class Screens(gym.Env[np.ndarray, Any]):
    """Three things to do: look at a noisy screen, step a wheel of four positions on, or rest."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-4.0, 4.0, (12,), np.float32)
        self.action_space = spaces.Discrete(3)
        self.wheel, self.t, self.looks = 0, 0, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.wheel = self.t = 0
        return self._see(np.zeros(8)), {}

    def _see(self, screen: np.ndarray) -> np.ndarray:
        return np.concatenate((np.eye(4)[self.wheel], screen)).astype(np.float32)

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.looks += int(action == 0)
        screen = self.np_random.choice([-1.0, 1.0], 8) if action == 0 else np.zeros(8)
        self.wheel = (self.wheel + int(action == 1)) % 4
        self.t += 1
        return self._see(screen), 0.0, False, self.t == 32, {}


def live(kind: type[gym.Env[Any, Any]], costs: str, steps: int, seed: int = 0) -> list[Any]:
    env = DummyVecEnv([kind for _ in range(16)])
    agent = Agent(
        "feedforward", env, costs, n_steps=16, n_minibatches=2, budget=None, seed=seed,
        learning_rate=3e-3, final_rate=1.0,
    )  # fmt: skip
    agent.learn(steps)
    return [e.unwrapped for e in env.envs]


if __name__ == "__main__":
    import sys
    import time

    for name in ["", *NOVELTIES]:
        t = time.time()
        costs = "reward" + (f"+{name}" if name else "")
        out = [
            len(set().union(*(e.visited for e in live(Lock, costs, int(sys.argv[1]), s))))
            for s in range(3)
        ]
        print(name, out, round(time.time() - t, 1), flush=True)
    for name in ["", *NOVELTIES]:
        t = time.time()
        costs = "reward" + (f"+{name}" if name else "")
        out = []
        for s in range(3):
            env = DummyVecEnv([Screens for _ in range(16)])
            agent = Agent(
                "feedforward",
                env,
                costs,
                n_steps=16,
                n_minibatches=2,
                budget=None,
                seed=s,
                learning_rate=3e-3,
                final_rate=1.0,
            )
            agent.learn(int(sys.argv[2]))
            before = sum(e.unwrapped.looks for e in env.envs)
            n0 = agent.num_timesteps
            agent.learn(int(sys.argv[2]) // 2, reset_num_timesteps=False)
            out.append(
                round(
                    (sum(e.unwrapped.looks for e in env.envs) - before)
                    / (agent.num_timesteps - n0),
                    2,
                )
            )
        print(name, out, round(time.time() - t, 1), flush=True)
