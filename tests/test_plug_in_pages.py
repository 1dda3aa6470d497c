"""The pages on plug-ins: each file stands alone in a folder of its own and does what is said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from string import Template

import pytest

from motley.scripts import new
from motley.scripts.flags import Kind

DOCS = Path(__file__).parent.parent / "docs"
MOTLEY = ["-m", "motley.scripts.main"]
PAGES: dict[str, Kind] = {"plug-in-a-cost.md": "cost", "plug-in-an-area.md": "area"}


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
    *files, use = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for file in files:
        (name, code), *_ = re.findall(r"^# (\w+\.py)\n(.*)", file, re.DOTALL)
        assert len([line for line in code.splitlines() if line.strip()]) < 40
        (tmp_path / name).write_text(code)
    kind = PAGES[page]
    name = new.NAMES[kind]
    template = Template((new.TEMPLATES / f"{kind}.txt").read_text())
    written = template.substitute(Name=name, module=name.lower(), MODULE=name.upper())
    assert (tmp_path / f"{name.lower()}.py").read_text() == written
    printed = run(["-c", use.replace("10_000", "2_048")], tmp_path)
    assert "critic" in printed
    (command,) = re.findall(r"^    motley (.*)$", text, re.MULTILINE)
    less = command.replace("300000", "512") + " --n-envs 8 --eval-episodes 4"
    run([*MOTLEY, *less.split()], tmp_path)
    assert list(tmp_path.glob("runs/*/done"))


def test_the_page_on_studies_does_what_it_says(tmp_path: Path) -> None:
    text = (DOCS / "plug-in-a-study.md").read_text()
    (file,) = re.findall(r"```python\n# bends.py\n(.*?)```", text, re.DOTALL)
    template = Template((new.TEMPLATES / "study.txt").read_text())
    assert file == template.substitute(Name="Bends", module="bends", MODULE="BENDS")
    for much, less in (
        ("300_000", "512"),
        ('(("DarkHome", 0), ("DarkHome", 1))', '(("DarkHome", 0),)'),
        ("(100, 101)", "(100,)"),
        ("trial_steps=100_000", "trial_steps=512, eval_episodes=4"),
    ):
        assert file.count(much) == 1
        file = file.replace(much, less)
    (tmp_path / "bends.py").write_text(file)
    commands = re.findall(r"^    motley (.*)$", text, re.MULTILINE)
    assert [words.split()[1] for words in commands] == ["tune", "run", "status", "table", "verdict"]
    one_after_another = (  # in one process, since each takes seconds to begin
        "import sys; from motley.scripts.main import main\n"
        "part = ['--arms', 'uniform', '--seeds', '0']\n"
        "for words in sys.argv[1:]: assert not main([*words.split(), *part])"
    )
    said = run(["-c", one_after_another, *commands], tmp_path)
    assert "1 of 1  DarkHome-0/uniform/0: score01" in said
    assert "1 of 1 runs are stored" in said
    assert re.search(r"DarkHome level 0 +uniform, trials chose nothing +0 of 1 ", said)
    assert said.count("no verdict, no runs of matched") == 1
    written = {path.name for path in (tmp_path / "results" / "bends").iterdir() if path.suffix}
    assert written == set(re.findall(r"`(\w+\.(?:csv|json))`", text)) - {"left_out.csv"}
