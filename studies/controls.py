"""Controls of a task that are trained: what is reached without a memory, and what can be held.

Their scores lie beside the task's calibration, under its name with _controls.json, and are valid
for the task as it was when they were measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from motley.agents import Agent
from motley.envs import Task, calibration
from motley.envs.probe import Probe, linear_probe
from motley.envs.sb3 import WorldVecEnv
from motley.envs.summaries import HIDDEN
from motley.envs.trace import Array, Trace
from motley.studies import capacity
from motley.studies.evaluate import undisturbed
from motley.studies.folder import FORMAT_VERSION, write_json
from motley.studies.record import record

Kind = Literal["memoryless", "capacity"]
STEPS: dict[Kind, int] = {"memoryless": 300_000, "capacity": capacity.STEPS}
"""Default environment steps of each."""
SEED = 3_000_000
"""Of the first episode that scores a control; neither calibration nor audit have it."""
EPISODES = 500


@dataclass(frozen=True)
class Control:
    """How well a trained control did: mean scores over ``episodes`` episodes, and what it was."""

    kind: Kind
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
    kind: Kind,
    steps: int | None = None,
    seed: int = 0,
    on_steps: Callable[[int], None] = lambda steps: None,
) -> Control:
    """Train a control and score its mean action.

    ``memoryless``: the uniform structure with a core that forgets, without previous action, trained
    on reward. ``capacity``: the uniform structure, taught what the oracle does.

    Args:
        task: an instance, with its level.
        kind: which.
        steps: environment steps; None takes :data:`STEPS`.
        seed: of weights, exploration and worlds.
        on_steps: is told of the steps so far.
    """
    steps = STEPS[kind] if steps is None else steps
    with undisturbed():
        if kind == "memoryless":
            agent = Agent("memoryless", WorldVecEnv(task, 64, seed=seed), "reward", seed=seed)
            while agent.num_timesteps < steps:
                part = min(steps - agent.num_timesteps, 50_000)
                agent.learn(part, reset_num_timesteps=False)
                on_steps(agent.num_timesteps)
        else:
            agent = capacity.pupil(task, seed)
            capacity.teach(agent, steps, on_rollout=lambda done, loss: on_steps(done))
        found = record(agent, task, EPISODES, SEED)
    return Control(
        kind=kind,
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


def lookup(task: type[Task], kind: Kind, level: int) -> Control | None:
    """The stored control of that kind and level, or None."""
    return next((c for c in read(task) if (c.kind, c.level) == (kind, level)), None)


def write(task: type[Task], controls: Sequence[Control]) -> Path:
    """Store controls beside those that are there, in place of the same kind and level."""
    fresh = {(c.kind, c.level): c for c in (*read(task), *controls)}
    entries: list[dict[str, Any]] = [asdict(fresh[key]) for key in sorted(fresh)]
    file = path(task)
    write_json(
        file,
        {"task": task.__name__, "task_hash": calibration.task_hash(task), "controls": entries},
    )
    return file


def probe(trace: Trace) -> Probe:
    """Read what a task hides from single observations, at moments when it must be remembered.

    Args:
        trace: of a trained agent, some hundreds of episodes.

    Raises:
        ValueError: what the task hides is not stated, or the agent never got to such a moment.
    """
    if trace.task not in HIDDEN:
        raise ValueError(
            f"what {trace.task} hides is not stated; add it to motley.envs.summaries.HIDDEN "
            f"(there are: {', '.join(HIDDEN)})"
        )
    rows, hidden = HIDDEN[trace.task](trace)
    return linear_probe(observations(trace)[rows], hidden, trace["episode"][rows])


def observations(trace: Trace) -> Array:
    """Everything sensed at each moment, (moments, features)."""
    return np.concatenate([trace[n] for n in trace if n.startswith("sense/")], 1)
