"""Lives to learn from and to test on: what areas and costs see of them, without an agent."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from motley.agents.areas import Area
from motley.costs import Cost, Trace
from motley.costs.base import Sizes
from motley.envs import Task, World
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats
from motley.envs.task import Policy

ARM = ("proprioception", "cue", "go", "previous_action")
"""What a forward model reads."""


class Wander:
    """A policy with noise on what it does."""

    def __init__(self, policy: Policy, noise: float):
        self.policy, self.noise, self.random = policy, noise, np.random.default_rng(0)

    def reset(self, n: int) -> None:
        self.policy.reset(n)
        self.random = np.random.default_rng(0)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        action = self.policy.act(observation, episode_start)
        noisy = action + self.noise * self.random.standard_normal(action.shape)
        return noisy.clip(-1, 1).astype(np.float32)


def record(task: Task, policy: Policy, steps: int, n: int = 24, seed: int = 0) -> Trace:
    """Live for some steps in each world; what an area and a cost would see."""
    world = World(task, n)
    world.seed(seed + np.arange(n))
    world.reset()
    policy.reset(n)
    start, before = np.ones(n, np.bool_), np.zeros((n, 2), np.float32)
    rows: dict[str, list[np.ndarray]] = {}
    for _ in range(steps):
        seen = world.observe()
        action = policy.act(seen, start)
        now = {**seen, "action": action, "previous_action": before * ~start[:, None]}
        for name, x in {**now, "episode_start": start}.items():
            rows.setdefault(name, []).append(x.copy())
        _, terminated, truncated = world.step(action)
        start, before = terminated | truncated, action
        if start.any():
            world.reset(np.flatnonzero(start))
    return Trace({name: torch.as_tensor(np.stack(x)) for name, x in rows.items()})


def run(area: Area, trace: Trace, *names: str) -> Tensor:
    inputs = tuple(trace[name] for name in names)
    state = area.initial_state(trace.episode_start.shape[1])
    out: Tensor = area(inputs, state, trace.episode_start)[0]
    return out


def learn(
    area: Area,
    cost: Cost,
    name: str,
    trace: Trace,
    inputs: tuple[str, ...],
    updates: int,
    rate: float = 5e-3,
) -> nn.Module:
    """Train an area by a cost; returns the cost's read-out."""
    sizes = {k: x.shape[-1] for k, x in trace.tensors.items() if x.dim() == 3}
    heads = cost.heads(Sizes({**sizes, name: area.size}, {})) or nn.Module()
    optimizer = torch.optim.Adam([*area.parameters(), *heads.parameters()], rate)
    for _ in range(updates):
        loss = cost.loss(trace.noted({name: run(area, trace, *inputs)}), heads).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return heads
