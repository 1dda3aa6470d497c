"""Runs: resumed and killed ones end with the same numbers; evaluation disturbs nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from motley.agents import Agent, storage
from motley.costs import COSTS, Cost, Trace
from motley.envs.sb3 import WorldVecEnv
from motley.studies.config import ConfigError, RunConfig, build_agent, check, stream
from motley.studies.evaluate import EVAL, play, undisturbed
from motley.studies.folder import (
    FORMAT_VERSION,
    FolderError,
    read_csv,
    read_json,
    write_csv,
    write_json,
)
from motley.studies.listener import Listener
from motley.studies.model import open_run
from motley.studies.run import PROGRESS, run
from motley.studies.runs import gather
from motley.studies.statistics import steps_to_solved
from motley.studies.video import film

SMALL = RunConfig(
    level=0,
    steps=4096,
    n_envs=8,
    eval_every=1024,
    eval_episodes=10,
    agent={"n_steps": 32, "budget": 20_000},
)


def columns(folder: Path, file: str) -> dict[str, Any]:
    """A CSV file's text by column, without the clock."""
    header, *rows = [line.split(",") for line in (folder / file).read_text().splitlines()]
    return {n: [r[i] for r in rows] for i, n in enumerate(header) if n != "wall_s"}


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    parameters: dict[str, torch.Tensor] = Agent.load(folder / "model.zip").get_parameters()[
        "policy"
    ]
    return parameters


def assert_same(first: Path, second: Path) -> None:
    assert columns(first, "eval.csv") == columns(second, "eval.csv")
    assert columns(first, "progress.csv") == columns(second, "progress.csv")
    a, b = tensors(first), tensors(second)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_can_end_when_its_task_is_solved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a bar that every score reaches, the second evaluation ends it, and for good."""
    bar = partial(steps_to_solved, threshold=-9.0)
    monkeypatch.setattr("motley.studies.run.steps_to_solved", bar)
    config = replace(SMALL, until_solved=True)
    run(config, tmp_path)
    assert read_csv(tmp_path / "eval.csv")["steps"].tolist() == [0, 1024]
    assert read_json(tmp_path / "done")["steps"] == 1024
    assert "--until-solved" in gather(tmp_path)[0].command
    (tmp_path / "done").unlink()  # killed just before it was written
    run(config, tmp_path, resume=True)
    assert read_csv(tmp_path / "eval.csv")["steps"].tolist() == [0, 1024]
    assert (tmp_path / "done").exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without a break."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    run(SMALL, out)
    return out


class StopAt(Listener):
    """Fails like a crash at some row of progress.csv."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def progressed(self, row: Any) -> None:
        self.rows -= 1
        if not self.rows:
            raise RuntimeError("crash")


@dataclass(frozen=True)
class Given(Cost):
    """A loss that depends on no area."""

    def loss(self, trace: Trace, heads: Any) -> Tensor:
        return trace["reward"]


class Remarks(Listener):
    """Keeps what is remarked."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def remarked(self, text: str) -> None:
        self.texts.append(text)


def test_a_loss_that_depends_on_no_area_is_remarked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COSTS, "given", Given)
    told = Remarks()
    run(replace(SMALL, costs="reward+given+entropy", steps=256), tmp_path, listeners=[told])
    assert told.texts == [
        "cost given may train nothing: in an update its loss depended on no area that learns, nor "
        "on a head of its own"
    ]


def test_trying_out_leaves_global_random_numbers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run draws from them is as without the trial."""
    drawn = []

    def draw(self: StopAt, row: Any) -> None:
        drawn.append((random.random(), float(np.random.random()), float(torch.rand(1))))  # noqa: NPY002

    monkeypatch.setattr(StopAt, "progressed", draw)
    config = replace(SMALL, steps=256)
    run(config, tmp_path / "tried", listeners=[StopAt(1)])
    monkeypatch.setattr("motley.studies.run._try_out", lambda config: [])
    run(config, tmp_path / "untried", listeners=[StopAt(1)])
    assert drawn[0] == drawn[1]
    assert_same(tmp_path / "tried", tmp_path / "untried")


def test_a_run_folder_holds_what_is_pinned(whole: Path) -> None:
    for name in ("config.json", "versions.json", "done", "checkpoint.json"):
        assert json.loads((whole / name).read_text())["format_version"] == FORMAT_VERSION
    assert (whole / "model.zip").exists()
    assert list((whole / "checkpoints").iterdir())
    assert list((whole / "tensorboard").glob("events*"))
    evaluations, progress = read_csv(whole / "eval.csv"), read_csv(whole / "progress.csv")
    assert tuple(evaluations) == EVAL
    assert tuple(progress)[: len(PROGRESS)] == PROGRESS
    assert {name.split("/")[0] for name in progress} >= {"cost", "value", "grad"}
    assert evaluations["steps"].tolist() == [0, 1024, 2048, 3072, 4096]
    assert np.isfinite(evaluations["score01"]).all()
    assert progress["steps"].tolist() == list(range(256, 4097, 256))
    assert (np.diff(progress["wall_s"]) > 0).all()
    # The worlds count the experience, evaluations do not.
    assert Agent.load(whole / "model.zip").num_timesteps == 4096


def test_evaluating_does_not_change_training(whole: Path, tmp_path: Path) -> None:
    agent = build_agent(SMALL)
    agent.learn(SMALL.steps, reset_num_timesteps=False)
    evaluated = tensors(whole)
    plain = agent.get_parameters()["policy"]
    assert all(torch.equal(plain[name], evaluated[name]) for name in evaluated)


@pytest.mark.parametrize("rows", [1, 5, 11])
def test_a_crashed_run_goes_on_to_the_same_numbers(whole: Path, tmp_path: Path, rows: int) -> None:
    with pytest.raises(RuntimeError, match="crash"):
        run(SMALL, tmp_path, listeners=[StopAt(rows)])
    assert not (tmp_path / "done").exists()
    run(SMALL, tmp_path, resume=True)
    assert_same(whole, tmp_path)


def test_a_killed_process_goes_on_to_the_same_numbers(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    config = json.dumps(SMALL.to_json())
    code = (
        "import json, sys; from pathlib import Path; from motley.studies.config import RunConfig;"
        "from motley.studies.run import run;"
        f"run(RunConfig.from_json(json.loads({config!r})), Path({str(out)!r}), resume=True)"
    )
    for rows in (2, 4):
        process = subprocess.Popen([sys.executable, "-c", code])
        wait_for(lambda least=rows: len(read_csv(out / "eval.csv").get("steps", ())) >= least)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([sys.executable, "-c", code], check=True)
    assert_same(whole, out)


def test_ctrl_c_saves_and_says_how_to_go_on(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    command = [sys.executable, "-m", "motley.scripts.main", "train", "--out", str(out)]
    flags = [
        "--level",
        "0",
        "--steps",
        "4096",
        "--n-envs",
        "8",
        "--eval-every",
        "1024",
        "--eval-episodes",
        "10",
    ]
    flags += ["--set", "n_steps=32", "--set", "budget=20000"]
    process = subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: len(read_csv(out / "eval.csv").get("steps", ())) >= 2)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"motley train --resume --out {out}" in said
    subprocess.run([*command, "--resume"], check=True, stdout=subprocess.DEVNULL)
    assert_same(whole, out)


def wait_for(condition: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("harm", ["take", "cut"])
def test_a_finished_runs_model_is_written_anew(harm: str, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    model, curve = out / "model.zip", (out / "eval.csv").read_bytes()
    _, kept = storage.read(model)
    if harm == "cut":
        model.write_bytes(model.read_bytes()[:1000])
        with pytest.raises(FolderError, match=r"not an agent's file .*: take it away, and it is"):
            open_run(out)
    model.unlink()
    with pytest.raises(FolderError, match=f"no model .*: motley train --resume --out {out}$"):
        open_run(out)
    run(SMALL, out, resume=True)
    _, again = storage.read(model)
    assert again.keys() == kept.keys()
    assert all(torch.equal(again[name], kept[name]) for name in kept)
    assert (out / "eval.csv").read_bytes() == curve
    open_run(out)


def test_a_finished_run_whose_model_was_cut_short_gets_it_back(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    kept = (out / "model.zip").read_bytes()
    (out / "model.zip").write_bytes(kept[:1000])
    run(SMALL, out, resume=True)
    assert open_run(out)[1].num_timesteps == 4096


def test_a_run_that_ended_when_it_had_solved_gets_its_model_back(
    whole: Path, tmp_path: Path
) -> None:
    """Its evaluations say that it is solved as soon as it is taken up."""
    config, out = replace(SMALL, until_solved=True), tmp_path / "run"
    shutil.copytree(whole, out)
    write_json(out / "config.json", config.to_json())
    rows = read_csv(out / "eval.csv")
    rows["score01"][:] = 0.9
    write_csv(
        out / "eval.csv", [*rows], list(zip(*(x.tolist() for x in rows.values()), strict=True))
    )
    (out / "model.zip").unlink()
    run(config, out, resume=True)
    assert open_run(out)[1].num_timesteps == 4096


def test_a_finished_run_is_left_alone_whose_checkpoints_are_gone(
    whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    shutil.rmtree(out / "checkpoints")
    for name in ("checkpoint.json", "model.zip"):
        (out / name).unlink()
    before = (out / "eval.csv").read_bytes()
    assert run(SMALL, out, resume=True)["steps"] == 4096
    assert (out / "eval.csv").read_bytes() == before


def test_a_finished_run_without_its_evaluations_is_refused(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "eval.csv").write_text("")
    with pytest.raises(FolderError, match="has no evaluations, though the run is finished: train"):
        run(SMALL, tmp_path / "run", resume=True)


def test_a_broken_checkpoint_is_named(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    (out / "done").unlink()
    (out / read_json(out / "checkpoint.json")["file"]).write_bytes(b"PK")
    with pytest.raises(FolderError, match=r"not an agent's file .*: train anew in another folder"):
        run(SMALL, out, resume=True)


def test_a_finished_run_is_left_alone(whole: Path) -> None:
    before = (whole / "eval.csv").read_bytes(), os.stat(whole / "model.zip").st_mtime
    row = run(SMALL, whole, resume=True)
    assert row["steps"] == 4096
    assert before == ((whole / "eval.csv").read_bytes(), os.stat(whole / "model.zip").st_mtime)


def test_a_folder_is_not_overwritten(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="--resume"):
        run(SMALL, whole)
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FolderError, match="no run"):
        run(SMALL, tmp_path, resume=True)


def test_another_configuration_is_named(whole: Path) -> None:
    other = RunConfig(**(vars(SMALL) | {"seed": 3, "costs": "reward"}))
    with pytest.raises(FolderError, match=r"costs was 'heterogeneous'.*seed was 0, is now 3"):
        run(other, whole, resume=True)


def test_a_changed_task_is_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="crash"):
        run(SMALL, tmp_path, listeners=[StopAt(1)])
    versions = read_json(tmp_path / "versions.json")
    write_json(tmp_path / "versions.json", versions | {"task_hash": "0" * 16})
    with pytest.raises(FolderError, match=r"version of the task DarkHome .* give --out"):
        run(SMALL, tmp_path, resume=True)


def test_a_run_of_an_older_motley_is_refused_by_what_it_did_not_note(tmp_path: Path) -> None:
    """Who wrote versions.json did not always note the code of others' environments."""
    config = RunConfig("CartPole-v1", structure="uniform", costs="reward")
    write_json(tmp_path / "config.json", config.to_json())
    write_json(tmp_path / "versions.json", {"task_hash": None})
    with pytest.raises(FolderError, match="older Motley, which did not note the code of CartPole"):
        run(config, tmp_path, resume=True)


OTHERS: list[tuple[dict[str, Any], str]] = [
    ({"seed": 3}, "seed;"),
    ({"structure": "uniform"}, r"structure \(uniform, not path_integration\);"),
    ({"costs": "reward"}, "costs;"),
    ({"costs": "placebo"}, "costs;"),
    ({"routing": "global"}, r"routing \(global, not matched\);"),
    ({"credit": "bptt_4"}, r"credit \(bptt_4, not backprop\);"),
    (
        {"task": "CacheRecall", "structure": "path_integration", "costs": "reward"},
        r"task \(CacheRecall, not DarkHome\), costs;",
    ),
    ({"level": 1}, r"level \(1, not 0\);"),
    ({"n_envs": 4}, r"n_envs \(4, not 8\);"),
    ({"agent": {"n_steps": 16, "budget": 20_000}}, r"n_steps \(16, not 32\);"),
    ({"agent": {"n_steps": 32, "budget": 30_000}}, r"budget \([\d,]+ parameters, not [\d,]+\);"),
]


@pytest.mark.parametrize(("changes", "said"), OTHERS, ids=[str(changes) for changes, _ in OTHERS])
@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_another_runs_agent_is_refused_by_name(
    changes: dict[str, Any], said: str, whole: Path, tmp_path: Path
) -> None:
    """Wherever an agent is opened to be evaluated, recorded or filmed, and where a run goes on."""
    for name in ("config.json", "versions.json", "checkpoint.json"):
        shutil.copy(whole / name, tmp_path)
    other = build_agent(replace(SMALL, **changes))
    other.save(tmp_path / "model.zip")
    other.checkpoint(tmp_path / read_json(whole / "checkpoint.json")["file"])
    # In the user's terms: no setting that is the same, and no seed derived from the run's.
    named = f"is of another run than its folder: it differs in {said}"
    with pytest.raises(FolderError, match=named):
        open_run(tmp_path)
    with pytest.raises(FolderError, match=named):
        run(SMALL, tmp_path, resume=True)


def test_its_own_agent_is_taken(whole: Path) -> None:
    config, agent = open_run(whole)
    assert config == SMALL
    assert agent.num_timesteps == SMALL.steps


def test_seeds_have_worlds_of_their_own() -> None:
    seeds = [stream(RunConfig(seed=s), *key) for s in range(5) for key in [(0,), (1, 0), (1, 1)]]
    gaps = np.diff(np.sort(seeds))
    assert gaps.min() > 1000
    assert min(seeds) >= 0
    assert max(seeds) < 2**31


class Oracle:
    """Acts with what the worlds know."""

    def __init__(self, worlds: WorldVecEnv) -> None:
        self.worlds = worlds

    def predict(self, observation: Any, *rest: Any) -> tuple[Any, Any]:
        return self.worlds.oracle(), None


def test_the_oracle_scores_one() -> None:
    worlds = WorldVecEnv("DarkHome", 50, seed=1, level=1)
    found = play(Oracle(worlds), worlds, 50)
    assert found.score01.mean() == pytest.approx(1.0, abs=0.05)
    assert found.success.mean() > 0.95


def test_every_world_plays_its_share() -> None:
    """Short episodes are not counted more often: world i gives its first episodes, no others."""
    worlds = WorldVecEnv("DarkHome", 4, seed=5, level=1)
    found = play(Oracle(worlds), worlds, 10)
    assert len(found.returns) == 10
    expected = []
    for i, share in enumerate([3, 3, 2, 2]):
        alone = WorldVecEnv("DarkHome", 1, seed=5 + i, level=1)
        expected += play(Oracle(alone), alone, share).lengths.tolist()
    assert found.lengths.tolist() == expected


def test_global_random_numbers_are_put_back() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with undisturbed():
        torch.manual_seed(7)
        torch.rand(5)
    assert torch.equal(torch.rand(3), expected)


def test_other_peoples_environments_train_too(tmp_path: Path) -> None:
    config = RunConfig(
        "CartPole-v1",
        structure="uniform",
        costs="reward",
        steps=2000,
        n_envs=4,
        eval_every=1000,
        eval_episodes=12,
        agent={"n_steps": 64, "budget": 10_000},
    )
    row = run(config, tmp_path)
    assert row["return"] > 5
    assert np.isnan(row["score01"])
    assert gather(tmp_path)[0].n_parameters


def test_a_video_is_made_once_and_tells_how_it_went(whole: Path) -> None:
    path = film(whole, count=1)
    made = path.stat().st_mtime_ns
    assert path.stat().st_size > 1000
    assert len(read_json(whole / "video.json")["episodes"]) == 1
    assert film(whole).stat().st_mtime_ns == made


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "DarkHouse"}, "did you mean DarkHome"),
        ({"structure": "unifrom"}, "did you mean uniform"),
        ({"costs": "reward+heterogenous"}, "did you mean heterogeneous"),
        ({"credit": "feedback_alignmnt"}, "--credit: .*did you mean feedback_alignment"),
        (
            {"agent": {"credit": "bptt_4"}},
            "'credit' is no setting of the agent but a flag: --credit",
        ),
        ({"level": 9}, "levels 0 to 4, not --level 9"),
        ({"steps": 0}, "--steps must be at least 1, not 0"),
        ({"eval_every": -5}, "--eval-every must be at least 1"),
        ({"seed": -1}, "--seed must be 0 or more"),
        ({"agent": {"learning_rat": 1}}, "did you mean learning_rate"),
        ({"task": "CartPole-v1", "level": 1}, "neither --level nor --ood"),
    ],
)
def test_what_cannot_be_is_refused_at_once(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check(RunConfig(**changes))
