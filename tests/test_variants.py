"""Variants of a task on the command line: a run keeps its own, and every command plays it."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motley.envs import TASKS, Task, calibration, trace
from motley.envs.probe import Probe
from motley.envs.render import WindowClosed
from motley.envs.tasks.dark_home import DarkHome
from motley.scripts import play, watch
from motley.scripts.flags import Train
from motley.scripts.main import main, parse
from motley.scripts.train import configuration
from motley.studies import controls
from motley.studies.config import (
    ConfigError,
    RunConfig,
    build_worlds,
    check,
    read_variant,
    variants,
)
from motley.studies.folder import FolderError, read_csv, read_json, write_json
from motley.studies.model import open_run
from motley.studies.report import _levels
from motley.studies.run import mismatch
from motley.studies.runs import gather
from motley.studies.video import make_env

FLAGS = ("--task", "DarkHome", "--level", 0, "--structure", "uniform", "--costs", "reward")
SIZE = ("--steps", 256, "--n-envs", 8, "--eval-episodes", 4, "--set", "n_steps=32")


def motley(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def stopping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in the variant of DarkHome in which one has to stand still at home."""
    out = tmp_path_factory.mktemp("variants") / "stopping"
    assert motley("train", *FLAGS, "--variant", "stop=true", *SIZE, "--out", out) == 0
    return out


def test_what_a_task_lets_be_set() -> None:
    assert variants(TASKS["DarkHome"]) == {"stop": [False, True]}
    found = variants(TASKS["PlayRoom"])
    assert found == {"phase": [2, 1], "screen": [False, True], "shuffled": [False, True]}
    assert variants(TASKS["GateMaze"]) == {}
    words = ["phase=1", "screen=False", "screen=false"]  # the same in other words
    assert read_variant("motley/PlayRoom-v0", words) == {"phase": 1, "screen": False}
    with pytest.raises(ConfigError, match="gives screen two values, False and true: leave one out"):
        read_variant("PlayRoom", [*words[1:2], "screen=true"])
    assert read_variant("PlayRoom", ()) == {}


def test_a_run_keeps_its_variant(stopping: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read_json(stopping / "config.json")["variant"] == {"stop": True}
    config, _ = open_run(stopping)
    assert config.variant == {"stop": True}
    assert config.rules().variant == {"stop": True}
    assert build_worlds(config, 2, 0, False).get_attr("task")[0].variant == {"stop": True}
    env = make_env(config, "rgb_array")
    assert env.unwrapped.task.variant == {"stop": True}  # type: ignore[attr-defined]
    assert np.isfinite(read_csv(stopping / "eval.csv")["score01"]).all()  # it is calibrated
    assert motley("train", "--resume", "--out", stopping) == 0
    capsys.readouterr()
    words = ("train", "--resume", "--out", stopping, "--variant")
    assert motley(*words, "stop=true") == 0
    assert motley(*words, "stop=false") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "variant was stop=true, is now the usual one" in said


@pytest.mark.parametrize(("words", "stop"), [((), True), (("--variant", "stop=false"), False)])
def test_what_is_made_of_a_run_is_of_its_variant_or_of_another(
    words: tuple[str, ...],
    stop: bool,
    stopping: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    inner = trace.record

    def film(agent: Any, env: Any, *args: Any) -> list[Any]:
        seen.append(env.unwrapped.task)
        return []

    def record(task: Task, *args: Any) -> Any:
        seen.append(task)
        return inner(task, *args)

    monkeypatch.setattr(trace, "record", record)
    monkeypatch.setattr(watch, "record", film)
    path = tmp_path / "x.npz"
    assert motley("record", stopping, "--episodes", 2, "--out", path, *words) == 0
    assert motley("evaluate", stopping, "--episodes", 2, *words) == 0
    assert motley("watch", stopping, "--record", tmp_path / "x.gif", *words) == 0
    assert [task.variant for task in seen] == [{"stop": stop}] * 3
    assert trace.load(path).about["variant"] == {"stop": stop}


def test_a_report_tells_runs_in_variants_apart(stopping: Path) -> None:
    (found,) = gather(stopping)
    assert found.where == "DarkHome level 0, stop=true"
    assert "--variant stop=true" in shlex.join(shlex.split(found.command))
    entry = calibration.lookup(DarkHome(0, stop=True))
    usual = calibration.lookup(DarkHome(0))
    assert entry is not None
    assert usual is not None
    chance = (0.7 - entry.random) / (entry.oracle - entry.random)
    assert _levels(found)[1][0] == chance != (0.7 - usual.random) / (usual.oracle - usual.random)


def test_the_trained_control_is_of_the_usual_task() -> None:
    assert controls.lookup(DarkHome(2)) is not None
    assert controls.lookup(DarkHome(2, stop=False)) == controls.lookup(DarkHome(2))
    assert controls.lookup(DarkHome(2, stop=True)) is None
    assert controls.lookup(DarkHome(2, ood=True)) is None


def test_a_run_as_usual_says_nothing_of_variants(stopping: Path, tmp_path: Path) -> None:
    """As before there were any: stored tables know runs by a hash of what is in config.json."""
    assert RunConfig().to_json() == RunConfig(variant={"stop": False}).to_json()
    told = read_json(stopping / "config.json")
    config = RunConfig.from_json(told)
    assert config.to_json() == told
    del told["variant"]
    usual = RunConfig.from_json(told)
    assert usual == replace(config, variant={})
    assert usual.to_json() == told
    assert "variant was stop=true, is now the usual one" in mismatch(usual, stopping)
    # The file of an agent tells which variant it was trained in.
    other = shutil.copytree(stopping, tmp_path / "other")
    write_json(other / "config.json", told)
    assert gather(other)[0].where == "DarkHome level 0"
    assert "variant was the usual one, is now stop=true" in mismatch(config, other)
    with pytest.raises(FolderError, match="it differs in variant"):
        open_run(other)


def test_a_task_is_recorded_and_played_in_a_variant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--variant", "phase=1", "--variant", "screen=true")
    path = tmp_path / "x.npz"
    assert motley("record", "PlayRoom", "--episodes", 2, "--out", path, *words) == 0
    variant = {"phase": 1, "screen": True, "shuffled": False}
    assert trace.load(path).about["variant"] == variant
    seen: list[Task] = []

    class Game:
        """Is left at once."""

        step = 0

        def __init__(self, args: Any, task: Task) -> None:
            seen.append(task)
            self.window = self

        def play(self) -> None:
            raise WindowClosed

        def close(self) -> None:
            pass

    monkeypatch.setattr(play, "has_display", lambda: True)
    monkeypatch.setattr(play, "Game", Game)
    assert motley("play", "PlayRoom", *words) == 0
    assert [task.variant for task in seen] == [variant]


def test_an_audit_is_of_all_variants_or_of_one(
    stopping: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    probed: list[bool] = []

    def probe(seen: trace.Trace) -> Probe:
        probed.append(seen.about["variant"]["stop"])
        return Probe(0.5, 0.5, 10)

    monkeypatch.setattr(controls, "probe", probe)
    words = ("audit", "DarkHome", "--level", 0, "--episodes", 2)
    assert motley(*words) == 3
    text = capsys.readouterr().out
    assert "DarkHome (" in text
    assert "DarkHome, stop=True (" in text
    assert motley(*words, "--variant", "stop=true") == 3
    text = capsys.readouterr().out
    assert "DarkHome (" not in text
    assert "DarkHome, stop=True (" in text
    run = ("--probe", stopping)
    assert motley(*words, *run) == motley(*words, *run, "--variant", "stop=false") == 3
    assert probed == [True, False]
    capsys.readouterr()
    for flag, message in (
        ("--calibrate", "--calibrate measures every variant: leave --variant out"),
        ("--memoryless", "--memoryless and --capacity train as usual: leave --variant out"),
        ("--capacity", "--memoryless and --capacity train as usual: leave --variant out"),
    ):
        assert motley("audit", "DarkHome", flag, "--variant", "stop=true") == 2
        assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("task", "variant", "message"),
    [
        ("DarkHome", {"stpo": True}, "no variant 'stpo'; give --variant stop=false or stop=true"),
        ("DarkHome", {"stop": 1}, "stop=1; give .*stop=[Ff]alse or stop=[Tt]rue"),
        ("PlayRoom", {"phase": 3}, "phase=3; give .*phase=2 or phase=1"),
        ("PlayRoom", {"fase": 1}, "phase=2 or phase=1; screen=false or screen=true; shuffled=f"),
        ("GateMaze", {"stop": True}, "GateMaze has no variants: leave --variant stop out"),
        ("CartPole-v1", {"stop": True}, "neither --level nor --ood nor --variant"),
    ],
)
def test_what_a_task_has_not_is_refused_by_its_own_names(
    task: str, variant: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check(RunConfig(task, structure="uniform", costs="reward", variant=variant))
    with pytest.raises(ConfigError, match=message):
        read_variant(task, [f"{name}={value}" for name, value in variant.items()])


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"stop": "false"}, "no variant stop='false'; give stop=False or stop=True"),
        ({"stop": 0}, "no variant stop=0; give stop=False or stop=True"),
    ],
)
def test_the_word_for_a_value_is_not_the_value(variant: dict[str, Any], message: str) -> None:
    """As where it is written into a `config.json`: "false" would be as good as true."""
    data = RunConfig(structure="uniform", costs="reward").to_json() | {"variant": variant}
    with pytest.raises(ConfigError, match=message):
        check(RunConfig.from_json(data))


def train_flags(*words: str) -> Train:
    args: Train = parse("train", [*words, "--task", "PlayRoom"])
    return args


def test_a_variant_has_one_folder_in_whatever_words() -> None:
    usual = train_flags().out
    assert usual == Path("runs/PlayRoom/matched-heterogeneous-0")
    assert train_flags("--variant", "screen=False", "--variant", "phase=2").out == usual
    found = {
        train_flags(*words.split()).out
        for words in (
            "--variant phase=1 --variant screen=true",
            "--variant screen=True --variant phase=1",
            "--variant screen=true --variant phase=1 --variant screen=TRUE",
        )
    }
    assert found == {Path("runs/PlayRoom-phase=1-screen=true/matched-heterogeneous-0")}


def test_what_is_given_on_resume_counts_before_what_was_stored(tmp_path: Path) -> None:
    config = RunConfig("PlayRoom", variant={"phase": 1}, agent={"n_steps": 32})
    write_json(tmp_path / "config.json", config.to_json())
    resume = ("--resume", "--out", str(tmp_path))
    assert configuration(train_flags(*resume)) == replace(
        config, level=TASKS["PlayRoom"].default_level
    )
    words = "--variant phase=1 --set n_steps=64 --set n_steps=32"
    again = configuration(train_flags(*resume, *words.split()))
    assert again.variant == {"phase": 1}
    assert again.agent == {"n_steps": 32}
    other = configuration(train_flags(*resume, "--variant", "phase=2"))
    assert other.variant == {"phase": 2}
    with pytest.raises(ConfigError, match="gives phase two values, 2 and 1"):
        configuration(train_flags(*resume, "--variant", "phase=2", "--variant", "phase=1"))


@pytest.mark.parametrize(
    "words", ["train", "record DarkHome", "play DarkHome", "audit DarkHome", "evaluate", "watch"]
)
def test_mistakes_on_the_command_line(
    words: str, stopping: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *rest = words.split()
    if command in ("evaluate", "watch"):
        rest = [str(stopping)]
    for given, message in (
        ("stop", "--variant stop: write it as NAME=VALUE"),
        ("stop=maybe", "DarkHome has no --variant stop=maybe; give --variant stop=false or stop"),
    ):
        film = ("--record", "x.gif") if command == "watch" else ()
        assert motley(command, *rest, *film, "--variant", given) == 2
        assert message in " ".join(capsys.readouterr().err.split())
