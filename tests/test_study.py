"""Studies: tuned alike, run whole, collected into the pinned table."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from motley.scripts.main import main
from motley.scripts.study import narrow
from motley.studies import demo, peers, spine, study, table
from motley.studies.config import ConfigError, RunConfig, check
from motley.studies.folder import read_json, write_csv, write_json
from motley.studies.study import Arm, Study
from motley.studies.table import COLUMNS, CONDITION, MEASURED

SMALL = Study(
    name="small",
    claim="That the machinery works.",
    tasks=(("DarkHome", 0),),
    arms={
        "DarkHome": {
            "matched": Arm("matched", "heterogeneous", 512, "learnt"),
            "uniform": Arm("uniform", "reward", 512, credit="bptt_4"),
            "exact": Arm("matched.exact", "heterogeneous", 512, "exact", tuned_as="matched"),
        }
    },
    seeds=(0,),
    tuning_seeds=(100, 101),
    search={"learning_rate": (1e-3, 2e-3)},
    trials=2,
    trial_steps=512,
    fixed={"n_steps": 8},
    eval_episodes=8,
)


QUICK = replace(
    SMALL,
    name="quick",
    arms={
        "DarkHome": {
            "one": Arm("uniform", "reward", 512),
            "other": Arm("uniform", "reward", 512),
            "borrowing": Arm("uniform", "reward", 512, tuned_as="one"),
        }
    },
    tuning_seeds=(100,),
)


def plans(asked: Study) -> list[RunConfig]:
    """The configurations of a study's runs, of which no arm is tuned."""
    return [plan.config for plan in study.planned(asked, Path()) if plan.config is not None]


def silent(state: dict[str, tuple[float, float]]) -> None:
    """Watch nothing."""


def test_small_study_from_tuning_to_table(tmp_path: Path) -> None:
    runs, results = tmp_path / "runs", tmp_path / "results"
    with pytest.raises(ConfigError, match="motley study tune small"):
        study.run(SMALL, runs, results, silent)
    study.tune(SMALL, runs, results, silent)
    with (results / "tuning.csv").open(newline="") as file:
        trials = list(csv.DictReader(file))
    assert [(row["arm"], row["trial"], row["seed"]) for row in trials] == [
        (arm, trial, seed)
        for arm in ("matched", "uniform")
        for trial in ("0", "1")
        for seed in ("100", "101")
    ]
    chosen = read_json(results / "settings.json")["chosen"]["DarkHome"]
    assert all(choice in SMALL.draws() for choice in chosen.values())

    study.run(SMALL, runs, results, silent)
    borrowed = read_json(runs / "DarkHome-0" / "exact" / "0" / "config.json")["agent"]
    assert borrowed == {**SMALL.fixed, **chosen["matched"]}
    whole = (results / "curves.csv").read_text()
    study.run(narrow(SMALL, arms=("uniform",)), runs, results, silent, SMALL)
    assert (results / "curves.csv").read_text() == whole  # a part keeps the other arms' rows
    with (results / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    pinned = (
        "arm,task,level,structure,prior,costs,routing,time,credit,control,seed,n_params,steps,"
        "score01,score01_sampled,score01_ood,success,wall_s,flops"
    )
    assert tuple(rows[0]) == tuple(pinned.split(","))
    assert {row["arm"] for row in rows} == {"matched", "uniform", "exact"}
    assert {row["structure"] for row in rows} == {
        "path_integration", "uniform", "path_integration.exact",
    }  # fmt: skip
    assert {(row["arm"], row["credit"]) for row in rows} == {
        ("matched", "backprop"), ("uniform", "bptt_4"), ("exact", "backprop"),
    }  # fmt: skip
    last = [row for row in rows if row["arm"] == "matched"][-1]
    assert int(last["steps"]) == 512
    stored = table.read(results)
    solved = {arm: (seeds, steps) for _, arm, seeds, steps, *_ in table.summary(stored.rows)}
    assert solved["uniform"] == ("0 of 1", "≥ 512")
    some = table.standing(study.planned(narrow(SMALL, arms=("exact",)), results), stored)
    assert (list(some[0]), some[1]) == (["DarkHome-0/exact/0"], [])
    assert int(last["flops"]) == 512 * int(last["n_params"]) * (1 + 3 * 3)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained; scores are made up, by which both draws are as good for an arm."""

    def train(wanted: dict[str, RunConfig], runs: Path, on_look: study.Progress) -> None:
        for key in wanted:
            (runs / key).mkdir(parents=True, exist_ok=True)
            score = 0.75 if "/other/1" in key else 0.5
            write_csv(runs / key / "eval.csv", ("score01",), [[0.0], [score]])

    monkeypatch.setattr(study, "train", train)


@pytest.fixture
def tuned(trained: None, tmp_path: Path) -> Path:
    """Results of tuning both arms of QUICK."""
    results = tmp_path / "quick"
    for arm in ("one", "other"):
        study.tune(narrow(QUICK, arms=(arm,)), tmp_path / "runs", results, silent)
    return results


def test_a_tie_of_draws_is_told_and_the_first_taken(tuned: Path) -> None:
    found = read_json(tuned / "settings.json")
    assert found["ties"] == {"DarkHome": {"one": [0, 1], "other": []}}
    first, second = QUICK.draws()
    assert found["chosen"] == {"DarkHome": {"one": first, "other": second}}


@pytest.mark.parametrize(
    "change",
    [
        {"tuning_seeds": (101,)},
        {"trial_steps": 1024},
        {"search": {"learning_rate": (1e-3, 3e-3)}},
        {"fixed": {"n_steps": 16}},
        {"tasks": (("DarkHome", 1),)},
    ],
)
def test_settings_that_other_trials_chose_are_refused(
    change: dict[str, Any], tuned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tuned.parent / "runs"
    collected = table.Collected(0, 0, None)
    monkeypatch.setattr(study, "collect", lambda *_: collected)
    assert study.run(QUICK, runs, tuned, silent) is collected
    part = replace(narrow(QUICK, arms=("borrowing",)), **change)
    with pytest.raises(ConfigError, match="arm 'one' on DarkHome were chosen by other trials"):
        study.run(part, runs, tuned, silent, replace(QUICK, **change))
    before = read_json(tuned / "settings.json")
    write_json(tuned / "settings.json", {k: before[k] for k in ("draws", "chosen")})
    assert study.run(part, runs, tuned, silent, replace(QUICK, **change)) is collected


def test_settings_of_which_nobody_knows_the_trials_are_told(
    tuned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(study.STUDIES, "quick", QUICK)
    monkeypatch.setattr(study, "collect", lambda *_: table.Collected(0, 0, None))
    where = ("--runs", str(tuned.parent / "runs"), "--results", str(tuned.parent))
    assert main(["study", "run", "quick", *where]) == 0
    assert "not known" not in capsys.readouterr().out
    before = read_json(tuned / "settings.json")
    del before["trials"]["DarkHome"]["one"]
    write_json(tuned / "settings.json", before)
    assert main(["study", "run", "quick", *where]) == 0
    told = "chosen is not known: one on DarkHome; to tune anew: motley study tune quick\n"
    assert told in capsys.readouterr().out
    assert main(["study", "run", "quick", "--arms", "borrowing", *where]) == 0
    assert told in capsys.readouterr().out
    assert main(["study", "run", "quick", "--arms", "other", *where]) == 0
    assert "not known" not in capsys.readouterr().out


def test_arms_that_were_not_tuned_are_left_out_and_named(
    tuned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At both ends of a run of the others, with the command that tunes them and no more."""
    monkeypatch.setitem(study.STUDIES, "quick", QUICK)
    monkeypatch.setattr(study, "collect", lambda *_: table.Collected(0, 0, None))
    runs = tuned.parent / "runs"
    words = ["study", "run", "quick", "--runs", str(runs), "--results", str(tuned.parent)]
    stored = read_json(tuned / "settings.json")
    del stored["chosen"]["DarkHome"]["one"]
    write_json(tuned / "settings.json", stored)
    named = "one, borrowing on DarkHome (motley study tune quick --tasks DarkHome --arms one)\n"
    assert main(words) == 3
    told = capsys.readouterr().out
    assert told.startswith(f"left out, since they were not tuned: {named}")
    assert told.count(named) == 2
    assert {path.name for path in (runs / "quick" / "DarkHome-0").iterdir()} == {"other"}
    assert main([*words, "--arms", "other"]) == 0
    assert "left out" not in capsys.readouterr().out
    assert main([*words, "--arms", "borrowing"]) == 2
    told = capsys.readouterr().err
    assert "these arms were not tuned: borrowing on DarkHome (motley study tune quick" in told


def test_a_task_at_two_levels_is_tuned_and_run(
    trained: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By trials of both, which choose settings for both."""
    monkeypatch.setattr(study, "collect", lambda *_: table.Collected(0, 0, None))
    both = replace(QUICK, tasks=(("DarkHome", 0), ("DarkHome", 1)))
    runs, results = tmp_path / "runs", tmp_path / "results"
    study.tune(both, runs, results, silent)
    assert len(list((runs / "tune").glob("DarkHome-[01]/one/*/eval.csv"))) == 4
    study.run(both, runs, results, silent)
    study.run(narrow(both, arms=("borrowing",)), runs, results, silent, both)
    for tasks in ((("DarkHome", 1),), (("DarkHome", 0), ("DarkHome", 2))):
        with pytest.raises(ConfigError, match="arm 'one' on DarkHome were chosen by other trials"):
            study.run(replace(both, tasks=tasks), runs, results, silent)


def test_folders_of_other_runs_are_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a line that says which, what differs and what to do; no process begins."""
    small = replace(SMALL, arms={"DarkHome": {"ours": OURS}}, seeds=(0, 1, 2))
    monkeypatch.setitem(study.STUDIES, "small", small)
    monkeypatch.setattr(demo, "_start", lambda process: pytest.fail("began"))
    for seed, config in enumerate((RunConfig(steps=99), *plans(small)[1:])):
        folder = tmp_path / "small" / "DarkHome-0" / "ours" / str(seed)
        folder.mkdir(parents=True)
        write_json(folder / "versions.json", {"task_hash": "0" * 16, "n_parameters": 1})
        write_json(folder / "config.json", config.to_json())
    where = ("--runs", str(tmp_path), "--results", str(tmp_path / "results"))
    assert main(["study", "run", "small", *where]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "ours/0 was begun with another configuration (" in told
    assert "steps was 99, is now 512" in told
    below = f"2 more below {tmp_path}/small: give --runs another folder, or delete all 3"
    assert below in told
    assert main(["study", "run", "small", *where, "--seeds", "1"]) == 2
    told = capsys.readouterr().err
    assert f"ours/1 was begun with another version of the task DarkHome ({'0' * 16}, now" in told
    assert "compare: give --runs another folder, or delete that one" in told


def test_a_process_that_cannot_train_says_why_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "_follow_parent", lambda: None)
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(SystemExit) as stop:
        demo._arm(RunConfig(structure="PPO", costs="reward"), tmp_path)
    assert stop.value.code == demo.REFUSED
    told = capsys.readouterr().err
    assert told.startswith(f"motley: {tmp_path} holds something that is no run")
    assert told.count("\n") == 1
    monkeypatch.setattr(demo, "run", lambda *_, **__: int("x"))
    with pytest.raises(ValueError, match="invalid literal"):  # a fault is traced
        demo._arm(RunConfig(), tmp_path)


OURS = Arm("uniform", "reward", 512, tuned=False)
PEER = Arm("PPO", "reward", 512, n_envs=8, tuned=False, settings={"n_steps": 64})


def test_stored_rows_of_runs_that_are_elsewhere_stay(tmp_path: Path) -> None:
    """As long as the study would make the same runs, be they ours or another's."""
    small = replace(SMALL, arms={"DarkHome": {"ours": OURS, "peer": PEER}}, seeds=(0, 1))
    runs, others, results = tmp_path / "runs", tmp_path / "others", tmp_path / "results"
    one, other = (narrow(small, seeds=(seed,)) for seed in (1, 0))
    assert study.run(one, runs, results, silent, small) == (0, 0, None)
    ones = (results / "curves.csv").read_text().splitlines()[1:]
    assert {row.split(",")[CONDITION.index("seed")] for row in ones} == {"1"}
    assert study.run(other, others, results, silent, small) == (2, 0, None)
    whole = (results / "curves.csv").read_text()
    assert set(ones) < set(whole.splitlines())

    nowhere = tmp_path / "nowhere"
    assert study.collect(small, nowhere, results) == (4, 0, None)
    assert (results / "curves.csv").read_text() == whole
    half = nowhere / "DarkHome-0" / "ours" / "0"
    shutil.copytree(others / "DarkHome-0" / "ours" / "0", half)
    header, first, *_ = (half / "eval.csv").read_text().splitlines()
    (half / "eval.csv").write_text(f"{header}\n{first}\n")
    (half / "done").unlink()
    # A run that has just begun takes no place.
    assert study.collect(small, nowhere, results) == (4, 0, None)
    assert (results / "curves.csv").read_text() == whole

    changes: tuple[dict[str, Any], ...] = (
        {"prior": "exact"},
        {"steps": 1024},
        {"settings": {"budget": 30_000}},
    )
    for changed in changes:
        arms = {"DarkHome": {"ours": replace(OURS, **changed), "peer": PEER}}
        again = tmp_path / next(iter(changed))
        shutil.copytree(results, again)
        aside = again / "left_out.csv"
        found = study.collect(replace(small, arms=arms), tmp_path / "nothing", again)
        assert found == (2, 0, aside)
        left = {row for row in whole.splitlines() if not row.startswith("peer,")}
        assert {row.rpartition(",")[0] for row in aside.read_text().splitlines()} == left
        assert {row[: row.index(",")] for row in (again / "curves.csv").read_text().split()} == {
            "arm", "peer",
        }  # fmt: skip

    (results / "curves.csv").write_text("arm,seed\nours,0\n")
    with pytest.raises(ConfigError, match="has not the columns of a study's table; move it away"):
        study.run(small, runs, results, silent)


def test_a_table_without_settings_loses_nothing(tmp_path: Path) -> None:
    """What was tuned elsewhere cannot be compared, and is left alone."""
    name = ",".join(COLUMNS)
    row = ["uniform", "DarkHome", "0", "uniform", "", "reward", "matched", "constant", "backprop"]
    row += ["", "0", "40000", "512", *("0.5" for _ in MEASURED), "1"]
    (tmp_path / "curves.csv").write_text(f"{name}\n{','.join(row)}\n")
    study.collect(SMALL, tmp_path / "runs", tmp_path)
    assert (tmp_path / "curves.csv").read_text() == f"{name}\n{','.join(row)}\n"


def test_every_arm_is_tried_with_the_same_draws() -> None:
    draws = spine.SPINE.draws()
    assert draws == spine.SPINE.draws()
    assert len(draws) == spine.SPINE.trials
    assert len({tuple(draw.items()) for draw in draws}) == len(draws)


def test_a_studys_command_brings_its_plugins() -> None:
    own = replace(SMALL, name="mine", imports=("motley.studies.known_room", "my_tasks"))
    assert own.command("tune") == "motley study tune mine --import my_tasks"


def test_tuning_on_own_seeds_is_refused() -> None:
    with pytest.raises(ValueError, match="tune on its own seeds"):
        replace(SMALL, tuning_seeds=(0,))


def test_shipped_studies_can_be_configured() -> None:
    for entry in study.STUDIES.values():
        for task, level, _, arm in entry.cells():
            settings = entry.draws()[0] if arm.tuned else {}
            config = entry.config(task, level, arm, 0, **settings)
            (peers.check if arm.structure in peers.PEERS else check)(config)


def test_a_part_of_a_study() -> None:
    part = narrow(spine.SPINE, ("DarkHome",), ("matched",))
    assert [(task, arm) for task, _, arm, _ in part.cells()] == [("DarkHome", "matched")]
    assert narrow(spine.SPINE, seeds=(1, 3)).seeds == (1, 3)
    with pytest.raises(ConfigError, match="no seed 7; it has 0, 1, 2, 3, 4"):
        narrow(spine.SPINE, seeds=(7,))
    with pytest.raises(ConfigError, match="no arm 'machted'"):
        narrow(spine.SPINE, arms=("machted",))
