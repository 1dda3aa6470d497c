"""What `motley bench` times: our worlds and our agent, and the peers that users know.

A case is a closure that takes a fixed number of environment steps. Peers' packages are imported
where they are used, so that the worlds can be timed without them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm

from motley.agents import Agent
from motley.envs import TASKS, World
from motley.envs.sb3 import WorldVecEnv

BATCH = 1_024
"""Worlds of the vector door."""
N_ENVS, N_STEPS, N_EPOCHS, N_MINIBATCHES = 64, 128, 4, 4
"""Of every learner, so that a minibatch holds 2,048 samples."""


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes:
        key: its name in files: ``<suite>/<what>/<how>``.
        title: its name for people.
        note: what else one must know to compare it.
        steps: environment steps that a call of ``run`` takes, all worlds together.
        run: takes them.
    """

    key: str
    title: str
    note: str
    steps: int
    run: Callable[[], object]

    @property
    def suite(self) -> str:
        """``envs`` or ``training``."""
        return self.key.split("/")[0]


def env_cases(quick: bool = False) -> list[Case]:
    """Every task of ours through each door, and peers' environments, all with random actions.

    Raises:
        ModuleNotFoundError: MiniGrid is not installed; the message says how to.
    """
    scale = 1 if quick else 10
    cases = []
    for task in TASKS:
        cases += [
            _single(f"envs/{task}/single", task, f"motley/{task}-v0", 2_000 * scale),
            _vector(f"envs/{task}/vector", task, f"motley/{task}-v0", 40 * scale),
            _sb3(task, 60 * scale),
            _kernels(task, 40 * scale),
        ]
    peer("minigrid")
    cases += [
        _single("envs/MiniGrid/single", "MiniGrid", "MiniGrid-DoorKey-8x8-v0", 300 * scale),
        _single("envs/CartPole/single", "Gymnasium CartPole", "CartPole-v1", 2_000 * scale),
        _vector("envs/CartPole/vector", "Gymnasium CartPole", "CartPole-v1", 40 * scale),
    ]
    return cases


def training_cases(quick: bool = False) -> list[Case]:
    """`learn` of our uniform agent for reward alone and of its peers, on the same worlds.

    Raises:
        ModuleNotFoundError: sb3-contrib is not installed; the message says how to.
    """
    recurrent = peer("sb3_contrib").RecurrentPPO
    n_steps = 16 if quick else N_STEPS
    shape: dict[str, Any] = {"n_steps": n_steps, "n_epochs": N_EPOCHS, "seed": 0, "device": "cpu"}
    batch: dict[str, Any] = {"batch_size": N_ENVS * n_steps // N_MINIBATCHES}

    ours = Agent("uniform", worlds(), "reward", n_minibatches=N_MINIBATCHES, **shape)
    default = recurrent("MultiInputLstmPolicy", worlds(), **shape, **batch)
    width = shared_width(parameters(ours), recurrent)
    shared = recurrent(
        "MultiInputLstmPolicy", worlds(), policy_kwargs=shared_lstm(width), **shape, **batch
    )
    forward = PPO("MultiInputPolicy", worlds(), **shape, **batch)
    many = 1 if quick else 4
    return [
        _learning("motley", "Motley, uniform, reward", ours, many),
        _learning("RecurrentPPO", "RecurrentPPO, its default (two LSTM-256)", default, 1),
        _learning("RecurrentPPO-shared", f"RecurrentPPO, one shared LSTM-{width}", shared, 1),
        _learning("PPO", "SB3 PPO, feed-forward", forward, many),
    ]


def peer(package: str) -> Any:
    """Import a peer's package.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    try:
        return __import__(package)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"`motley bench` compares with {package}, which is not installed: "
            "pip install 'motley-rl[bench]'"
        ) from error


def worlds() -> WorldVecEnv:
    """The worlds that every learner learns in: DarkHome at its default level."""
    return WorldVecEnv("motley/DarkHome-v0", N_ENVS, seed=0)


def parameters(learner: BaseAlgorithm) -> int:
    """All numbers that the learner trains, actor, critic and memory."""
    return sum(p.numel() for p in learner.policy.parameters() if p.requires_grad)


def shared_lstm(width: int) -> dict[str, Any]:
    """RecurrentPPO's settings for one LSTM that actor and critic share."""
    return {"lstm_hidden_size": width, "shared_lstm": True, "enable_critic_lstm": False}


def shared_width(budget: int, recurrent: Any) -> int:
    """The width at which RecurrentPPO with one shared LSTM comes nearest to ``budget``."""

    def distance(width: int) -> int:
        kwargs = shared_lstm(width)
        return abs(
            parameters(recurrent("MultiInputLstmPolicy", env, policy_kwargs=kwargs)) - budget
        )

    env = WorldVecEnv("motley/DarkHome-v0", 1, seed=0)
    low, high = 1, 1_024
    while high - low > 1:
        middle = (low + high) // 2
        if distance(middle) < distance(middle + 1):
            high = middle
        else:
            low = middle
    return min((low, high), key=distance)


def _single(key: str, name: str, id: str, steps: int) -> Case:
    env = gym.make(id)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(steps)]
    env.reset(seed=0)

    def run() -> None:
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return Case(key, f"{name}, one world", f"gym.make('{id}')", steps, run)


def _vector(key: str, name: str, id: str, calls: int) -> Case:
    env = gym.make_vec(id, num_envs=BATCH, vectorization_mode="vector_entry_point")
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(calls)]
    env.reset(seed=0)

    def run() -> None:
        for action in actions:
            env.step(action)

    return Case(key, f"{name}, {BATCH:,} worlds", f"gym.make_vec('{id}')", calls * BATCH, run)


def _sb3(task: str, calls: int) -> Case:
    env = WorldVecEnv(task, N_ENVS, seed=0)
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (calls, N_ENVS, 2)).astype(np.float32)
    env.reset()

    def run() -> None:
        for action in actions:
            env.step(action)

    title = f"{task}, {N_ENVS} worlds, SB3's door"
    return Case(f"envs/{task}/sb3", title, "motley.envs.sb3.WorldVecEnv", calls * N_ENVS, run)


def _kernels(task: str, calls: int) -> Case:
    """Motion, contact and senses alone: no task, no resets, no fresh arrays. The limit."""
    world = World(TASKS[task](), BATCH)
    world.seed(np.arange(BATCH))
    world.reset()
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (calls, BATCH, 2)).astype(np.float32)
    out = np.empty(BATCH * world.reader.width, np.float32)

    def run() -> None:
        for action in actions:
            world.task.body.move(world, action)
            world.reader.write(world, world.rows, out)

    title = f"{task}, {BATCH:,} worlds, kernels alone"
    return Case(f"envs/{task}/kernels", title, "no task, no resets", calls * BATCH, run)


def _learning(key: str, title: str, learner: Any, rollouts: int) -> Case:
    steps = N_ENVS * learner.n_steps * rollouts

    def run() -> None:
        # One thread: setting it here undoes what a learner's constructor may have set.
        torch.set_num_threads(1)
        learner.learn(steps, reset_num_timesteps=False)

    note = f"{parameters(learner):,} parameters"
    return Case(f"training/DarkHome/{key}", title, note, steps, run)
