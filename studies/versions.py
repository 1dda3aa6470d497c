"""What a run's numbers depend on besides its configuration: machine, libraries, code."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import gymnasium as gym

from motley.envs import Task, calibration
from motley.studies.config import RunConfig

LIBRARIES = (
    "motley-rl",
    "torch",
    "numpy",
    "numba",
    "gymnasium",
    "stable-baselines3",
    "safetensors",
)


def collect() -> dict[str, Any]:
    """JSON values: Python, machine, libraries' versions and the commit of the source."""
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "git": commit(),
    }


def of_run(config: RunConfig, n_parameters: int) -> dict[str, Any]:
    """JSON values: :func:`collect`, what the task's code is, and how much learns."""
    others = environment(config.task) if config.ours is None else None
    facts = {"task_hash": config.task_hash, "environment": others, "n_parameters": n_parameters}
    return collect() | facts


def commit() -> str | None:
    """The commit of the source, ending in ``+`` where it has changes; None without a checkout."""
    here = Path(__file__).resolve().parent
    if not (here.parent / ".git").exists():
        return None  # installed as a wheel; a checkout further up is not ours
    try:
        revision = _git(here, "rev-parse", "HEAD")
        return revision + ("+" if _git(here, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()


@cache
def environment(id: str) -> str:
    """Sixteen hex digits of the code of another's environment and of its wrappers.

    The code is that of the modules in which these and the function that makes them are, without
    comments; Gymnasium's own wrappers do not count. Around a task of ours, the task's hash stands
    for the environment within.

    Raises:
        ModuleNotFoundError: its package is not installed.
        gymnasium.error.UnregisteredEnv: there is none of that id.
    """
    env = gym.make(id)
    layers = [env]
    while isinstance(env, gym.Wrapper):
        env = env.env
        layers.append(env)
    modules = {type(layer).__module__ for layer in layers}
    task = getattr(env, "task", None)
    facts = []
    if isinstance(task, Task):
        modules.remove(type(env).__module__)
        facts.append(calibration.task_hash(type(task)))
    make = gym.spec(id).entry_point
    if make is not None:
        modules.add(make.partition(":")[0] if isinstance(make, str) else make.__module__)
    ours = sorted(name for name in modules if not name.startswith("gymnasium.wrappers"))
    facts += map(calibration.code, ours)
    layers[0].close()
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
