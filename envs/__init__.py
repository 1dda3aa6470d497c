"""Embodied tasks, each isolating one problem that behaviour poses: a Gymnasium suite.

Importing this registers every task, so that ``gym.make("motley/DarkHome-v0", level=1)`` and
``gym.make_vec("motley/DarkHome-v0", num_envs=64)`` work, or in one go
``gym.make("motley.envs:motley/DarkHome-v0")``.
"""

from __future__ import annotations

import gymnasium as gym

from motley.envs.senses import Sense, Vision
from motley.envs.task import Body, Level, Policy, Task
from motley.envs.tasks import TASKS
from motley.envs.world import World

__all__ = ["TASKS", "Body", "Level", "Policy", "Sense", "Task", "Vision", "World", "register"]


def register(task: type[Task]) -> type[Task]:
    """Add a task to the suite under its class's name; usable as a decorator.

    Raises:
        ValueError: the name is taken.
    """
    name = task.__name__
    if name in TASKS:
        raise ValueError(f"a task {name!r} is registered already: give the class another name")
    TASKS[name] = task
    _register_id(name)
    return task


def _register_id(name: str) -> None:
    # No max_episode_steps: the horizon depends on the level.
    gym.register(
        f"motley/{name}-v0",
        entry_point="motley.envs.single:WorldEnv",
        vector_entry_point="motley.envs.vector:WorldVectorEnv",
        kwargs={"task": name},
    )


for _name in TASKS:
    _register_id(_name)
