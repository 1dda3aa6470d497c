"""What `motley new` writes works at once, under any name, and overwrites nothing."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from motley.scripts.main import main
from motley.scripts.new import NAMES

TRAIN = ["--steps", "256", "--n-envs", "8", "--eval-episodes", "4", "--out", "run"]
FLAGS = {
    "task": ["--task", "GoodOne", "--structure", "uniform", "--costs", "reward"],
    "area": ["--structure", "good_one", "--costs", "reward"],
    "cost": ["--costs", "reward+good_one", "--level", "0"],
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("good_one", "many_bends"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return tmp_path


def test_every_kind_has_a_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, name in NAMES.items():
        assert main(["new", kind]) == 0
        said = " ".join(capsys.readouterr().out.split())
        module = name.lower()
        assert f"wrote {module}.py" in said
        assert f"--import {module}" in said
        text = (here / f"{module}.py").read_text()
        assert f"{name}: a{'n' if kind == 'area' else ''} {kind} for Motley" in text
        compile(text, f"{module}.py", "exec")


OURS = {
    "task DarkHome": "'DarkHome' is a task",
    "area GRU": "'GRU' is an area",
    "area Encoder": "'encoder' is an area of every structure",
    "area Cue": "'cue' is a sense",
    "area Matched": "'matched' is a structure",
    "area Reward": "'reward' is a cost",
    "area Action": "'action' is a name of Motley's or torch's own",
    "area Update": "'update' is a name of Motley's or torch's own",
    "area Sum": "'sum' is a name of Python's own",
    "cost Reward": "'reward' is a cost",
    "cost Placebo": "'placebo' is a set of costs",
    "cost Vision": "'vision' is a sense",
    "cost PathIntegrator": "'PathIntegrator' is an area",
    "cost Integrator": "'integrator' is an area of a structure",
    "cost Update": "'update' is a name of torch's own",
    "study Spine": "'spine' is a study",
}


@pytest.mark.parametrize(("named", "clash"), OURS.items(), ids=list(OURS))
def test_a_name_that_motley_has_is_refused(
    named: str, clash: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", *named.split()]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"{clash} already: choose another name than {named.split()[1]}" in said
    assert not list(here.glob("*.py"))


@pytest.mark.parametrize("name", ["HTTPServer2", "A"])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("task", "which of two feeders pays"),
        ("area", "Leaky integrators, each with a time constant"),
        ("cost", "Mean square of the core's activity"),
        ("study", "the more bends there are on the way"),
    ],
)
def test_what_is_said_reads_right_under_any_name(kind: str, said: str, name: str) -> None:
    """The name stands where the thing is named, and no word of a sentence gives way to it."""
    assert main(["new", kind, name]) == 0
    text = Path(f"{name.lower()}.py").read_text()
    assert text.startswith(f'"""{name}: a')
    assert said in text
    assert "$" not in text
    compile(text, name, "exec")


@pytest.mark.parametrize("kind", FLAGS)
@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_it_trains_at_once_under_another_name(kind: str, here: Path) -> None:
    _forget(kind)
    assert main(["new", kind, "GoodOne"]) == 0
    assert main(["train", "--import", "good_one", *FLAGS[kind], *TRAIN]) == 0
    assert (here / "run" / "done").exists()
    _forget(kind)


def _forget(kind: str) -> None:
    """A name can be registered once in a process: take it back."""
    from motley.agents.areas import AREAS
    from motley.agents.blueprints import BLUEPRINTS
    from motley.costs.sets import COSTS
    from motley.envs import TASKS

    for registry in (AREAS, BLUEPRINTS, COSTS, TASKS):
        for name in ("GoodOne", "good_one"):
            registry.pop(name, None)


def test_a_study_of_ones_own_is_listed(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from motley.studies.study import STUDIES

    assert main(["new", "study", "ManyBends"]) == 0
    assert main(["study", "list", "--import", "many_bends"]) == 0
    assert "many_bends A path integrator" in " ".join(capsys.readouterr().out.split())
    assert importlib.import_module("many_bends").MANY_BENDS.contrasts[0].first == "matched"
    STUDIES.pop("many_bends")
    assert main(["study", "run", "many_bens"]) == 2
    assert "unknown study" in " ".join(capsys.readouterr().err.split())


def test_nothing_is_overwritten_and_bad_names_are_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "calm.py").write_text("mine")
    assert main(["new", "cost"]) == 2
    assert "calm.py exists already" in " ".join(capsys.readouterr().err.split())
    assert (here / "calm.py").read_text() == "mine"
    for name in ("lower", "Two Words", "Not-This", "None", "9Lives", "Lambda"):
        assert main(["new", "task", name]) == 2
        assert "cannot be the name" in " ".join(capsys.readouterr().err.split())
    for name in ("Random", "Torch"):  # importing it would find Python's own, or torch
        assert main(["new", "task", name]) == 2
        assert f"there is a module {name.lower()} already" in capsys.readouterr().err
    for named in ("area Linear", "area RegisterStructure", "task Level", "study Arm"):
        kind, name = named.split()
        assert main(["new", kind, name]) == 2
        assert f"itself uses the name {name}" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in here.iterdir()] == ["calm.py"]


def test_a_task_without_calibration_is_told_once_with_the_command(here: Path) -> None:
    assert main(["new", "task", "NestSite"]) == 0
    words = ["train", "--import", "nest_site", *FLAGS["task"], *TRAIN]
    words = [word.replace("GoodOne", "NestSite") for word in words]
    command = [sys.executable, "-m", "motley.scripts.main", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.count("no calibration") == 1
    assert "motley audit NestSite --calibrate --import nest_site" in done.stderr
