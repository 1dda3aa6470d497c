"""The pages on plug-ins: each file stands alone in a folder of its own and does what is said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {"plug-in-a-cost.md": "calm.py", "plug-in-an-area.md": "leaky.py"}


def run(code: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *code], cwd=folder, capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_the_page_does_what_it_says(page: str, tmp_path: Path) -> None:
    text = (DOCS / page).read_text()
    file, use = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert file.startswith(f"# {PAGES[page]}\n")
    lines = [line for line in file.splitlines()[1:] if line.strip()]
    assert len(lines) < 40
    (tmp_path / PAGES[page]).write_text(file)
    printed = run(["-c", use.replace("10_000", "2_048")], tmp_path)
    assert "critic" in printed
    (command,) = re.findall(r"^    motley (.*)$", text, re.MULTILINE)
    less = command.replace("300000", "512") + " --n-envs 8 --eval-episodes 4"
    run(["-m", "motley.scripts.main", *less.split()], tmp_path)
    assert list(tmp_path.glob("runs/*/done"))
