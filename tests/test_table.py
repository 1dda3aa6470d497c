"""The stored table of a study: no row is lost, and none is taken for another run's."""

from __future__ import annotations

import csv
import threading
from collections.abc import Collection
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motley.envs import calibration
from motley.scripts.study import narrow
from motley.studies import study, table, versions
from motley.studies.config import ConfigError, RunConfig, build_agent
from motley.studies.evaluate import EVAL
from motley.studies.folder import locked, read_csv, read_json, write_csv, write_json
from motley.studies.peers import PEERS
from motley.studies.study import Arm, Study

ARM = Arm("uniform", "reward", 512, tuned=False, settings={"n_steps": 8})
STUDY = Study(
    name="stored",
    claim="That nothing is lost.",
    tasks=(("DarkHome", 0), ("DarkHome", 1)),
    arms={"DarkHome": {"one": ARM, "other": replace(ARM, costs="reward+entropy")}},
    seeds=(0, 1),
)
CHANGED = replace(STUDY, arms={"DarkHome": {"one": replace(ARM, prior="exact"), "other": ARM}})


@cache
def size(task: str, structure: str) -> int:
    """How many parameters the agents here have; a peer has 5,000."""
    if structure in PEERS:
        return 5_000
    agent = build_agent(RunConfig(task, structure=structure, costs="reward", n_envs=1))
    return agent.n_parameters


def begin(config: RunConfig, folder: Path, score: float, steps: tuple[int, ...]) -> None:
    """Leave a run folder as if it had been trained so far."""
    folder.mkdir(parents=True)
    write_json(folder / "config.json", config.to_json())
    write_json(
        folder / "versions.json", versions.of_run(config, size(config.task, config.structure))
    )
    write_csv(folder / "eval.csv", EVAL, [[x, *(score * (x > 0) for _ in EVAL[1:])] for x in steps])


def train(entry: Study, runs: Path, score: float = 0.5, steps: tuple[int, ...] = (0, 512)) -> None:
    """Leave the run folders of a study."""
    for seed in entry.seeds:
        for task, level, name, arm in entry.cells():
            folder = runs / f"{task}-{level}" / name / str(seed)
            begin(entry.config(task, level, arm, seed), folder, score, steps)


def lines(results: Path, name: str = "curves.csv") -> list[list[str]]:
    """The rows of a table, without its header."""
    with (results / name).open(newline="") as file:
        _, *rows = csv.reader(file)
    return rows


def test_a_folder_of_another_configuration_is_not_taken_for_the_studys(tmp_path: Path) -> None:
    """Nor one whose task has changed, nor what is no run at all."""
    runs, results = tmp_path / "runs", tmp_path / "results"
    train(narrow(STUDY, arms=("one",)), runs)
    train(narrow(CHANGED, arms=("other",)), runs)
    changed = runs / "DarkHome-0" / "one"
    facts = read_json(changed / "0" / "versions.json")
    write_json(changed / "0" / "versions.json", facts | {"task_hash": "another"})
    (changed / "1" / "config.json").unlink()
    assert study.collect(STUDY, runs, results) == (0, 6, None)
    assert {(row[0], row[2]) for row in lines(results)} == {("one", "1")}


def test_killed_between_any_two_files_no_row_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, results = tmp_path / "runs", tmp_path / "results"
    train(narrow(STUDY, arms=("one",)), runs)
    study.collect(STUDY, runs, results)
    whole = lines(results)
    train(narrow(CHANGED, arms=("one",)), tmp_path / "again", 0.7)

    written: list[str] = []

    def killed(writing: Any, at: str) -> Any:
        def write(path: Path, *content: Any) -> None:
            if path.name == at:
                raise KeyboardInterrupt
            writing(path, *content)
            written.append(path.name)

        return write

    for at in ("curves.csv", "runs.json"):
        with monkeypatch.context() as patch:
            patch.setattr(table, "write_csv", killed(write_csv, at))
            patch.setattr(table, "write_json", killed(write_json, at))
            with pytest.raises(KeyboardInterrupt):
                study.collect(CHANGED, tmp_path / "again", results)
        assert [row[:-1] for row in lines(results, "left_out.csv")] == whole
    assert written == ["left_out.csv", "curves.csv"]
    # The new rows, whose hash was not stored, are not taken for an older run's.
    assert study.collect(CHANGED, tmp_path / "again", results) == (0, 0, None)
    assert len(lines(results)) == len(lines(results, "left_out.csv")) == len(whole)
    assert study.collect(CHANGED, tmp_path / "nowhere", results) == (4, 0, None)


def test_what_is_left_out_twice_is_there_twice(tmp_path: Path) -> None:
    """Evaluations before training are alike in all runs, and each run keeps its own."""
    results, aside = tmp_path / "results", tmp_path / "results" / "left_out.csv"
    part = narrow(STUDY, ("DarkHome",), ("one",), (0,))
    marks = list[str]()
    for rate in (1e-3, 2e-3, 3e-3):  # which no column says
        arms = {"DarkHome": {"one": replace(ARM, settings={"learning_rate": rate})}}
        entry = replace(part, tasks=part.tasks[:1], arms=arms)
        train(entry, tmp_path / str(rate), 100 * rate)
        found = study.collect(entry, tmp_path / str(rate), results)
        assert found == (0, 0, aside if marks else None)
        marks += table.read(results).marks.values()
    rows = lines(results, "left_out.csv")
    assert [row[-1] for row in rows] == [marks[0], marks[0], marks[1], marks[1]]
    assert [row[table.COLUMNS.index("steps")] for row in rows] == ["0", "512"] * 2
    arms_gone = replace(part, tasks=(("DarkHome", 1),))
    assert study.collect(arms_gone, tmp_path / "nowhere", results).aside == aside
    assert [row[-1] for row in lines(results, "left_out.csv")][4:] == [marks[2], marks[2]]


def test_the_source_of_a_run_stays_with_its_rows(tmp_path: Path) -> None:
    """From its folder, and after that from the table; of older ones it is not known."""
    runs, results = tmp_path / "runs", tmp_path / "results"
    part = replace(narrow(STUDY, arms=("one",)), tasks=(("DarkHome", 0),))
    train(part, runs)
    file = runs / "DarkHome-0" / "one" / "0" / "versions.json"
    write_json(file, read_json(file) | {"git": "abc+"})
    write_json(file.parents[1] / "1" / file.name, read_json(file) | {"git": None})
    for place in (runs, tmp_path / "nowhere"):
        study.collect(part, place, results)
        assert table.read(results).commits == {"DarkHome-0/one/0": "abc+"}
    marks = table.read(results).marks
    write_json(results / "runs.json", marks)
    study.collect(part, tmp_path / "nowhere", results)
    assert table.read(results) == (table.read(results).rows, marks, [], {})


def test_an_arm_that_cannot_be_built_here_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package may be missing; and what was never run is not built."""
    runs, results = tmp_path / "runs", tmp_path / "results"
    train(narrow(STUDY, arms=("one",)), runs)
    study.collect(STUDY, runs, results)
    before = (results / "curves.csv").read_text(), (results / "runs.json").read_text()

    def missing(config: RunConfig) -> Any:
        assert config.costs == "reward", "the other arm was never run"
        if config.level == 0:
            raise ModuleNotFoundError("minigrid")
        return build_agent(config)

    monkeypatch.setattr("motley.studies.table.build_agent", missing)
    assert study.collect(STUDY, tmp_path / "nowhere", results) == (4, 0, None)
    assert study.collect(STUDY, runs, results) == (2, 2, None)
    assert before == ((results / "curves.csv").read_text(), (results / "runs.json").read_text())


def test_one_collects_after_the_other(tmp_path: Path) -> None:
    """Two parts of a study that end at once would else forget each other's rows."""
    results = tmp_path / "results"
    results.mkdir()
    # There is nothing to collect, which takes no time.
    other = threading.Thread(target=study.collect, args=(STUDY, tmp_path / "runs", results))
    with locked(results):
        other.start()
        other.join(1.0)
        assert other.is_alive()
        assert not (results / "curves.csv").exists()
    other.join()
    assert lines(results) == []


def test_levels_are_summarised_apart(tmp_path: Path) -> None:
    runs, results = tmp_path / "runs", tmp_path / "results"
    train(narrow(STUDY, arms=("one",)), runs)
    study.collect(STUDY, runs, results)
    rows = list(table.summary(table.read(results).rows))
    assert [row[:3] for row in rows] == [
        ("DarkHome level 0", "one", "0 of 2"), ("DarkHome level 1", "one", "0 of 2"),
    ]  # fmt: skip


def test_the_hash_of_a_run_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored rows are known by it: a further setting of a run must not change it for old runs."""
    monkeypatch.setattr(RunConfig, "task_hash", "0123456789abcdef")
    config = STUDY.config("DarkHome", 0, ARM, 3)
    plan = table.Planned("one", "DarkHome", 0, 3, "learnt", "", config)
    learners = {plan.place: table.Learnt("uniform", 40_000, 3)}
    assert table.mark_of(plan, learners) == "b1d783859bdaa0ba"


@pytest.mark.filterwarnings("ignore:PlayRoom has no calibration")
@pytest.mark.parametrize(
    ("id", "changed"),
    [
        ("exploration/PlayRoom-v0", "motley.studies.measured"),
        ("exploration/PlayRoom-v0", "motley.envs.tasks.play_room"),
        ("parity/CartPole-v1", "motley.studies.scored"),
        ("parity/CartPole-v1", "gymnasium.envs.classic_control.cartpole"),
    ],
)
def test_a_changed_wrapper_or_task_within_changes_the_hash(
    id: str, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing else does: a study that says more of itself keeps its runs."""
    code = calibration.code

    def edit(edited: str) -> str:
        def changed_code(name: str, *without: Collection[str]) -> str:
            return code(name, *without) + "#" * (name == edited)

        versions.environment.cache_clear()
        calibration._digest.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(calibration, "code", changed_code)
            found = versions.environment(id)
        versions.environment.cache_clear()
        calibration._digest.cache_clear()
        return found

    plain = versions.environment(id)
    assert edit(changed) != plain
    assert edit("motley.studies.exploration") == edit("motley.envs.single") == plain
    assert edit("gymnasium.wrappers.common") == plain


def test_runs_in_a_changed_environment_leave_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ours and of peers alike."""
    peer = Arm("PPO", "reward", 512, n_envs=2, tuned=False)
    name = "parity/CartPole-v1"
    arms = {name: {"ours": replace(ARM, n_envs=2), "peer": peer}}
    entry = replace(STUDY, tasks=((name, None),), arms=arms)
    for task, level, arm, what in entry.cells():
        folder = tmp_path / "runs" / task / arm / "0"
        begin(entry.config(task, level, what, 0), folder, 0.5, (0, 512))
        write_json(folder / "done", {"n_parameters": 5_000, "n_epochs": 2})
    assert study.collect(entry, tmp_path / "runs", tmp_path) == (0, 0, None)
    assert study.collect(entry, tmp_path / "nowhere", tmp_path) == (2, 0, None)
    stored = lines(tmp_path)
    monkeypatch.setattr(versions, "environment", lambda id: "another")
    # Nor do their folders bring them back.
    assert study.collect(entry, tmp_path / "runs", tmp_path) == (0, 2, tmp_path / "left_out.csv")
    assert lines(tmp_path) == []
    assert [row[:-1] for row in lines(tmp_path, "left_out.csv")] == stored


def test_a_folder_of_another_learner_is_not_taken_for_the_studys(tmp_path: Path) -> None:
    part = narrow(STUDY, arms=("one",), seeds=(0,))
    train(part, tmp_path / "runs")
    file = tmp_path / "runs" / "DarkHome-1" / "one" / "0" / "versions.json"
    write_json(file, read_json(file) | {"n_parameters": 7})
    assert study.collect(part, tmp_path / "runs", tmp_path) == (0, 1, None)
    assert {row[2] for row in lines(tmp_path)} == {"0"}


def test_rows_of_a_run_made_again_are_left_out(tmp_path: Path) -> None:
    """What costs and learner compute is not in the hash: they may have changed."""
    part = narrow(STUDY, arms=("one",), seeds=(0,))
    train(part, tmp_path / "runs", 0.9)
    study.collect(part, tmp_path / "runs", tmp_path)
    stored = lines(tmp_path)
    train(part, tmp_path / "longer", 0.9, (0, 512, 1024))
    assert study.collect(part, tmp_path / "longer", tmp_path) == (0, 0, None)
    assert [row for row in lines(tmp_path) if row in stored] == stored
    train(part, tmp_path / "again", 0.1, (0, 512, 1024))
    assert study.collect(part, tmp_path / "again", tmp_path).aside is not None
    assert all(row in [r[:-1] for r in lines(tmp_path, "left_out.csv")] for row in stored)


def test_a_run_made_again_to_the_same_numbers_changes_no_file(tmp_path: Path) -> None:
    """However long it took this time; one that has come further is the new one, seconds and all."""
    part = narrow(STUDY, arms=("one",), seeds=(0,))
    train(part, tmp_path / "runs")
    study.collect(part, tmp_path / "runs", tmp_path)
    before, stored = (tmp_path / "curves.csv").read_bytes(), lines(tmp_path)
    for runs, steps in (("again", (0, 512)), ("longer", (0, 512, 1024))):
        train(part, tmp_path / runs, steps=steps)
        for file in (tmp_path / runs).glob("*/*/*/eval.csv"):
            columns = read_csv(file) | {"wall_s": np.full(len(steps), 77.0)}
            write_csv(file, EVAL, np.stack([columns[name] for name in EVAL], 1).tolist())
        assert study.collect(part, tmp_path / runs, tmp_path) == (0, 0, None)
        if runs == "again":
            assert (tmp_path / "curves.csv").read_bytes() == before
    wall = table.COLUMNS.index("wall_s")
    assert {row[wall] for row in lines(tmp_path)} == {"77.0"}
    assert len(lines(tmp_path)) == 3 * len(stored) // 2


def test_a_run_made_again_that_is_over_sooner_takes_the_place_of_a_longer_one(
    tmp_path: Path,
) -> None:
    part = narrow(STUDY, arms=("one",), seeds=(0,))
    train(part, tmp_path / "runs", 0.5, (0, 512, 1024))
    study.collect(part, tmp_path / "runs", tmp_path)
    stored = lines(tmp_path)
    train(part, tmp_path / "again", 0.9, (0, 512))
    assert study.collect(part, tmp_path / "again", tmp_path).kept == 2  # it may yet go on
    for folder in (tmp_path / "again").glob("*/*/*"):
        write_json(folder / "done", {})
    assert study.collect(part, tmp_path / "again", tmp_path).kept == 0
    steps = table.COLUMNS.index("steps")
    assert [row[steps] for row in lines(tmp_path)] == ["0", "512"] * 2
    assert [row[:-1] for row in lines(tmp_path, "left_out.csv")] == stored


def test_a_finished_run_of_another_kind_takes_no_place(tmp_path: Path) -> None:
    """Its folder lies where a stored run's would: results came from elsewhere, runs are old."""
    part = narrow(STUDY, arms=("one",), seeds=(0,))
    train(part, tmp_path / "runs", 0.5, (0, 512))
    study.collect(part, tmp_path / "runs", tmp_path)
    stored = lines(tmp_path)
    old = replace(part, eval_every=part.eval_every + 1)
    train(old, tmp_path / "old", 0.9, (0, 512))
    for folder in (tmp_path / "old").glob("*/*/*"):
        write_json(folder / "done", {})
    assert study.collect(part, tmp_path / "old", tmp_path) == (2, 2, None)
    assert lines(tmp_path) == stored


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"score01": "0,5x"}, "line 3 of .* has '0,5x' as score01, which is not a number: mend"),
        ({"steps": "512.5"}, "line 3 of .* has '512.5' as steps, which is not a whole number"),
        ({"level": "two"}, "line 3 of .* has 'two' as level, which is not a whole number"),
    ],
)
def test_a_cell_that_is_no_number_is_located(
    change: dict[str, str], said: str, tmp_path: Path
) -> None:
    row = dict.fromkeys(table.COLUMNS, "0")
    write_csv(tmp_path / "curves.csv", table.COLUMNS, [[*row.values()], [*(row | change).values()]])
    with pytest.raises(ConfigError, match=said):
        table.read(tmp_path)


def test_a_line_that_is_too_short_is_located(tmp_path: Path) -> None:
    row = ["0"] * len(table.COLUMNS)
    write_csv(tmp_path / "curves.csv", table.COLUMNS, [row, row[1:]])
    with pytest.raises(ConfigError, match=r"line 3 of .* has \d+ values, not \d+: mend it"):
        table.read(tmp_path)
