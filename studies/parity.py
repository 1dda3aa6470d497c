"""Parity: without a structure or costs of its own, an agent of ours learns what SB3's learns.

On others' environments, 8 worlds and rollouts of 2,048 steps, with the settings that SB3's PPO has
by default (Pendulum's discount and learning rate are those that SB3's zoo found for it): the agent
without memory against PPO, networks, inputs and settings alike. And on a CartPole that hides its
speeds, with RecurrentPPO's defaults, the uniform agent against RecurrentPPO; there the learners are
not alike: ours has one GRU for actor and critic and 40,000 parameters, sees its previous action,
clips gradients by area and normalises returns, and RecurrentPPO has two LSTMs of 256. Written
before the run: environments, budgets, spans, margins and seeds.
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
from motley.studies.study import STUDIES, Arm, Contrast, Study

MARGIN = 0.1
"""Of the span from random to solved: a smaller difference at the end does not matter."""
N_ENVS, N_STEPS, BATCH = 8, 256, 64


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


def arms(case: Case) -> dict[str, Arm]:
    """Return both learners with the same settings, each under its own names."""
    if case.hides:
        same: dict[str, Any] = {
            "n_steps": 128,
            "learning_rate": 3e-4,
            "gamma": 0.99,
            "gae_lambda": 0.95,
        }
        same |= {"n_epochs": 10}
        ours = same | {"n_minibatches": 8, "final_rate": 1.0}
        theirs = same | {"batch_size": 128}
        structure, peer = "uniform", "RecurrentPPO"
    else:
        same = {"learning_rate": 3e-4, "gamma": 0.99, "gae_lambda": 0.95, "n_epochs": 10}
        same |= {"n_steps": N_STEPS, **case.settings}
        ours = same | {"n_minibatches": N_STEPS * N_ENVS // BATCH, "final_rate": 1.0}
        ours |= {"clip_by_area": False, "normalise_returns": False}
        theirs = same | {"batch_size": BATCH}
        structure, peer = "feedforward", "PPO"
    common: dict[str, Any] = {"costs": "reward", "steps": case.steps, "n_envs": N_ENVS}
    common |= {"tuned": False}
    return {
        structure: Arm(structure, **common, settings=ours),
        peer: Arm(peer, **common, settings=theirs),
    }


for _name in CASES:
    gym.register(_name, f"{__name__}:{make.__name__}", kwargs={"name": _name})

PARITY = Study(
    name="parity",
    claim="Without structure or costs of its own, an agent of ours learns what SB3's learns.",
    tasks=tuple((name, None) for name in CASES),
    arms={name: arms(case) for name, case in CASES.items()},
    seeds=tuple(range(10)),
    contrasts=(
        Contrast("feedforward", "PPO", MARGIN),
        Contrast("uniform", "RecurrentPPO", MARGIN, "at least"),
    ),
    imports=(__name__,),
    eval_episodes=50,
)
STUDIES["parity"] = PARITY
