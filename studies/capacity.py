"""The capacity probe: whether the uniform core can hold the answer, if it is taught.

A uniform agent that fails to learn a task may not have found the solution, or may not be able to
represent it. Here it is told at every step what the oracle would do, in states that it gets
itself into (DAgger: Ross, Gordon & Bagnell 2011), and reaches as high a score01 as it can. A high
one rules out the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from motley.agents import Agent
from motley.agents.brain import gather_state
from motley.agents.layers import seed_of
from motley.agents.rollout import Present
from motley.envs import Task
from motley.envs.sb3 import WorldVecEnv

STEPS = 6_000_000
"""Default number of steps, all worlds together."""
N_ENVS, N_STEPS = 128, 64
N_EPOCHS, N_MINIBATCHES = 2, 4
LEARNING_RATE = 1e-3
MAX_GRAD_NORM = 1.0
TAUGHT_UNTIL = 0.3
"""Share of the steps over which ever fewer worlds are driven by the oracle instead."""


def pupil(task: Task, seed: int, structure: str = "uniform", budget: int = 40_000) -> Agent:
    """An agent of the structure in worlds of the task, unlearnt."""
    worlds = WorldVecEnv(task, N_ENVS, seed=seed)
    return Agent(structure, worlds, "reward", budget=budget, seed=seed)


def teach(
    agent: Agent,
    steps: int = STEPS,
    learning_rate: float = LEARNING_RATE,
    on_rollout: Callable[[int, float], None] = lambda steps, loss: None,
) -> None:
    """Train an agent's actor, and all areas before it, to do what the oracle would.

    The loss is the mean squared difference between the mean action and the oracle's. The rate
    falls linearly to a twentieth.

    Args:
        agent: in a `WorldVecEnv`.
        steps: environment steps, all worlds together.
        learning_rate: of Adam.
        on_rollout: is told of steps so far and loss.
    """
    brain, optimizer = agent.brain, torch.optim.Adam(agent.brain.parameters(), lr=learning_rate)
    generator = torch.Generator().manual_seed(seed_of(agent.seed or 0, "capacity"))
    done = 0
    for known, state, label in lessons(agent, steps):
        optimizer.param_groups[0]["lr"] = learning_rate * max(1.0 - done / steps, 0.05)
        losses = []
        for _ in range(N_EPOCHS):
            for part in torch.randperm(label.shape[1], generator=generator).chunk(N_MINIBATCHES):
                senses = {name: x[:, part] for name, x in known.items()}
                before = gather_state(state, part)
                outputs, _ = brain(senses, before, senses["episode_start"], brain.acting)
                loss = (outputs[brain.roles["actor"]] - label[:, part]).square().mean()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(brain.parameters(), MAX_GRAD_NORM)
                optimizer.step()
                losses.append(float(loss.detach()))
        done += label.shape[0] * label.shape[1]
        on_rollout(done, float(np.mean(losses)))
    agent.num_timesteps += done


def lessons(
    agent: Agent, steps: int
) -> Iterator[tuple[dict[str, Tensor], dict[str, dict[str, Tensor]], Tensor]]:
    """Sequences of what was sensed, the state before, and the oracle's actions.

    Yields:
        Senses, ``previous_action`` and ``episode_start`` by name, (time, worlds, ...); the brain's
        state before the first step; the oracle's actions, (time, worlds, numbers).
    """
    worlds, brain, distribution = agent.env, agent.brain, agent.learner.distribution
    assert isinstance(worlds, WorldVecEnv)
    n = worlds.num_envs
    senses = agent.policy.senses
    present = Present(
        senses(worlds.reset()), brain.initial_state(n), distribution.features, agent.device
    )
    for begin in range(0, steps, N_STEPS * n):
        driven = int(n * max(1.0 - begin / (TAUGHT_UNTIL * steps), 0.0))
        first = present.state
        known: list[dict[str, Tensor]] = []
        labels: list[Tensor] = []
        for _ in range(N_STEPS):
            now = {**present.senses, "previous_action": present.action}
            known.append({**now, "episode_start": present.start})
            with torch.no_grad():
                outputs, present.state = brain(
                    {name: x.unsqueeze(0) for name, x in now.items()},
                    present.state,
                    present.start.unsqueeze(0),
                    brain.acting,
                )
            label = torch.as_tensor(worlds.oracle(), device=agent.device)
            action = outputs[brain.roles["actor"]][0].clone()
            action[:driven] = label[:driven]
            labels.append(label)
            observation, _, done, _ = worlds.step(distribution.to_environment(action))
            present.senses = {
                name: torch.as_tensor(x, device=agent.device)
                for name, x in senses(observation).items()
            }
            present.start = torch.as_tensor(np.asarray(done), device=agent.device)
            present.action = distribution.encode(action) * (~present.start).unsqueeze(-1)
        yield {k: torch.stack([x[k] for x in known]) for k in known[0]}, first, torch.stack(labels)
