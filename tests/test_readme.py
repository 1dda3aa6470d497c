"""The README's Python does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
BEACON_CHECK = """
import gymnasium as gym
from stable_baselines3.common.env_checker import check_env
env = gym.make("motley/Beacon-v0")
check_env(env.unwrapped)
worlds = gym.make_vec("motley/Beacon-v0", 64, vectorization_mode="vector_entry_point")
worlds.reset(seed=0)
reached = 0.0
for _ in range(40):
    reached += worlds.step(worlds.unwrapped.oracle())[1].sum()
assert reached >= 64, reached
"""


@pytest.mark.parametrize("block", range(len(BLOCKS)))
def test_block_runs(block: int, tmp_path: Path) -> None:
    code = BLOCKS[block] + (BEACON_CHECK if "Beacon" in BLOCKS[block] else "")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_there_are_blocks() -> None:
    assert len(BLOCKS) == 3


def test_commands_exist() -> None:
    from motley.scripts.main import COMMANDS

    named = set(re.findall(r"^    motley (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named
    assert named <= set(COMMANDS)
