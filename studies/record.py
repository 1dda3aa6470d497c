"""Recording an agent, or a reference policy, into a trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motley.agents import Agent
from motley.agents.policy import RecurrentState
from motley.envs import Task, trace
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats
from motley.envs.trace import Act, Trace
from motley.envs.world import World
from motley.studies.config import ConfigError, RunConfig
from motley.studies.model import open_run

WORLDS = 200
"""Episodes that are played at once at most: worlds and what areas keep take memory for each."""


def acting(agent: Agent, deterministic: bool = True) -> Act:
    """An agent as one that acts in `motley.envs.trace.record`, with the activity of its areas."""
    state: RecurrentState | None = None

    def act(world: World, observation: Observation, starts: Bools) -> tuple[Floats, dict[str, Any]]:
        nonlocal state
        action, state, areas = agent.policy.observe(observation, state, starts, deterministic)
        return action, {f"area/{name}": activity for name, activity in areas.items()}

    return act


def record(
    agent: Agent,
    task: Task,
    episodes: int,
    seed: int,
    deterministic: bool = True,
    keep: Callable[[str], bool] = lambda name: True,
) -> Trace:
    """Record an agent, as lesioned as it stands, in one episode of each seed from ``seed`` on.

    Args:
        agent: acts.
        task: where; an instance, with its level.
        episodes: how many.
        seed: of the first.
        deterministic: the mean action instead of a sample.
        keep: whether the trace is to have the array of that name.

    Raises:
        ValueError: the agent has other senses than the task, or there are no episodes.
    """
    if episodes < 1:
        raise ValueError(f"a trace has at least one episode, not {episodes}")
    about = {
        "policy": agent.blueprint.name,
        "deterministic": deterministic,
        "steps_trained": agent.num_timesteps,
        "lesion": sorted(agent.brain.held),
    }
    # Parts of about one size: a matrix product of a single row is rounded otherwise than of many.
    parts = np.array_split(seed + np.arange(episodes), -(-episodes // WORLDS))
    return trace.join(
        [
            trace.record(task, acting(agent, deterministic), len(p), int(p[0]), about, keep)
            for p in parts
        ]
    )


def open_lesioned(folder: Path, lesion: Sequence[str]) -> tuple[RunConfig, Agent]:
    """The configuration and the agent of a run folder, with areas held at zero.

    Raises:
        FolderError: it is no run folder, has no model yet, or has that of another run.
        ConfigError: the agent has no such area; the nearest are named.
    """
    config, agent = open_run(folder)
    try:
        agent.lesion(*lesion)
    except ValueError as error:
        raise ConfigError(f"--lesion: {error}") from error
    return config, agent


def rules(
    config: RunConfig, level: int | None = None, ood: bool = False, variant: Sequence[str] = ()
) -> Task:
    """The task of a run; ``level``, ``ood`` and ``variant`` as in :meth:`RunConfig.at`.

    Raises:
        ConfigError: it is not one of our tasks, or has no such level or variant.
    """
    config = config.at(level, ood, variant)
    if config.ours is None:
        raise ConfigError(f"{config.task} is not one of our tasks: its state cannot be recorded")
    return config.rules()
