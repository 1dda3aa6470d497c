"""The control of a task that is trained: what is reached on reward without a memory.

Its scores lie beside the task's calibration, under its name with _controls.json, and are valid for
the task as it was when they were measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motley.agents import Agent
from motley.envs import Task, calibration
from motley.envs.hidden import what_is_hidden
from motley.envs.probe import Probe, linear_probe
from motley.envs.sb3 import WorldVecEnv
from motley.envs.trace import Array, Trace
from motley.studies.evaluate import undisturbed
from motley.studies.folder import write_json
from motley.studies.record import record

FORMAT_VERSION = 1
"""Of the stored files; not that of run folders."""
STEPS = 300_000
"""Default environment steps."""
SEED = 3_000_000
"""Of the first episode that scores a control; neither calibration nor audit have it."""
EPISODES = 500


@dataclass(frozen=True)
class Control:
    """How well a trained control did: mean scores over ``episodes`` episodes, and what it was."""

    level: int
    structure: str
    n_params: int
    steps: int
    seed: int
    episodes: int
    score: float
    score01: float


def measure(
    task: Task,
    steps: int = STEPS,
    seed: int = 0,
    on_steps: Callable[[int], None] = lambda steps: None,
) -> Control:
    """Train the control and score its mean action.

    It is the uniform structure with a core that forgets, without the previous action.

    Args:
        task: an instance, with its level.
        steps: environment steps.
        seed: of weights, exploration and worlds.
        on_steps: is told of the steps so far.
    """
    with undisturbed():
        agent = Agent("memoryless", WorldVecEnv(task, 64, seed=seed), "reward", seed=seed)
        while agent.num_timesteps < steps:
            part = min(steps - agent.num_timesteps, 50_000)
            agent.learn(part, reset_num_timesteps=False)
            on_steps(agent.num_timesteps)
        found = record(agent, task, EPISODES, SEED)
    return Control(
        level=task.level,
        structure=agent.blueprint.name,
        n_params=agent.n_parameters,
        steps=agent.num_timesteps,
        seed=seed,
        episodes=EPISODES,
        score=float(found["end/score"].mean()),
        score01=float(found["end/score01"].mean()),
    )


def path(task: type[Task]) -> Path:
    """Where a task's controls lie."""
    beside = calibration.path(task)
    return beside.with_name(f"{beside.stem}_controls.json")


def read(task: type[Task]) -> list[Control]:
    """The stored controls of a task; none where the file is missing or the task has changed."""
    try:
        document = json.loads(path(task).read_text())
    except (OSError, TypeError):
        return []
    if document["task_hash"] != calibration.task_hash(task):
        return []
    if document["format_version"] != FORMAT_VERSION:
        return []
    return [Control(**entry) for entry in document["controls"]]


def lookup(task: Task) -> Control | None:
    """The stored control of a task as it is set; None out of distribution and in its variants."""
    kind = type(task)
    if task.ood or task.variant != kind().variant:
        return None
    return next((control for control in read(kind) if control.level == task.level), None)


def write(task: type[Task], controls: Sequence[Control]) -> Path:
    """Store controls beside those that are there, in place of the same level."""
    fresh = {c.level: c for c in (*read(task), *controls)}
    entries: list[dict[str, Any]] = [asdict(fresh[key]) for key in sorted(fresh)]
    file = path(task)
    write_json(
        file,
        {
            "format_version": FORMAT_VERSION,
            "task": task.__name__,
            "task_hash": calibration.task_hash(task),
            "controls": entries,
        },
    )
    return file


def probe(trace: Trace) -> Probe:
    """Read what a task hides from single observations, at moments when it must be remembered.

    Args:
        trace: of a trained agent, some hundreds of episodes.

    Raises:
        ValueError: what the task hides is not stated, or the agent never got to such a moment.
    """
    rows, variable = what_is_hidden(trace.task).read(trace)
    return linear_probe(observations(trace)[rows], variable, trace["episode"][rows])


def observations(trace: Trace) -> Array:
    """Everything sensed at each moment, (moments, features)."""
    return np.concatenate([trace[n] for n in trace if n.startswith("sense/")], 1)
