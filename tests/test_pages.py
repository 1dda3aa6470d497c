"""The pages' commands and Python do what they say, with less experience than they ask for."""

from __future__ import annotations

import re
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
