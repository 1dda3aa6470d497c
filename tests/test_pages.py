"""The pages' commands and Python do what they say, with less experience than they ask for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

from motley.costs import COSTS, Intrinsic
from motley.envs import TASKS
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


def test_novelty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["--n-envs", "8", "--eval-episodes", "4"]
    for words in commands("novelty.md"):
        assert main([{"300000": "512"}.get(word, word) for word in words] + small) == 0, words
    assert {path.parent.name for path in tmp_path.glob("runs/*/done")} == {"led", "alone", "beside"}
    capsys.readouterr()
    (code,) = blocks("novelty.md")
    exec(compile(code.replace("300_000", "1"), "novelty.md", "exec"), {})
    described, _, error = capsys.readouterr().out.strip().rpartition("\n")
    assert "rnd" in described
    assert float(error) > 0
    told = re.findall(r"^\| `(\w+)`, `(\w+)` \|", (DOCS / "novelty.md").read_text(), re.MULTILINE)
    scores = {n: cost.__name__ for n, cost in COSTS.items() if issubclass(cost, Intrinsic)}
    scores.pop("adversarial_curiosity")  # in the structure of play alone
    assert {name: kind for kind, name in told} == scores


def test_plug_in_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own: write the file, measure, train, watch, record, run the contract."""
    file, test_file = blocks("plug-in-a-task.md")
    assert len(file.splitlines()) < 60
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["new", "task"]) == 0
    assert Path("feeders.py").read_text() == file
    Path("test_feeders.py").write_text(test_file)
    small = {
        "train": ["--n-envs", "16", "--eval-episodes", "8"],
        "watch": ["--episodes", "1"],
        "record": ["--episodes", "5"],
    }
    try:
        for words in commands("plug-in-a-task.md"):
            if "--contract" not in words:  # the tests below are the same checks
                command = [{"200000": "1024"}.get(word, word) for word in words]
                assert main(command + small.get(words[0], [])) == 0, words
    finally:
        TASKS.pop("Feeders")
        gym.registry.pop("motley/Feeders-v0")
        sys.modules.pop("feeders")
    assert Path("feeders.gif").stat().st_size > 1000
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_feeders.py"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "21 passed" in done.stdout, done.stdout[-2000:]
