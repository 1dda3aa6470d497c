"""Scored: others' environments that say, as score01, where a return lies from random to solved.

For the study of parity. They stand apart from it, since stored runs are known by this module's
code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import FlattenObservation, TransformObservation

from motley.agents.readable import Readable


@dataclass(frozen=True)
class Case:
    """An environment and how it is scored.

    Attributes:
        id: Gymnasium's.
        random, solved: mean return of random actions, and the return that counts as solved: the
            environment's own threshold where it states one.
        steps: environment steps of each run.
        settings: of both learners, where they are not SB3's defaults.
        hides: indices of an observation that read zero.
    """

    id: str
    random: float
    solved: float
    steps: int
    settings: Mapping[str, Any]
    hides: tuple[int, ...] = ()


CASES = {
    "parity/CartPole-v1": Case("CartPole-v1", 22.0, 475.0, 100_000, {}),
    "parity/Acrobot-v1": Case("Acrobot-v1", -499.0, -100.0, 200_000, {}),
    "parity/Pendulum-v1": Case(
        "Pendulum-v1", -1_220.0, -200.0, 200_000, {"learning_rate": 1e-3, "gamma": 0.9}
    ),
    "parity/DoorKey-5x5-v0": Case("minigrid:MiniGrid-DoorKey-5x5-v0", 0.03, 0.9, 200_000, {}),
    "parity/MaskedCartPole-v1": Case("CartPole-v1", 22.0, 475.0, 100_000, {}, hides=(1, 3)),
}
"""By the id under which this module registers the scored form."""


class Scored(gym.Wrapper[Any, Any, Any, Any]):
    """Says at the end of an episode where its return lies between random and solved, as score01.

    Args:
        env: gives one reward a step.
        random: the return that scores 0.
        solved: the return that scores 1.
    """

    def __init__(self, env: gym.Env[Any, Any], random: float, solved: float):
        super().__init__(env)
        self.random, self.solved, self._sum = random, solved, 0.0

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Begin anew."""
        self._sum = 0.0
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Add up what comes."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._sum += float(reward)
        if terminated or truncated:
            info["score01"] = (self._sum - self.random) / (self.solved - self.random)
            info["is_success"] = self._sum >= self.solved
        return observation, reward, terminated, truncated, info


def make(name: str) -> gym.Env[Any, Any]:
    """Return a case's environment, scored and with its hidden readings at zero."""
    case = CASES[name]
    env: gym.Env[Any, Any] = gym.make(case.id)
    if isinstance(env.observation_space, spaces.Dict):  # one row, that both learners see alike
        env = FlattenObservation(Readable(env))
    if case.hides:
        shown = np.ones(env.observation_space.shape or (), np.float32)
        shown[list(case.hides)] = 0.0
        env = TransformObservation(env, lambda x: x * shown, env.observation_space)
    return Scored(env, case.random, case.solved)


for _name in CASES:
    gym.register(_name, f"{__name__}:{make.__name__}", kwargs={"name": _name})
