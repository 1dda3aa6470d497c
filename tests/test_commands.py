"""The command line as a newcomer meets it: help, tables, mistakes."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import imageio_ffmpeg  # type: ignore[import-untyped]
import numpy as np
import pytest
import torch
import tyro
from PIL import Image, ImageSequence

from motley.costs.sets import COST_SETS
from motley.envs import calibration
from motley.envs.calibration import Scores, UncalibratedWarning
from motley.envs.sb3 import WorldVecEnv
from motley.envs.summaries import SUMMARIES, ReadOuts
from motley.scripts import audit, evaluate, flags, new, study, watch
from motley.scripts.main import COMMANDS, main
from motley.scripts.readouts import BEYOND, explain_scale
from motley.studies import plastic, rehearsal, spine, table
from motley.studies.capacity import Capacity
from motley.studies.config import EVALUATION, PLASTIC, TRAINING, RunConfig, stream
from motley.studies.evaluate import Episodes
from motley.studies.folder import read_csv, read_json, write_csv, write_json
from motley.studies.model import open_run
from motley.studies.run import run
from motley.studies.study import STUDIES, Contrast
from motley.studies.video import HOLD, End

PLUGIN = '''
"""A task of somebody else's."""
from motley.envs import register
from motley.envs.tasks.dark_home import DarkHome


@register
class {name}(DarkHome):
    """Another home."""
'''


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("commands") / "trained"
    agent = {"n_steps": 32, "budget": 20_000}
    run(RunConfig(level=0, steps=512, n_envs=8, eval_episodes=5, agent=agent), out)
    return out


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, on one line."""
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


def fails(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The message of a command that must exit with 2."""
    assert main([str(word) for word in words]) == 2
    message = said(capsys)
    assert "Traceback" not in message
    assert message.startswith("motley: ")
    return message


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = said(capsys)
    for name, (_, about, example) in COMMANDS.items():
        assert name in text
        assert about in text
        assert example in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    text = " ".join(printed.replace("│", " ").split())
    takes, _, example = COMMANDS[name]
    assert f"Example: {example}" in text
    meant = explanations(takes)
    for setting, hint in get_type_hints(takes, include_extras=True).items():
        assert meant[setting][:30] in text, setting
        marks = getattr(hint, "__metadata__", ())
        if tyro.conf.Positional not in marks:  # that is shown by its kind alone
            given = [mark.name for mark in marks if getattr(mark, "name", None)]
            flag = given[0] if given else setting.replace("_", "-")
            assert re.search(rf"^[│ ]+--{flag}[, ]", printed, re.MULTILINE), flag


def explanations(takes: type[Any]) -> dict[str, str]:
    """What stands below each setting of a command in its code, on one line."""
    (whole,) = ast.parse(inspect.getsource(takes)).body
    assert isinstance(whole, ast.ClassDef)
    return {
        ast.unparse(setting.target): " ".join(ast.literal_eval(text.value).split())
        for setting, text in pairwise(whole.body)
        if isinstance(setting, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def test_choices_and_defaults_are_what_there_is() -> None:
    assert {*get_args(flags.Kind)} == {*new.NAMES} == {*new.NEXT}
    assert {*get_args(flags.Kind)} == {file.stem for file in new.TEMPLATES.iterdir()}
    assert get_args(flags.Suite) == flags.SUITES


def test_help_and_mistakes_do_not_wait_for_torch() -> None:
    code = (
        "import contextlib, sys; from motley.scripts.main import COMMANDS, main\n"
        "for words in *([name, '--help'] for name in COMMANDS), ['audit'], ['train', '--stpes']:\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        main(words)\n"
        "main(['trian'])\n"
        "slow = {'torch', 'stable_baselines3', 'numba', 'numpy', 'pygame', 'scipy', 'wandb'}\n"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, (_, _, example) in COMMANDS.items():
        assert f"Example: {example}" in done.stdout, name


def test_the_pinned_flags_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = said(capsys)
    names = """task level ood structure costs steps seed n-envs device out resume eval-every
        eval-episodes import track capture-video"""
    for flag in re.findall(r"\S+", names):
        assert f"--{flag}" in text


def test_list_shows_tasks_structures_and_costs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert rehearsal.FREE in COST_SETS  # a study's own, which is not for others
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    text = " ".join(printed.split())
    for word in ("DarkHome", "matched", "uniform", "heterogeneous", "self_localisation"):
        assert word in text
    assert "path integration: path_integration" in text
    assert "own motion. 0 to 4 (2)" in text
    assert ".lstm .mingru .attention .reservoir" in text
    assert "--variant phase=2 or phase=1, --variant screen=false or screen=true" in text
    assert rehearsal.FREE not in text
    assert len(printed.splitlines()) < 160


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("trian", "did you mean train"),
        ("train --task DarkHouse", "did you mean DarkHome"),
        ("train --task motley/DarkHum-v0", "did you mean"),
        ("train --structure matchd", "did you mean matched"),
        ("train --costs heterogenous", "did you mean heterogeneous"),
        ("train --costs zzz", "there are: reward, homogeneous, heterogeneous, placebo, mixed_dr"),
        ("train --task MiniGrid-Empty-5x5-v9", "as in --import minigrid --task MiniGrid-Empty"),
        ("train --task tiles:Maze-v0", "as in --import tiles --task Maze-v0"),
        ("train --level 17", "levels 0 to 4"),
        ("train --n-envs 1000000", "--n-envs must be at most 100,000, not 1,000,000"),
        ("train --steps 0", "--steps must be at least 1"),
        ("train --n-envs -1", "--n-envs must be at least 1"),
        ("train --import no_such_module", "no module 'no_such_module'"),
        ("train --set gamma", "NAME=VALUE"),
        ("train --set gamma=much", "no JSON value"),
        ("audit DarkHouse", "did you mean DarkHome"),
        ("audit DarkHome --episodes 0", "--episodes must be at least 1"),
        ("demo --steps -4", "--steps must be at least 1, not -4"),
        ("demo --seed -1", "--seed must be at least 0, not -1"),
        ("play DarkHouse", "did you mean DarkHome"),
        ("play DarkHome --level 9", "levels 0 to 4"),
        ("play DarkHome --speed 0", "--speed must be above 0, not 0.0"),
        ("play DarkHome --size 9", "--size must be at least 256, not 9"),
        ("play DarkHome --seed -1", "--seed must be at least 0, not -1"),
        ("watch nowhere", "nowhere does not exist"),
        ("record DarkHouse", "did you mean DarkHome"),
        ("record DarkHome --episodes 0", "--episodes must be at least 1"),
        ("record DarkHome --out home.csv", "home.csv: a trace is an npz; let its name end in .npz"),
        pytest.param(
            *("record DarkHome --out /proc/home.npz", "nothing can be written in /proc"),
            marks=pytest.mark.skipif(sys.platform != "linux", reason="not a place of that system"),
        ),
        ("report . --out ..", ".. is a folder: give the name of a file"),
        ("record DarkHome --policy orcle", "near: oracle"),
        ("record DarkHome --policy nope", "near: oracle, random, observer, stay, straight_on"),
        ("record DarkHome --lesion core", "a task has none"),
        ("record runs/nowhere", "runs/nowhere does not exist"),
        ("evaluate nowhere", "nowhere does not exist"),
        ("report nowhere", "nowhere does not exist"),
        ("study run", "which study? motley study run NAME, with one of baselines, "),
        ("study list spin", "did you mean spine"),
        ("study tune bends", "one of your own needs the module that registers it: --import"),
        ("study table spin", "did you mean spine"),
        ("study status spine --arms unifrm", "no arm 'unifrm'; it has exact"),
        ("study table spine", "motley study run spine"),
        ("study table spine", "that ship with Motley are in its repository's results folder"),
        ("study verdict parity", "motley study run parity"),
        ("study verdict spine", "motley study table spine"),
    ],
)
def test_mistakes_are_named_with_the_mend(
    words: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in fails(capsys, *words.split())
    assert not list(tmp_path.iterdir())  # nothing was begun


@pytest.mark.parametrize(("score", "shown"), [(0.25, "0.25"), (-0.001, "0.00")])
def test_runs_that_have_not_begun_are_counted(
    score: float, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = tmp_path / "spine" / "DarkHome-2" / "uniform" / "0"
    begun.mkdir(parents=True)
    (begun / "progress.csv").write_text("steps\n2048\n")
    (begun / "eval.csv").write_text(f"steps,score01\n2048,{score}\n")
    words = ["study", "status", "spine", "--arms", "uniform", "--runs", str(tmp_path)]
    assert main([*words, "--results", str(tmp_path / "none")]) == 0
    text = said(capsys)
    stored = tmp_path / "none" / "spine" / "curves.csv"
    assert f"score01 {shown} 9 runs neither stored in {stored} nor begun in {tmp_path}" in text
    assert "nan" not in text
    assert "are in its repository's results folder; give that as --results" in text
    (begun / "done").touch()
    for action in ("table", "verdict"):
        words[1] = action
        told = fails(capsys, *words, "--results", tmp_path / "none")
        assert "1 runs are done and not gathered yet: the same run command gathers them" in told
        assert "(motley study run spine, with" in told


def test_status_says_where_stored_results_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["study", "status", "spine", "--runs", str(tmp_path), "--results", str(tmp_path)]
    assert main(words) == 0
    assert "motley study table" not in said(capsys)
    stored = tmp_path / "spine" / "curves.csv"
    stored.parent.mkdir()
    row = dict.fromkeys(table.COLUMNS, "0") | {"arm": "uniform", "task": "DarkHome", "level": "2"}
    rows = [[*(row | {"seed": seed}).values()] for seed in ("0", "1", "1")]
    write_csv(stored, table.COLUMNS, rows)
    assert main(words) == 0
    text, count = said(capsys), len(list(spine.SPINE.cells())) * len(spine.SPINE.seeds)
    assert f"2 of {count} runs are stored in {stored}; see: motley study table spine" in text
    assert f"{count - 2} runs neither stored in {stored} nor begun" in text


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ([0.0, 1.0, float("nan")], False),
        ([-0.004, 1.004], False),  # they read -0.00 and 1.00
        ([0.5, -0.01], True),
        ([1.01, 0.5], True),
    ],
)
def test_what_score01_means_is_said_of_values_beyond_0_and_1_alone(
    printed: list[float], said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain_scale(printed) == said
    assert capsys.readouterr().out == f"{BEYOND}\n" * said


@pytest.mark.parametrize(("score", "said"), [(0.5, 0), (-0.25, 1)])
def test_evaluating_and_watching_explain_a_score01_below_0(
    score: float, said: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = SimpleNamespace(num_timesteps=9)
    for command in (evaluate, watch):
        monkeypatch.setattr(command, "open_lesioned", lambda *args: (RunConfig(level=0), agent))
    each = np.full(2, score)
    monkeypatch.setattr(evaluate, "record", lambda *args: Episodes(each, each, each, each))
    ends = [End(seed, 9, 0.0, 0.5, score, None) for seed in (0, 1)]
    monkeypatch.setattr(watch, "record", lambda *args: ends)
    monkeypatch.setattr(watch, "episodes", lambda *args: iter(ends))
    monkeypatch.setattr(watch, "has_display", lambda: True)
    for words in (["evaluate", "run"], ["watch", "run"], ["watch", "run", "--record", "a.gif"]):
        assert main([*words, "--episodes", "2"]) == 0
        text = capsys.readouterr().out
        assert f"{score:.2f}" in text
        assert text.count(BEYOND) == said, words


@pytest.mark.parametrize(("score", "ood", "said"), [(0.5, 1.0, 0), (-0.25, 0.5, 1), (0.5, 1.25, 1)])
def test_a_table_explains_a_score01_beyond_0_and_1(
    score: float, ood: float, said: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = dict.fromkeys(table.COLUMNS, "0") | {"arm": "uniform", "task": "DarkHome", "level": "2"}
    row |= {"score01": str(score), "score01_ood": str(ood)}
    (tmp_path / "spine").mkdir()
    write_csv(tmp_path / "spine" / "curves.csv", table.COLUMNS, [[*row.values()]])
    assert main(["study", "table", "spine", "--results", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert f"{score:.2f} ({score:.2f} to {score:.2f})" in text
    assert text.count(BEYOND) == said


def test_study_list_shows_one_or_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "list"]) == 0
    every = capsys.readouterr().out
    assert main(["study", "list", "spine"]) == 0
    one = capsys.readouterr().out
    assert one.splitlines()[0] in every
    assert "2 tasks, 85 runs" in one
    assert "DarkHome level 2  uniform: uniform, reward" in one
    assert len(every.splitlines()) == len(STUDIES) + 1  # a line each, and where the arms are
    assert not [entry.name for entry in study.SHIPPED if entry.claim in one][1:]


def test_a_slip_in_a_contrast_is_told_before_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slip = replace(spine.SPINE, name="slip", contrasts=(Contrast("matched", "unifrm", 0.1),))
    monkeypatch.setitem(STUDIES, "slip", slip)
    monkeypatch.chdir(tmp_path)
    for action in ("tune", "run", "status"):
        told = fails(capsys, "study", action, "slip")
        assert "contrasts of study 'slip': unknown arm 'unifrm'; did you mean uniform" in told
    assert not list(tmp_path.iterdir())


def test_a_word_instead_of_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "--steps", "many"])
    assert stop.value.code == 2
    assert "--steps" in said(capsys)


def test_training_into_a_used_folder(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--resume" in fails(capsys, "train", "--out", trained)
    message = fails(capsys, "train", "--out", trained, "--resume", "--seed", 5)
    assert "seed was 0, is now 5" in message
    message = fails(capsys, "train", "--out", trained, "--resume", "--steps", 1024)
    assert "(steps was 512, is now 1024); give --out another folder, or go on as it was" in message
    assert "without --steps: its learning rate falls over all of its steps" in message


def test_resume_takes_what_the_folder_was_begun_with(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--resume", "--out", str(trained)]) == 0
    assert f"motley watch {trained}" in said(capsys)
    # Saying a default that is not what it was begun with is a difference too.
    assert "level was 0" in fails(capsys, "train", "--resume", "--out", trained, "--level", 2)


def test_what_cannot_be_trained_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "none"
    assert "holds no run to go on with" in fails(capsys, "train", "--resume", "--out", out)
    assert "give cpu, cuda or mps" in fails(capsys, "train", "--device", "gpu0", "--out", out)
    gpu = f"cuda:{torch.cuda.device_count()}"
    message = fails(capsys, "train", "--device", gpu, "--out", out)
    assert f"--device '{gpu}' is not here: torch sees no such GPU; give cpu" in message
    (tmp_path / "file").touch()
    small = ("--n-envs", 2, "--steps", 64, "--eval-episodes", 2)
    message = fails(capsys, "train", *small, "--out", tmp_path / "file")
    assert "cannot be made a folder" in message
    message = fails(capsys, "train", *small, "--out", out, "--set", "n_steps=2.5")
    assert "n_steps must be an int of at least 1, not 2.5" in message
    message = fails(capsys, "train", *small, "--out", out, "--set", "gamma=2")
    assert "gamma must be an int or float in [0, 1], not 2" in message
    message = fails(capsys, "train", *small, "--out", out, "--set", "gamma=null")
    assert "gamma must be an int or float in [0, 1], not None" in message
    message = fails(capsys, "train", *small, "--out", out, "--set", "development=3")
    assert "'weights' and 'plasticity', not 3" in message
    alone = ("--structure", "uniform", "--costs", "reward", "--routing", "shuffled")
    assert "no cost can move" in fails(capsys, "train", *small, *alone, "--out", out)
    assert not out.exists()  # what is refused leaves no folder
    blind = (
        "--task",
        "CartPole-v1",
        "--structure",
        "uniform",
        "--costs",
        "reward+self_localisation",
    )
    assert main([str(word) for word in ("train", *small, *blind, "--out", tmp_path / "c")]) == 2
    message = said(capsys)
    assert "cost 'self_localisation' does not fit this structure and task: " in message
    assert "egomotion" in message


@pytest.mark.parametrize(
    ("costs", "note"),
    [
        ("reward+world_prediction", "world_prediction trains nothing here: it is for world_model"),
        ("reward+drive_reduction", "drive_reduction may train nothing here: it is for tasks that"),
        (
            "rnd+next_observation",
            "no cost is the task's own reward; where it pays one that",
        ),
        ("reward+rnd", ""),
        ("reward", ""),
    ],
)
def test_a_cost_without_effect_is_told(
    costs: str, note: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--structure", "uniform", "--n-envs", 2, "--steps", 64, "--eval-episodes", 2)
    words = ("train", *flags, "--level", 0, "--costs", costs, "--out", tmp_path / "run")
    assert main([str(word) for word in words]) == 0
    text = said(capsys)
    assert note in text
    assert text.count("note:") == bool(note)


@pytest.mark.parametrize("rollout", [32, 128])
def test_a_gate_whose_credit_is_cut_short_is_told(
    rollout: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--task", "GateMaze", "--n-envs", 4, "--steps", 64, "--eval-episodes", 2)
    words = ("train", *flags, "--set", f"n_steps={rollout}", "--out", tmp_path / "run")
    assert main([str(word) for word in words]) == 0
    assert ("n_steps=128 (--set n_steps=128)" in said(capsys)) == (rollout == 32)


def test_a_gymnasium_task_is_told_by_its_return(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--structure", "uniform", "--costs", "reward", "--n-envs", 2, "--steps", 64)
    words = ("train", "--task", "CartPole-v1", *flags, "--eval-episodes", 2)
    assert main([str(word) for word in (*words, "--out", tmp_path / "run")]) == 0
    text = said(capsys)
    assert "return" in text
    assert not re.search(r"level|score01|nan", text.replace(str(tmp_path), ""))


def test_a_minigrid_run_is_filmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whose image is a table of codes, which the agent reads in another form."""
    flags = ("--structure", "uniform", "--costs", "reward", "--n-envs", 2, "--steps", 64)
    task = ("--task", "MiniGrid-Empty-5x5-v0", "--import", "minigrid", "--eval-episodes", 2)
    words = ("train", *task, *flags, "--out", tmp_path / "run")
    assert main([str(word) for word in words]) == 0
    film = tmp_path / "film.gif"
    assert main(["watch", str(tmp_path / "run"), "--record", str(film), "--episodes", "1"]) == 0
    assert film.stat().st_size > 0


def test_a_place_that_cannot_be_written_is_named(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ("record", trained, "--out"),
        ("record", "DarkHome", "--out"),
        ("watch", trained, "--record"),
        ("report", trained, "--out"),
        ("audit", "CacheRecall", "--capacity", "--table"),
    ):
        name = "x.npz" if words[0] == "record" else "x.gif"
        message = fails(capsys, *words, tmp_path / "none" / name)
        assert f"there is no folder {tmp_path}/none to write {name} into: make it" in message
    assert not list(tmp_path.iterdir())
    message = fails(capsys, "record", "DarkHome", "--episodes", 1, "--out", "/proc/self/x.npz")
    assert "/proc/self" in message
    assert "give another place" in message


def test_watching_without_a_model(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = fails(capsys, "watch", trained.parent)
    assert f"runs below it: {trained}" in message
    bare = trained.parent / "bare"
    bare.mkdir()
    (bare / "config.json").write_text((trained / "config.json").read_text())
    assert f"motley train --resume --out {bare}" in fails(capsys, "watch", bare)


def test_watching_without_a_display(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert f"motley watch {trained} --record episode.mp4" in fails(capsys, "watch", trained)
    assert "levels 0 to 4" in fails(capsys, "watch", trained, "--record", "a.gif", "--level", 8)
    assert ".mp4 or .gif" in fails(capsys, "watch", trained, "--record", "a.avi")


@pytest.mark.parametrize("ending", [".mp4", ".gif"])
def test_recording(
    trained: Path, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"film{ending}"
    assert main(["watch", str(trained), "--record", str(path), "--episodes", "2"]) == 0
    text = said(capsys)
    assert text.count("score01") == 2
    frames = sum(int(word) for word in re.findall(r": (\d+) steps", text)) + 2 * (1 + HOLD)
    if ending == ".mp4":
        shown, seconds = imageio_ffmpeg.count_frames_and_secs(path)
        assert shown == frames
    else:  # equal pictures in a row are one, shown longer
        with Image.open(path) as film:
            seconds = sum(frame.info["duration"] for frame in ImageSequence.Iterator(film)) / 1000
    assert seconds == pytest.approx(frames / 8, rel=0.1)


def test_recording_and_lesions(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.npz"
    words = ["record", str(trained), "--episodes", "3", "--out", str(out), "--lesion", "core"]
    assert main(words) == 0
    listed = capsys.readouterr().out.partition("wrote")[0]
    assert listed.startswith("3 episodes, without core\n  score01 ")
    assert "\n  homing error (m) " in listed
    with np.load(out) as file:
        assert (file["area/core"] == 0).all()
        assert (file["area/encoder"] != 0).any()
    assert main(["evaluate", str(trained), "--episodes", "3", "--lesion", "core"]) == 0
    heading, _, found = capsys.readouterr().out.partition("\n")
    assert heading == f"{trained}, trained for 512 steps: DarkHome, level 0"
    assert found == listed  # one list, of the same episodes
    for command in ("record", "evaluate"):
        message = fails(capsys, command, trained, "--lesion", "cor")
        assert "--lesion: unknown area 'cor'; did you mean core" in message
    message = fails(capsys, "record", trained, "--policy", "random")
    assert "--policy is for a task; a run is played by its own agent" in message
    film = str(tmp_path / "a.gif")
    assert "did you mean core" in fails(
        capsys, "watch", trained, "--record", film, "--lesion", "cor"
    )


def test_a_task_that_changed_since_a_run_is_told(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a note beside what is played all the same, and so is a task without calibration."""
    changed = tmp_path / "changed"
    shutil.copytree(trained, changed)
    facts = read_json(trained / "versions.json")
    now = facts["task_hash"]
    write_json(changed / "versions.json", facts | {"task_hash": "0" * 16})
    note = f"note: DarkHome has changed since this run was trained (hash {'0' * 16}, now {now})"
    end = ("--episodes", "2")
    film, arrays = str(tmp_path / "film.gif"), str(tmp_path / "x.npz")
    for command, out in (
        ("evaluate", ()),
        ("record", ("--out", arrays)),
        ("watch", ("--record", film)),
    ):
        for folder, told in ((trained, 0), (changed, 1)):
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                assert main([command, str(folder), *out, *end]) == 0
            assert capsys.readouterr().err.splitlines().count(note) == told, (command, folder)
    calibration._warn.cache_clear()
    monkeypatch.setattr(calibration, "read", lambda task: [])
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["evaluate", str(trained), *end]) == 0
    captured = capsys.readouterr()
    assert "score01" not in captured.out
    assert captured.err.startswith("note: DarkHome has no calibration as it is set")


def test_an_agent_learns_on_between_two_evaluations_and_its_run_stays(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    words = [str(trained), "--episodes", "3"]
    assert main(["evaluate", *words, "--ood"]) == 0
    heading, _, alone = capsys.readouterr().out.partition("\n")
    assert heading.endswith(": DarkHome, level 0, out of distribution")
    assert main(["evaluate", *words, "--ood", "--plastic", "300"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{heading}\nas it is\n{alone}")
    # Whole rollouts are lived: 8 worlds of 32 steps.
    assert "\nafter 512 more steps of learning there\n3 episodes\n" in told
    assert "\nwhere it was trained\n  before  score01 " in told
    assert main(["evaluate", *words, "--plastic", "1"]) == 0  # there is nowhere to come back to
    assert "where it was trained" not in capsys.readouterr().out
    assert before == {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    assert "--plastic is a number of steps" in fails(capsys, "evaluate", *words, "--plastic", "-1")


def test_an_agent_adapts_in_worlds_of_the_place_at_the_rate_it_ended_with(trained: Path) -> None:
    config, agent = open_run(trained)
    there, rate = config.at(None, True), agent.policy.optimizer.param_groups[0]["lr"]
    weights = [p.detach().clone() for p in agent.brain.parameters()]
    lived: list[int] = []
    plastic.adapt(agent, there, 256, 0, lived.append)
    assert isinstance(agent.env, WorldVecEnv)
    assert agent.env.task.ood
    assert agent.env.num_envs == config.n_envs
    assert lived == list(range(8, 257, 8))
    assert agent.num_timesteps == 512 + 256
    assert agent.policy.optimizer.param_groups[0]["lr"] == rate
    after = zip(agent.brain.parameters(), weights, strict=True)
    assert not all(torch.equal(now, then) for now, then in after)
    seeds = {stream(config, use) for use in (TRAINING, PLASTIC)} | {stream(config, EVALUATION, 0)}
    assert len(seeds) == 3


def test_a_read_out_of_any_sense_or_area_is_in_both_lists(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ("sense/vision", "area/core", "hidden/home")
    made = ReadOuts(lambda trace: {name: float(trace[name].mean()) for name in names}, names)
    monkeypatch.setitem(SUMMARIES, "DarkHome", made)
    words = [str(trained), "--episodes", "3"]
    assert main(["record", *words, "--out", str(tmp_path / "x.npz")]) == 0
    listed = capsys.readouterr().out.partition("wrote")[0]
    assert all(f"\n  {name} " in listed for name in names)
    assert main(["evaluate", *words]) == 0
    assert capsys.readouterr().out.partition("\n")[2] == listed


def test_a_plug_in_task_is_imported_and_remembered(tmp_path: Path) -> None:
    """A module in the current folder adds a task; resuming finds it again by itself."""
    (tmp_path / "elsewhere.py").write_text(PLUGIN.format(name="Elsewhere"))

    def motley(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "motley.scripts.main", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    train = ["train", "--task", "Elsewhere", "--import", "elsewhere", "--out", "run"]
    done = motley(*train, "--steps", "512", "--n-envs", "8", "--set", "n_steps=32")
    assert done.returncode == 0, done.stderr
    assert re.search(
        "^note: Elsewhere has no calibration .* --import elsewhere$", done.stderr, re.M
    )
    assert "UncalibratedWarning" not in done.stderr
    assert read_json(tmp_path / "run" / "config.json")["imports"] == ["elsewhere"]
    assert motley("train", "--resume", "--out", "run").returncode == 0
    (tmp_path / "elsewhere.py").unlink()
    gone = motley("watch", "run")
    assert gone.returncode == 2
    assert "no module 'elsewhere'" in gone.stderr


def test_a_warning_of_ours_is_one_plain_line_in_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def warns(*args: object) -> None:
        warnings.warn("Home has [no] figures", UncalibratedWarning, stacklevel=1)
        warnings.warn("somebody else's", UserWarning, stacklevel=1)

    monkeypatch.setattr(audit, "main", warns)
    before = warnings.showwarning
    with pytest.warns(UserWarning, match="somebody else's") as others:
        assert main(["audit", "DarkHome"]) == 0
    assert capsys.readouterr().err == "note: Home has [no] figures\n"
    assert len(others) == 1
    assert warnings.showwarning is before


def test_a_fault_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        int("x")

    monkeypatch.setattr(audit, "import_plugins", broken)
    with pytest.raises(ValueError, match="invalid literal"):
        main(["audit", "DarkHome"])


def test_audit_prints_every_level_and_tells_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from motley.envs import TASKS

    assert main(["audit", "DarkHome", "--episodes", "20"]) == 3  # too few to tell
    text = said(capsys)
    for word in ("oracle", "observer", "random", "4 ood", "1.00 ±.00"):
        assert word in text
    told = r"of 165 bars hold at 20 episodes; (\d+) undecided: give more --episodes; how many"
    (count,) = re.findall(told, text)
    named = re.findall(r"undecided: level \d[^;]+ \(bar: [^;]+\); give more --episodes", text)
    assert len(named) == audit.LISTED
    assert f"and {int(count) - audit.LISTED} more bars" in text
    assert "fails" not in text
    still = np.zeros((20, 2), np.float32)
    monkeypatch.setattr(TASKS["DarkHome"], "oracle", lambda task, world: still)
    assert main(["audit", "DarkHome", "--level", "2", "--episodes", "20"]) == 1
    text = said(capsys)
    assert "level 2: the oracle scores" in text
    assert "level 2, out of distribution, stop=True: the oracle scores" in text


def test_audit_tells_what_no_number_of_episodes_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tie = Scores(np.ones(20), np.ones(20), None, {})
    monkeypatch.setattr(calibration, "play", lambda *args: tie)
    assert main(["audit", "DarkHome", "--level", "0", "--episodes", "20"]) == 3
    text = " ".join(capsys.readouterr().out.split())
    assert (
        "undecidable: level 0: the oracle scores 0.000 more than random (bar: above 0); it lies "
        "on the bar in every episode" in text
    )
    *asked, told = (int(n) for n in re.findall(r"give more --episodes, about (\d+)", text))
    assert len(asked) == 4
    assert told == max(asked)
    assert text.endswith(f"4 undecidable; 4 undecided: give more --episodes, about {told}")


@pytest.mark.parametrize(
    ("grade", "code", "said"), [(0.5, 1, "; of the probes 1 fails"), (1, 0, "")]
)
def test_the_last_line_of_an_audit_counts_what_a_probe_misses(
    grade: float,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Capacity("DarkHome", 0, "share right", grade, 0.1, 0.1, 4, 5, 6)
    clear = Scores(np.ones(1000), np.zeros(1000), np.ones(1000), {})
    monkeypatch.setattr(calibration, "play", lambda *args: clear)
    monkeypatch.setattr(audit, "bars", lambda *args: [])
    monkeypatch.setattr(audit, "taught", lambda *args: found)
    assert main(["audit", "DarkHome", "--level", "0", "--capacity"]) == code
    text = capsys.readouterr().out
    assert text.endswith(f"0 of 0 bars hold at 1,000 episodes{said}\n")
    assert ("fails:" in text) == bool(said)


def test_audit_stores_every_variant_of_a_task(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from motley.envs import TASKS

    monkeypatch.setattr(calibration, "path", lambda task: tmp_path / "figures.json")
    main(["audit", "DarkHome", "--calibrate", "--episodes", "2"])
    stored = calibration.read(TASKS["DarkHome"])
    settings = {(e.level, e.ood, e.variant["stop"]) for e in stored}
    assert len(stored) == len(settings) == 20


def test_the_demo_leaves_a_page_and_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["demo", "--steps", "4096", "--out", str(tmp_path)]
    assert main(words) == 0
    text = said(capsys)
    assert f"{tmp_path}/report.html" in text
    for arm in ("matched", "uniform"):
        last = read_csv(tmp_path / arm / "eval.csv")["score01"][-1]
        assert f"{arm}: 4,096 steps, score01 {last:.2f}" in text
        assert (tmp_path / arm / "video.mp4").stat().st_size > 1000
        assert (tmp_path / arm / "done").exists()
    before = (tmp_path / "matched" / "eval.csv").read_bytes()
    assert main(words) == 0
    assert before == (tmp_path / "matched" / "eval.csv").read_bytes()
