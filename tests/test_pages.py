"""The pages' commands and Python do what they say, with less experience than they ask for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from motley.scripts.main import main

DOCS = Path(__file__).parent.parent / "docs"


def commands(page: str) -> list[list[str]]:
    """The words after ``motley`` of each command of a page."""
    lines = re.findall(r"^    motley (.*)$", (DOCS / page).read_text(), re.MULTILINE)
    return [line.partition(" #")[0].split() for line in lines]


def blocks(page: str) -> list[str]:
    """Its Python."""
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def test_rate_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    less = {"300000": "1024", "1000": "20"}
    small = {"train": ["--n-envs", "16", "--eval-episodes", "8"], "evaluate": ["--episodes", "20"]}
    for words in commands("rate-maps.md"):
        command = [less.get(word, word) for word in words] + small.get(words[0], [])
        assert main(command) == 0, words
    (code,) = blocks("rate-maps.md")
    exec(compile(code, "rate-maps.md", "exec"), {})
    assert (tmp_path / "rate_map.png").stat().st_size > 1000
    assert len([line for line in code.partition("\n\n")[2].splitlines() if line]) == 10


def test_plug_in_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own: write the file, measure, train, watch, record, run the contract."""
    file, test_file = blocks("plug-in-a-task.md")
    assert len(file.splitlines()) < 60
    (tmp_path / "test_feeders.py").write_text(test_file)

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error::UserWarning", "-m", *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "SDL_VIDEODRIVER": "dummy"},
        )
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    run("motley.scripts.main", "new", "task")
    assert (tmp_path / "feeders.py").read_text() == file
    small = {
        "train": ["--n-envs", "16", "--eval-episodes", "8"],
        "watch": ["--episodes", "1"],
        "record": ["--episodes", "5"],
    }
    less = {"200000": "1024"}
    for words in commands("plug-in-a-task.md"):
        run("motley.scripts.main", *[less.get(w, w) for w in words], *small.get(words[0], []))
    assert (tmp_path / "feeders.gif").stat().st_size > 1000
    assert "21 passed" in run("pytest", "-q", "-p", "no:cacheprovider", "test_feeders.py")
