"""The tasks: one file each, and one registry, by name."""

from __future__ import annotations

import difflib

from motley.envs.task import Task
from motley.envs.tasks.cache_recall import CacheRecall
from motley.envs.tasks.caregiver import Caregiver
from motley.envs.tasks.dark_home import DarkHome
from motley.envs.tasks.delay_reach import DelayReach
from motley.envs.tasks.gate_maze import GateMaze
from motley.envs.tasks.homestead import Homestead
from motley.envs.tasks.many_needs import ManyNeeds
from motley.envs.tasks.occluder_hunt import OccluderHunt
from motley.envs.tasks.play_room import PlayRoom
from motley.envs.tasks.role_bind import RoleBind

TASKS: dict[str, type[Task]] = {
    "DarkHome": DarkHome,
    "CacheRecall": CacheRecall,
    "ManyNeeds": ManyNeeds,
    "GateMaze": GateMaze,
    "RoleBind": RoleBind,
    "DelayReach": DelayReach,
    "OccluderHunt": OccluderHunt,
    "Caregiver": Caregiver,
    "PlayRoom": PlayRoom,
    "Homestead": Homestead,
}
"""Every task by name; the id of `name` is ``motley/<name>-v0``."""


def find(name: str) -> type[Task]:
    """The task of that name or id (``DarkHome`` or ``motley/DarkHome-v0``).

    Raises:
        ValueError: there is none; the nearest names are in the message.
    """
    plain = name.removeprefix("motley.envs:").removeprefix("motley/").removesuffix("-v0")
    if plain not in TASKS:
        near = difflib.get_close_matches(plain, TASKS) or sorted(TASKS)
        raise ValueError(f"there is no task {name!r}; near: {', '.join(near)}")
    return TASKS[plain]
