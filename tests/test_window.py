"""`motley watch` opens a real window: what the X server shows is looked at."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from motley.studies.config import RunConfig
from motley.studies.run import run


@pytest.fixture
def display(tmp_path: Path, tool: Callable[..., str]) -> Iterator[tuple[str, Path]]:
    """A display and the file of what it shows, in X's dump format."""
    read, write = os.pipe()
    server = subprocess.Popen(
        [
            *(tool("Xvfb"), "-displayfd", str(write), "-nolisten", "tcp"),
            *("-screen", "0", "800x600x24", "-fbdir", str(tmp_path)),
        ],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    yield f":{number}", tmp_path / "Xvfb_screen0"
    server.terminate()
    server.wait()


def screen(file: Path) -> np.ndarray:
    """The screen's pixels (H, W) uint32."""
    data = file.read_bytes()
    head = struct.unpack(">25I", data[:100])
    size, width, height, line, colours = head[0], head[4], head[5], head[12], head[19]
    pixels = np.frombuffer(data, np.uint8, line * height, size + 12 * colours)
    return pixels.view("<u4").reshape(height, line // 4)[:, :width] & 0xFFFFFF


def test_watch_shows_the_world_in_a_window(display: tuple[str, Path], tmp_path: Path) -> None:
    name, file = display
    out = tmp_path / "run"
    agent = {"n_steps": 32, "budget": 20_000}
    run(RunConfig(level=0, steps=256, n_envs=8, eval_episodes=5, agent=agent), out)
    environment = {k: v for k, v in os.environ.items() if k != "SDL_VIDEODRIVER"}
    process = subprocess.Popen(
        [sys.executable, "-m", "motley.scripts.main", "watch", str(out), "--episodes", "1"],
        env=environment | {"DISPLAY": name, "SDL_AUDIODRIVER": "dummy"},
        stdout=subprocess.PIPE,
        text=True,
    )
    pictures: list[np.ndarray] = []
    end = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < end:
        shown = screen(file)
        if len(np.unique(shown)) > 20 and (not pictures or (shown != pictures[-1]).any()):
            pictures.append(shown)
        time.sleep(0.02)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "score01" in text
    # A window's worth of pixels, and it moves.
    assert (pictures[-1] != pictures[-1][0, 0]).sum() > 20_000
    assert len(pictures) > 5
