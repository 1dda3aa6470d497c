"""Peers: others' algorithms run, are evaluated and collected like ours."""

import csv
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from motley.studies import study
from motley.studies.baselines import BASELINES
from motley.studies.config import ConfigError, RunConfig
from motley.studies.evaluate import EVAL
from motley.studies.folder import FolderError, read_csv, read_json
from motley.studies.listener import Listener
from motley.studies.model import open_run
from motley.studies.peers import PEERS, check
from motley.studies.run import run

SHORT = RunConfig(
    "DarkHome",
    level=0,
    structure="PPO",
    costs="reward",
    steps=512,
    n_envs=4,
    eval_every=256,
    eval_episodes=8,
    agent={"n_steps": 64, "n_epochs": 2},
)


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_leaves_a_run_folder(name: str, tmp_path: Path) -> None:
    config = replace(SHORT, structure=name)
    last = run(config, tmp_path / "run")
    evaluations = read_csv(tmp_path / "run" / "eval.csv")
    assert tuple(evaluations) == EVAL
    assert evaluations["steps"].tolist() == [0, 256, 512]
    assert np.isfinite(evaluations["score01"]).all()
    assert last["steps"] == 512
    assert read_csv(tmp_path / "run" / "progress.csv")["steps"].tolist() == [256, 512]
    done = read_json(tmp_path / "run" / "done")
    assert done["n_epochs"] == 2
    assert done["n_parameters"] > 5_000
    with pytest.raises(FolderError, match=f"run of {name}, of which curves alone are kept"):
        open_run(tmp_path / "run")


class Watcher(Listener):
    """Keeps whether PyTorch may use oneDNN while a run goes on."""

    def __init__(self) -> None:
        self.seen: set[bool] = set()

    def progressed(self, row: Mapping[str, float]) -> None:
        self.seen.add(bool(torch.backends.mkldnn.enabled))


@pytest.mark.parametrize(("name", "allowed"), [("PPO", True), ("RecurrentPPO.small", False)])
def test_recurrent_peers_alone_learn_without_one_dnn(
    name: str, allowed: bool, tmp_path: Path
) -> None:
    watcher, before = Watcher(), bool(torch.backends.mkldnn.enabled)
    run(replace(SHORT, structure=name), tmp_path / "run", listeners=[watcher])
    assert watcher.seen == {allowed}
    assert bool(torch.backends.mkldnn.enabled) == before


def test_a_peer_leaves_no_folder_in_the_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    run(SHORT, tmp_path / "run")
    assert not (tmp_path / "temporary").exists()


def test_equal_seeds_equal_numbers_and_a_killed_run_begins_anew(tmp_path: Path) -> None:
    run(SHORT, tmp_path / "whole")
    with pytest.raises(FolderError, match="holds a run already"):
        run(SHORT, tmp_path / "whole")
    run(replace(SHORT), tmp_path / "cut")
    (tmp_path / "cut" / "done").unlink()
    run(SHORT, tmp_path / "cut", resume=True)
    one, other = (read_csv(tmp_path / name / "eval.csv") for name in ("whole", "cut"))
    for column in set(EVAL) - {"wall_s"}:
        np.testing.assert_array_equal(one[column], other[column])


def test_what_it_refuses() -> None:
    with pytest.raises(ConfigError, match="give --costs reward"):
        check(replace(SHORT, costs="heterogeneous"))
    with pytest.raises(ConfigError, match="takes no --routing shuffled; leave it out"):
        check(replace(SHORT, routing="shuffled"))
    with pytest.raises(ConfigError, match="takes no --time reversed; leave it out"):
        check(replace(SHORT, time="reversed"))
    with pytest.raises(ConfigError, match="takes no --credit direct_feedback; leave it out"):
        check(replace(SHORT, credit="direct_feedback"))
    with pytest.raises(ConfigError, match="leave --set development out"):
        check(replace(SHORT, agent={"development": {"weights": {}}}))
    with pytest.raises(ConfigError, match="did you mean n_epochs"):
        check(replace(SHORT, agent={"n_epoch": 2}))
    with pytest.raises(ConfigError, match="levels 0 to"):
        check(replace(SHORT, level=9))


def test_the_baselines_are_collected(tmp_path: Path) -> None:
    small = replace(
        BASELINES,
        name="small",
        tasks=(("DarkHome", 0),),
        arms={
            "DarkHome": {
                name: replace(arm, steps=256, n_envs=4)
                for name, arm in BASELINES.arms["DarkHome"].items()
                if name != "RecurrentPPO"
            }
        },
        seeds=(0,),
        search={"n_steps": (64,), "learning_rate": (1e-3, 2e-3)},
        fixed={"n_steps": 64},
        trials=2,
        trial_steps=256,
        eval_episodes=8,
    )
    study.tune(small, tmp_path / "runs", tmp_path / "results", lambda state: None)
    tried = list(csv.DictReader((tmp_path / "results" / "tuning.csv").read_text().splitlines()))
    assert [row["arm"] for row in tried] == ["RecurrentPPO_tuned"] * 2
    study.run(small, tmp_path / "runs", tmp_path / "results", lambda state: None)
    rows = list(csv.DictReader((tmp_path / "results" / "curves.csv").read_text().splitlines()))
    assert {(row["arm"], row["structure"]) for row in rows} == {
        ("PPO", "PPO"),
        ("RecurrentPPO_tuned", "RecurrentPPO.small"),
    }
    assert all(int(row["n_params"]) > 5_000 for row in rows)
    assert all((int(row["flops"]) > 0) == (int(row["steps"]) > 0) for row in rows)
