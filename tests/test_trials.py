"""Trials of a tuning: an arm that hardly ever left chance was not tuned."""

from __future__ import annotations

from pathlib import Path

import pytest

from motley.envs.tasks import TASKS
from motley.scripts.main import main
from motley.studies import study, table, trials
from motley.studies.folder import write_csv, write_json
from motley.studies.study import Arm, Study

ARM = Arm("uniform", "reward", 512)
TRIED = Study(
    name="tried",
    claim="That some left chance.",
    tasks=(("DarkHome", 2),),
    arms={
        "DarkHome": {
            "often": ARM,
            "seldom": ARM,
            "borrowing": Arm("uniform", "reward", 512, tuned_as="seldom"),
            "plain": Arm("uniform", "reward", 512, tuned=False),
        }
    },
    seeds=(0,),
)


def test_fewer_than_one_trial_in_four_above_chance_is_untuned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "tried"
    assert trials.untuned(results, TRIED.tasks) == set()
    chance = trials.chance(TASKS["DarkHome"](2))
    assert chance is not None
    assert chance == pytest.approx(0.1, abs=0.01)
    above, below = chance + 0.12, chance + 0.08
    tried = {"often": [above, *[below] * 3], "seldom": [above, *[below] * 4]}
    rows = [
        ["DarkHome", arm, trial, seed, f"{score + shift:.4f}"]
        for arm, scores in tried.items()
        for trial, score in enumerate(scores)
        for seed, shift in ((100, 0.3), (101, -0.3))  # their mean counts
    ]
    results.mkdir()
    write_csv(
        results / "tuning.csv", trials.COLUMNS, [*rows, ["CartPole-v1", "often", 0, 100, "0.0"]]
    )
    tasks = (*TRIED.tasks, ("CartPole-v1", None))  # of which no chance is known
    assert trials.untuned(results, tasks) == {("DarkHome", "seldom")}
    monkeypatch.setattr(trials, "chance", lambda rules: chance + 0.06 * (rules.level - 2))
    # Of several levels the mean counts.
    tasks = (("DarkHome", 1), ("DarkHome", 3))
    assert trials.untuned(results, tasks) == {("DarkHome", "seldom")}
    assert trials.untuned(results, (("DarkHome", 1),)) == set()
    assert len(trials.untuned(results, (("DarkHome", 3),))) == 2
    monkeypatch.undo()

    lines = []
    for arm in TRIED.arms["DarkHome"]:
        found = dict.fromkeys(table.COLUMNS, "0") | {"task": "DarkHome", "level": "2", "arm": arm}
        lines.append([*found.values()])
    write_csv(results / "curves.csv", table.COLUMNS, lines)
    monkeypatch.setitem(study.STUDIES, "tried", TRIED)
    assert main(["study", "table", "tried", "--results", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "at the stop" not in said
    for arm in ("often", "plain"):
        assert f"{arm}  " in said
        assert f"{arm}, trials chose nothing" not in said
    for arm in ("seldom", "borrowing"):
        assert f"{arm}, trials chose nothing  " in said
    assert "trials chose nothing: fewer than one in four of those that the arm's settings" in said
    # Trials of a task that has changed since tell nothing of this one; of some it is not known.
    settings = {"draws": [], "chosen": {}, "trials": {"DarkHome": {"seldom": "of another"}}}
    write_json(results / "settings.json", settings)
    assert main(["study", "table", "tried", "--results", str(tmp_path)]) == 0
    assert "chose nothing" not in capsys.readouterr().out
    write_json(results / "settings.json", settings | {"trials": {}})
    assert main(["study", "table", "tried", "--results", str(tmp_path)]) == 0
    assert "seldom, trials chose nothing" in capsys.readouterr().out
