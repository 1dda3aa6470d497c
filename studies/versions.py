"""What a run's numbers depend on besides its configuration: machine, libraries, code."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

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
