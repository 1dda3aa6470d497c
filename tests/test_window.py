"""`motley watch` and `motley play` open real windows: what the X server shows is looked at."""

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


def motley(display: str, *words: object) -> subprocess.Popen[str]:
    """A command, begun on that display."""
    environment = {k: v for k, v in os.environ.items() if k != "SDL_VIDEODRIVER"}
    return subprocess.Popen(
        [sys.executable, "-m", "motley.scripts.main", *(str(word) for word in words)],
        env=environment | {"DISPLAY": display, "SDL_AUDIODRIVER": "dummy"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def shown(file: Path, than: np.ndarray | None = None) -> np.ndarray:
    """The screen, once a window is on it and it is another than that."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        picture = screen(file)
        if len(np.unique(picture)) > 20 and (than is None or (picture != than).any()):
            return picture
        time.sleep(0.02)
    raise AssertionError("the screen does not change")


def test_watch_shows_the_world_in_a_window(display: tuple[str, Path], tmp_path: Path) -> None:
    name, file = display
    out = tmp_path / "run"
    agent = {"n_steps": 32, "budget": 20_000}
    run(RunConfig(level=0, steps=256, n_envs=8, eval_episodes=5, agent=agent), out)
    process = motley(name, "watch", out, "--episodes", 1)
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


def test_play_moves_by_keys_and_tells_the_score(
    display: tuple[str, Path], tool: Callable[..., str]
) -> None:
    name, file = display
    press = [tool("xdotool"), "key", "--delay", "20"]
    environment = os.environ | {"DISPLAY": name}
    words = ["--level", 0, "--seed", 3, "--size", 400, "--turn-by-turn"]
    process = motley(name, "play", "DarkHome", *words)
    begin = shown(file)
    subprocess.run([*press, "space"], env=environment, check=True)
    waited = shown(file, begin)  # only the count of steps differs
    subprocess.run([*press, "Up"], env=environment, check=True)
    walked = shown(file, waited)
    assert (walked != waited).sum() > 5 * (waited != begin).sum()
    subprocess.run([*press, "b"], env=environment, check=True)
    blind = shown(file, walked)
    assert (blind != walked).sum() > 40_000
    # Level 0 lasts 40 steps at most, and turning on the spot finds no food.
    subprocess.run([*press, *["Left"] * 38], env=environment, check=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(
        "episode 3: 40 steps   score 0.00   oracle 1.00   random 0"
    )
    subprocess.run([*press, "Escape"], env=environment, check=True)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors


def test_play_runs_at_the_worlds_pace_from_the_first_key_on(
    display: tuple[str, Path], tool: Callable[..., str]
) -> None:
    name, file = display
    press = [tool("xdotool"), "key"]
    environment = os.environ | {"DISPLAY": name}
    process = motley(name, "play", "DarkHome", "--level", 0, "--size", 400, "--speed", 20)
    begin = shown(file)
    time.sleep(0.3)
    assert (screen(file) == begin).all()
    subprocess.run([*press, "w"], env=environment, check=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    subprocess.run([*press, "q"], env=environment, check=True)
    process.communicate(timeout=30)
    assert first.startswith("episode 0: 40 steps   score 0.00   oracle 1.00")
