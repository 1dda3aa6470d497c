"""What `motley bench` times: our worlds and our agent, and the peers that users know.

A case is a closure that takes a fixed number of environment steps. Peers' packages are imported
where they are used, so that the worlds can be timed without them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm

from motley.agents import Agent, Blueprint, Cohort, Node
from motley.agents.areas import Actor, Perceptron
from motley.agents.diary import without_folder
from motley.envs import TASKS, World
from motley.envs.sb3 import WorldVecEnv
from motley.studies import peers
from motley.studies.bench_roof import Roof, experience, rollout_of

BATCH = 1_024
"""Worlds of the vector door."""
N_ENVS = 64
"""Worlds behind SB3's door."""
N_EPOCHS, N_MINIBATCHES = 4, 4
"""Of every learner, unless its title says otherwise."""


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
    """`learn` of our agents and of their peers, on the same worlds, and what an update is made of.

    Raises:
        ModuleNotFoundError: sb3-contrib is not installed; the message says how to.
    """
    shapes = [(64, 128), (64, 64), (256, 32)]
    if quick:
        shapes = [(n_envs, n_steps // 8) for n_envs, n_steps in shapes]
    cases = [case for shape in shapes for case in _recurrent(*shape, many=1 if quick else 4)]
    cases += _feed_forward(64, 16 if quick else 128)
    cases += _seeds(3, 64, 8) if quick else _seeds(10, 64, 64)
    n_steps = 8 if quick else 64
    return cases + _costs(64, n_steps) + _parts(64, n_steps)


def _recurrent(n_envs: int, n_steps: int, many: int) -> list[Case]:
    """The uniform agent for reward alone, RecurrentPPO, and PPO: equal minibatches.

    RecurrentPPO is timed with its default network, with one shared LSTM, and so without oneDNN,
    which is not how PyTorch comes but makes it faster.
    """
    recurrent = peer("sb3_contrib").RecurrentPPO
    shape: dict[str, Any] = {"n_steps": n_steps, "n_epochs": N_EPOCHS, "seed": 0}
    batch = shape | {"device": "cpu", "batch_size": n_envs * n_steps // N_MINIBATCHES}
    ours = Agent("uniform", worlds(n_envs), "reward", n_minibatches=N_MINIBATCHES, **shape)
    width = shared_width(parameters(ours), recurrent)
    default = recurrent("MultiInputLstmPolicy", worlds(n_envs), **batch)
    kwargs = shared_lstm(width)
    shared, faster = (
        recurrent("MultiInputLstmPolicy", worlds(n_envs), policy_kwargs=kwargs, **batch)
        for _ in range(2)
    )
    forward = PPO("MultiInputPolicy", worlds(n_envs), **batch)
    at, where = f"training/{n_envs}x{n_steps}", f"{n_envs} x {n_steps}"
    return [
        _learning(f"{at}/motley", f"Motley, uniform, reward, {where}", ours, many),
        _learning(f"{at}/RecurrentPPO", f"RecurrentPPO, its default, {where}", default, 1),
        _learning(f"{at}/shared", f"RecurrentPPO, one shared LSTM-{width}, {where}", shared, 1),
        _learning(
            f"{at}/shared-plain",
            f"RecurrentPPO, LSTM-{width}, no oneDNN, {where}",
            faster,
            1,
            one_dnn=False,
        ),
        _learning(f"{at}/PPO", f"SB3 PPO, feed-forward, {where}", forward, many),
    ]


def _feed_forward(n_envs: int, n_steps: int) -> list[Case]:
    """An agent without memory beside SB3's PPO, at minibatches of 256."""
    parts = n_envs * n_steps // 256
    shape: dict[str, Any] = {"n_steps": n_steps, "n_epochs": N_EPOCHS, "seed": 0}
    peer = PPO("MultiInputPolicy", worlds(n_envs), batch_size=256, device="cpu", **shape)
    ours = Agent(plain(peer), worlds(n_envs), "reward", n_minibatches=parts, budget=None, **shape)
    at, where = f"training/{n_envs}x{n_steps}-256", f"minibatches of 256, {n_envs} x {n_steps}"
    return [
        _learning(f"{at}/motley", f"Motley, feed-forward, {where}", ours, 1),
        _learning(f"{at}/PPO", f"SB3 PPO, {where}", peer, 1),
    ]


def _seeds(count: int, n_envs: int, n_steps: int) -> list[Case]:
    """Several seeds of the uniform agent as one batch, and one after another; on a GPU if any."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shape: dict[str, Any] = {"n_steps": n_steps, "n_epochs": N_EPOCHS, "device": device}
    agents = [
        Agent("uniform", worlds(n_envs), "reward", n_minibatches=N_MINIBATCHES, seed=s, **shape)
        for s in range(0, 2 * count * n_envs, n_envs)
    ]
    apart, cohort = agents[:count], Cohort(agents[count:])
    steps = n_envs * n_steps

    def one_by_one() -> None:
        torch.set_num_threads(1)
        for agent in apart:
            agent.learn(steps, reset_num_timesteps=False)

    def together() -> None:
        torch.set_num_threads(1)
        cohort.learn(steps, reset_num_timesteps=False)

    at, where = f"training/{count}-seeds", f"{count} seeds, {n_envs} x {n_steps}, {device}"
    return [
        Case(f"{at}/together", f"Motley, {where}, as one batch", "", count * steps, together),
        Case(f"{at}/apart", f"Motley, {where}, one by one", "", count * steps, one_by_one),
    ]


def plain(peer: PPO) -> Blueprint:
    """Two layers of 64 for the actor and two for the critic, on all senses: what SB3's PPO has."""
    assert isinstance(peer.observation_space, gym.spaces.Dict)
    senses = tuple(peer.observation_space.spaces)
    return Blueprint(
        {
            "actor": Node(Actor, senses, "actor", {"hidden": (64, 64)}),
            "critic": Node(Perceptron, senses, "critic", {"size": 64, "depth": 2}),
        }
    )


def _agent(
    n_envs: int, n_steps: int, structure: str, costs: str | list[str], **settings: Any
) -> Agent:
    settings |= {"n_epochs": N_EPOCHS, "n_minibatches": N_MINIBATCHES, "n_steps": n_steps}
    return Agent(structure, worlds(n_envs), costs, seed=0, **settings)


def _with_costs(n_envs: int, n_steps: int) -> dict[str, tuple[str, Agent]]:
    """By key, title and agent: the matched one with reward alone, and with five costs.

    These are routed exactly, and to everything, which is one summed backward pass.
    """
    make = partial(_agent, n_envs, n_steps, "matched")
    five = ["reward", "next_observation", "self_localisation", "slowness", "reward_prediction"]
    return {
        "reward": ("Motley, matched, reward", make("reward")),
        "five": ("the same with five costs, exactly routed", make(five)),
        "summed": ("the same, one summed backward", make(five, routing="global")),
    }


def _costs(n_envs: int, n_steps: int) -> list[Case]:
    """What several costs add to learning, rollouts included."""
    return [
        _learning(f"training/costs/{key}", f"Learning: {title}, {n_envs} x {n_steps}", agent, 2)
        for key, (title, agent) in _with_costs(n_envs, n_steps).items()
    ]


def _parts(n_envs: int, n_steps: int) -> list[Case]:
    """What an update is made of, each on a fixed rollout; and a rollout without an update."""
    uniform = _agent(n_envs, n_steps, "uniform", "reward")
    agents = {"uniform": ("Motley, uniform, reward", uniform)} | _with_costs(n_envs, n_steps)
    batch = experience(uniform)
    roof = Roof(uniform, batch)
    samples = n_envs * n_steps * N_EPOCHS
    note = "samples/s"
    cases = [Case("update/uniform/roof", "Update: bare torch", note, samples, roof.update)]
    cases += [
        Case(f"update/{key}/motley", f"Update: {title}", note, samples, _updating(one))
        for key, (title, one) in agents.items()
    ]
    title = f"Rollout of {n_envs} worlds: Motley, uniform"
    cases.append(Case("rollout/motley", title, "", n_envs * n_steps, _rolling(uniform)))
    title, run = f"Rollout of {n_envs} worlds: the worlds alone", _stepping(worlds(n_envs), n_steps)
    return [*cases, Case("rollout/worlds", title, "", n_envs * n_steps, run)]


def _updating(agent: Agent) -> Callable[[], object]:
    batch = experience(agent)
    # As the second of its ten: the first also measures gradient norms, in passes of their own.
    return lambda: agent.learner.update(batch, 0, 0.2, agent._generator, 1)


def _rolling(agent: Agent) -> Callable[[], object]:
    return lambda: rollout_of(agent)


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


def worlds(n_envs: int = N_ENVS) -> WorldVecEnv:
    """The worlds that every learner learns in: DarkHome at its default level."""
    return WorldVecEnv("motley/DarkHome-v0", n_envs, seed=0)


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
    run, title = _stepping(WorldVecEnv(task, N_ENVS, seed=0), calls), f"{task}, {N_ENVS} worlds"
    note = "motley.envs.sb3.WorldVecEnv"
    return Case(f"envs/{task}/sb3", f"{title}, SB3's door", note, calls * N_ENVS, run)


def _stepping(env: WorldVecEnv, calls: int) -> Callable[[], object]:
    """Step worlds with random actions drawn beforehand."""
    shape = (calls, env.num_envs, 2)
    actions = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    env.reset()

    def run() -> None:
        for action in actions:
            env.step(action)

    return run


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


def _learning(key: str, title: str, learner: Any, rollouts: int, one_dnn: bool = True) -> Case:
    steps = learner.n_envs * learner.n_steps * rollouts

    def run() -> None:
        # One thread: setting it here undoes what a learner's constructor may have set.
        torch.set_num_threads(1)
        with without_folder(learner), peers.one_dnn(one_dnn):
            learner.learn(steps, reset_num_timesteps=False)

    note = f"{parameters(learner):,} parameters"
    return Case(key, title, note, steps, run)
