"""Verdicts on tables written by hand: predicted sizes, refuters, Holm's correction, hashes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motley.envs import calibration
from motley.envs.tasks import TASKS
from motley.scripts.main import main
from motley.scripts.study import SHIPPED
from motley.studies import study, table
from motley.studies.folder import read_json, write_csv, write_json
from motley.studies.study import Arm, Contrast, Study
from motley.studies.verdict import verdict

ARM = Arm("uniform", "reward", 512, tuned=False)
MORE = Contrast("strong", "plain", 0.0, "more", refuter="the strong arm ends lower")
ASKS = Study(
    name="asks",
    claim="That some arm ends higher.",
    tasks=(("DarkHome", 0),),
    arms={"DarkHome": dict.fromkeys(("strong", "weak", "never_run", "plain"), ARM)},
    seeds=tuple(range(10)),
    contrasts=(
        MORE,
        replace(MORE, first="weak", refuter=""),
        replace(MORE, first="never_run", refuter=""),
        replace(MORE, margin=0.5, kind="at most"),
    ),
)
SPREAD = np.linspace(-0.1, 0.1, 10)
SCORES = {"strong": 0.3 + SPREAD, "weak": 0.058 + SPREAD, "plain": SPREAD}


def store(results: Path, scores: dict[str, Any], last: int = 512) -> None:
    """Write a table with two evaluations a run."""
    rows = []
    for arm, ends in scores.items():
        for seed, end in enumerate(ends):
            found = dict.fromkeys(table.COLUMNS, "0")
            found |= {"arm": arm, "task": "DarkHome", "level": "0", "seed": str(seed)}
            for steps, score in ((0, 0.0), (last, end)):
                measured = dict.fromkeys(table.MEASURED, str(score))
                rows.append([*(found | measured | {"steps": str(steps)}).values()])
    results.mkdir(parents=True, exist_ok=True)
    write_csv(results / "curves.csv", table.COLUMNS, rows)


def test_a_later_round_is_a_family_of_its_own(tmp_path: Path) -> None:
    store(tmp_path, SCORES)
    first, late, never, _ = ASKS.contrasts
    rounds = replace(ASKS, round=2, contrasts=(first, replace(late, round=2), never))
    strong, weak, _ = verdict(rounds, tmp_path)
    assert strong["p_holm"] == pytest.approx(2 * strong["p"])
    assert weak["p_holm"] == weak["p"]
    assert [answer["round"] for answer in (strong, weak)] == [1, 2]
    with pytest.raises(ValueError, match="round 3 of a study in its round 2"):
        replace(rounds, contrasts=(replace(late, round=3),))


def test_the_same_verdict_leaves_its_file_alone(tmp_path: Path) -> None:
    """As it was written, and when; another verdict, or what is no verdict, is written over."""
    store(tmp_path, SCORES)
    verdict(ASKS, tmp_path)
    path = tmp_path / "verdict.json"
    whole = path.read_text()
    path.write_text(whole.replace("\n", "\r\n"))
    os.utime(path, ns=(1, 1))
    verdict(ASKS, tmp_path)
    assert path.stat().st_mtime_ns == 1
    assert b"\r\n" in path.read_bytes()
    for other in (whole.replace('"asks"', '"else"'), "{"):
        path.write_text(other)
        verdict(ASKS, tmp_path)
        assert path.read_text() == whole


def test_what_is_supported_alone_may_not_be_among_several(tmp_path: Path) -> None:
    """The family is what was asked, so that a contrast whose runs are missing counts as well."""
    store(tmp_path, SCORES)
    strong, weak, never, other = verdict(ASKS, tmp_path)
    assert (strong["verdict"], strong["verdict_holm"]) == ("supported", "supported")
    assert (weak["verdict"], weak["verdict_holm"]) == ("supported", "inconclusive")
    assert 0.025 < weak["p"] < 0.05
    assert weak["p_holm"] == pytest.approx(2 * weak["p"])
    assert strong["p_holm"] == pytest.approx(3 * strong["p"])
    assert (never["verdict"], never["verdict_holm"]) == (None, None)
    assert (never["p"], never["p_holm"]) == (None, 1.0)
    assert (other["verdict"], other["p"], other["verdict_holm"]) == ("supported", None, None)
    store(tmp_path, SCORES | {"strong": SPREAD - 0.5})
    strong, *_ = verdict(ASKS, tmp_path)
    assert (strong["verdict"], strong["verdict_holm"]) == ("refuted", "refuted")


def test_arms_that_are_alike_support_nothing(tmp_path: Path) -> None:
    store(tmp_path, dict.fromkeys(SCORES, SPREAD))
    answers = verdict(replace(ASKS, contrasts=ASKS.contrasts[:3]), tmp_path)
    assert [answer["verdict"] for answer in answers] == ["inconclusive", "inconclusive", None]


def test_a_predicted_size_has_to_be_reached(tmp_path: Path) -> None:
    store(tmp_path, SCORES)
    for predicted, said in ((None, "supported"), (0.2, "supported"), (0.4, "inconclusive")):
        asked = replace(ASKS, contrasts=(replace(MORE, predicts=predicted),))
        [found] = verdict(asked, tmp_path)
        assert (found["predicts"], found["verdict"]) == (predicted, said)
    for wrong in (replace(MORE, kind="at least"), replace(MORE, margin=0.3)):
        with pytest.raises(ValueError, match="predicts a size"):
            replace(wrong, predicts=0.2)


def test_the_verdict_says_what_was_judged(tmp_path: Path) -> None:
    def judged() -> dict[str, Any]:
        verdict(ASKS, tmp_path)
        return read_json(tmp_path / "verdict.json")

    store(tmp_path, SCORES)
    first = judged()
    assert first["task_hashes"] == {"DarkHome": calibration.task_hash(TASKS["DarkHome"])}
    store(tmp_path, dict(reversed(SCORES.items())))
    assert judged()["table_hash"] == first["table_hash"]  # whatever the order
    store(tmp_path, SCORES | {"weak": SPREAD})
    assert judged()["table_hash"] != first["table_hash"]


def test_runs_of_an_arm_that_was_changed_since_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path / "asks", SCORES)
    marks = {
        plan.key: table.mark_of(plan, {}) for plan in study.planned(ASKS, tmp_path) if plan.seed < 3
    }
    write_json(tmp_path / "asks" / "runs.json", marks)
    assert verdict(ASKS, tmp_path / "asks")[0]["seeds"] == [10, 10]
    harder = replace(ARM, steps=1024)
    after = replace(ASKS, arms={"DarkHome": dict(ASKS.arms["DarkHome"]) | {"strong": harder}})
    store(tmp_path / "asks", SCORES, last=1024)
    first, second, *_ = verdict(after, tmp_path / "asks")
    assert (first["seeds"], first["verdict"]) == ([7, 10], "inconclusive")
    assert second["seeds"] == [10, 10]
    changed = [f"DarkHome-0/strong/{seed}" for seed in range(3)]
    assert read_json(tmp_path / "asks" / "verdict.json")["changed_runs"] == changed
    monkeypatch.setitem(study.STUDIES, "asks", after)
    assert main(["study", "verdict", "asks", "--results", str(tmp_path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "has them no more: 3, of DarkHome-0/strong;" in said
    fewer = replace(ASKS, seeds=tuple(range(9)))
    store(tmp_path / "asks", SCORES)
    assert verdict(fewer, tmp_path / "asks")[0]["seeds"] == [9, 9]
    changed = [f"DarkHome-0/{arm}/9" for arm in sorted(SCORES)]
    assert read_json(tmp_path / "asks" / "verdict.json")["changed_runs"] == changed


def test_the_command_says_what_was_predicted_and_what_refutes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = replace(ASKS, contrasts=(replace(MORE, predicts=0.1), *ASKS.contrasts[1:]))
    monkeypatch.setitem(study.STUDIES, "asks", asked)
    store(tmp_path / "asks", SCORES)
    assert main(["study", "verdict", "asks", "--results", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    what = "plain in score01 over the last 25% of training (margin 0.0):"
    assert f"strong > {what} supported (with Holm's correction supported)" in said
    assert f"weak > {what} supported (with Holm's correction inconclusive)" in said
    assert "  predicted: +0.100 or more\n  refuted if: the strong arm ends lower\n" in said
    assert said.count("refuted if") == 2
    assert f"never_run > {what} no verdict, no runs of never_run\n" in said
    stored = read_json(tmp_path / "asks" / "verdict.json")["verdicts"]
    assert [x["verdict"] for x in stored if x["first"] == "never_run"] == [None]


def test_the_table_has_what_contrasts_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not when it was solved, where score01 is no score; nor what was changed since."""
    sampled = replace(MORE, margin=0.05, measure="score01_sampled", last=1.0)
    asked = replace(
        ASKS, scored=False, contrasts=(sampled, replace(sampled, first="weak", second="strong"))
    )
    monkeypatch.setitem(study.STUDIES, "asks", asked)
    strong = np.array([0.9] * 4 + [0.5] * 6)
    store(tmp_path / "asks", {"strong": strong, "plain": 0.7 + SPREAD, "weak": 0.66 + SPREAD / 100})

    def said() -> str:
        capsys.readouterr()
        assert main(["study", "table", "asks", "--results", str(tmp_path)]) == 0
        return " ".join(capsys.readouterr().out.split())

    text = said()
    assert "solved" not in text
    assert "score01_sampled over all of training: task arm runs mean SD" in text
    where = "DarkHome level 0"
    assert f"{where} strong 10 0.66 0.21 4 above plain by more than 0.05, 6 below {where}" in text
    assert f"{where} weak 10 0.66 0.00 0 above strong by more than 0.05, 0 below" in text
    assert f"{where} plain 10 0.70 0.07 what the study asks" in text
    write_json(tmp_path / "asks" / "runs.json", {"DarkHome-0/strong/0": "another"})
    text = said()
    assert f"{where} strong 9 0.63 0.20 3 above" in text
    assert "has them no more: 1, of DarkHome-0/strong;" in text


FASTER = Contrast("strong", "plain", 1.5, "faster", predicts=2.0, refuter="it takes as long")


def solving(at: float, spread: float = 0.3, runs: int = 10, budget: int = 400) -> list[list[float]]:
    """score01 at each of forty evaluations of runs that solve their task near a step."""
    steps = np.arange(0, budget + 1, 10)
    each = at * np.exp(spread * np.linspace(-1, 1, runs))
    return [(steps >= when).astype(float).tolist() for when in each]


def store_curves(results: Path, curves: dict[str, list[list[float]]]) -> None:
    """Write a table of whole curves, an evaluation every ten steps."""
    rows = []
    for arm, runs in curves.items():
        for seed, scores in enumerate(runs):
            found = dict.fromkeys(table.COLUMNS, "0")
            found |= {"arm": arm, "task": "DarkHome", "level": "0", "seed": str(seed)}
            for k, score in enumerate(scores):
                measured = dict.fromkeys(table.MEASURED, str(score))
                rows.append([*(found | measured | {"steps": str(10 * k)}).values()])
    results.mkdir(exist_ok=True)
    write_csv(results / "curves.csv", table.COLUMNS, rows)


@pytest.mark.parametrize(
    ("strong", "plain", "said"),
    [
        (solving(50), solving(200), "supported"),
        (solving(50), solving(90), "inconclusive"),  # less than predicted
        (solving(50), solving(50), "refuted"),
        (solving(50), solving(9_999), "supported"),
        (solving(300, 0.1), solving(9_999), "inconclusive"),  # in 400 steps 2 times is not seen
        (solving(300, 0.1), solving(395, 0.3), "inconclusive"),
        (solving(9_999), solving(50), "refuted"),
        (solving(9_999), solving(9_999), "inconclusive"),
        (solving(50, runs=9), solving(200), "inconclusive"),
    ],
)
def test_how_much_faster(
    strong: list[list[float]], plain: list[list[float]], said: str, tmp_path: Path
) -> None:
    arms = dict.fromkeys(("strong", "plain"), replace(ARM, steps=400))
    asks = replace(ASKS, contrasts=(FASTER,), arms={"DarkHome": arms})
    store_curves(tmp_path, {"strong": strong, "plain": plain})
    [found] = verdict(asks, tmp_path)
    assert found["verdict"] == said
    assert found["budgets"] == [400, 400]
    unsolved = [all(run[-1] == 0 for run in runs) for runs in (strong, plain)]
    assert [n == 0 for n in found["solved"]] == unsolved
    assert [steps is None for steps in found["median_steps"]] == [
        sum(run[-1] == 0 for run in runs) > 5 for runs in (strong, plain)
    ]


def test_the_command_says_how_much_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = dict.fromkeys(("strong", "plain"), replace(ARM, steps=400))
    asks = replace(ASKS, contrasts=(FASTER,), arms={"DarkHome": arms})
    monkeypatch.setitem(study.STUDIES, "asks", asks)
    for plain, words in (
        (
            solving(200),
            "evaluations: 4.06 (3.44 to 4.80), solved by 10 of 10 and 10 of 10 runs\n",
        ),
        (
            solving(9_999),
            "10 of 10 and 0 of 10 runs; plain never solved it in 400 steps, which bounds",
        ),
    ):
        store_curves(tmp_path / "asks", {"strong": solving(50), "plain": plain})
        assert main(["study", "verdict", "asks", "--results", str(tmp_path)]) == 0
        said = capsys.readouterr().out
        assert "strong faster than plain in steps to solved (margin 1.5): supported" in said
        assert words in said
        assert "predicted: 2 times or more" in said


@pytest.mark.parametrize(
    ("third", "fourth", "said"),
    [
        (solving(100, 0.2), solving(110, 0.2), "supported"),  # 4 times, over 1.1 times
        (solving(90, 0.2), solving(170, 0.2), "inconclusive"),  # above 1, but less than predicted
        (solving(50, 0.2), solving(200, 0.2), "refuted"),  # it adds up
        (solving(100, 0.2), solving(9_999), "inconclusive"),
        (solving(100, 0.2), solving(110, 0.2, runs=9), "inconclusive"),
    ],
)
def test_whether_two_help_each_other(
    third: list[list[float]],
    fourth: list[list[float]],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ("both", "costs", "structure", "neither")
    arms = dict.fromkeys(names, replace(ARM, steps=400))
    asked = Contrast("both", "costs", 1.5, "faster", beside=names[2:], predicts=2.5)
    asks = replace(ASKS, name="asks", contrasts=(asked,), arms={"DarkHome": arms})
    runs = (solving(50, 0.2), solving(200, 0.2), third, fourth)
    store_curves(tmp_path / "asks", dict(zip(names, runs, strict=True)))
    [found] = verdict(asks, tmp_path / "asks")
    assert found["verdict"] == said
    assert found["beside"] == ["structure", "neither"]
    assert found["seeds"] == [len(each) for each in runs]
    assert found["solved"][3] == sum(run[-1] > 0 for run in fourth)
    assert (found["problem"] is None) == (found["solved"][3] > 0)
    monkeypatch.setitem(study.STUDIES, "asks", asks)
    assert main(["study", "verdict", "asks", "--results", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "both faster than costs, more so than structure than neither in steps to solved" in text
    if found["problem"]:
        assert "no ratio of steps: the fourth arm was solved by 0 of 10 runs" in text


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "fastre"}, "one of .*'faster'.*, not 'fastre'"),
        ({"second": "strong"}, "two arms, not of 'strong' with itself"),
        ({"margin": -1.0}, "margin of a contrast is 0 or more, not -1"),
        ({"margin": float("nan")}, "margin of a contrast is 0 or more, not nan"),
        ({"last": 2.0}, "share of a run, above 0 and up to 1, not 2"),
        ({"tasks": "DarkHome"}, "tasks are several, as in"),
        ({"beside": ("other",)}, "none or two arms beside it, not \\('other',\\)"),
        ({"beside": ("third", "fourth")}, "only 'faster' has arms beside it, and not 'more'"),
        (
            {"kind": "faster", "margin": 1.5, "predicts": None, "beside": ("third", "plain")},
            "different arms, not of strong, plain, third, plain",
        ),
    ],
)
def test_a_contrast_that_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(MORE, **wrong)


def test_a_study_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer settings to search than its 3 trials"):
        replace(ASKS, trials=3, search={"gamma": (0.9, 0.95)})
    with pytest.raises(ValueError, match="no arms for its task 'CacheRecall'"):
        replace(ASKS, tasks=(("CacheRecall", 0),))


def test_what_cannot_be_asked_of_steps() -> None:
    with pytest.raises(ValueError, match="margin above 1, the least ratio of steps"):
        replace(FASTER, margin=0.1)
    with pytest.raises(ValueError, match="predicts a size"):
        replace(FASTER, predicts=1.2)
    with pytest.raises(ValueError, match="solved is what score01 says, and no success"):
        replace(FASTER, measure="success")


def test_a_task_that_was_solved_before_it_was_learnt_is_left_undecided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store_curves(tmp_path / "asks", {"strong": solving(0), "plain": solving(200)})
    arms = dict.fromkeys(("strong", "plain"), replace(ARM, steps=400))
    asks = replace(ASKS, contrasts=(FASTER,), arms={"DarkHome": arms})
    [found] = verdict(asks, tmp_path / "asks")
    assert (found["verdict"], found["ratio"]) == ("inconclusive", [None] * 3)
    monkeypatch.setitem(study.STUDIES, "asks", asks)
    assert main(["study", "verdict", "asks", "--results", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert (
        "inconclusive (with Holm's correction inconclusive)  no ratio of steps: a run was" in said
    )


@pytest.mark.parametrize("contrast", [FASTER, replace(MORE, last=1.0)])
def test_nothing_is_decided_while_a_run_that_ends_when_solved_is_under_way(
    contrast: Contrast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arms = dict.fromkeys(("strong", "plain"), replace(ARM, steps=400, until_solved=True))
    asks = replace(ASKS, contrasts=(contrast,), arms={"DarkHome": arms}, seeds=tuple(range(11)))
    curves = {"strong": solving(50, runs=11), "plain": solving(200)}
    store_curves(tmp_path / "asks", curves)
    [found] = verdict(asks, tmp_path / "asks")
    assert (found["verdict"], found["waits"]) == ("supported", False)
    curves["strong"][-1] = [0.0] * 4
    store_curves(tmp_path / "asks", curves)
    [found] = verdict(asks, tmp_path / "asks")
    assert (found["verdict"], found["verdict_holm"]) == ("inconclusive", "inconclusive")
    assert (found["waits"], found["unfinished_runs"], found["p_holm"]) == (True, 1, 1.0)
    monkeypatch.setitem(study.STUDIES, "asks", asks)
    assert main(["study", "verdict", "asks", "--results", str(tmp_path)]) == 0
    assert "1 unfinished; nothing is decided until they are over" in capsys.readouterr().out
    at_once = replace(asks, arms={"DarkHome": dict.fromkeys(arms, replace(ARM, steps=400))})
    [found] = verdict(at_once, tmp_path / "asks")
    assert (found["verdict"], found["seeds"]) == ("supported", [10, 10])


def test_an_arm_stopped_on_its_way_does_not_look_faster_than_one_like_it(tmp_path: Path) -> None:
    """An A/A: runs that were to go on count as unsolved so far, not as if they were none."""
    arms = dict.fromkeys(("strong", "plain"), replace(ARM, steps=400, until_solved=True))
    asks = replace(ASKS, contrasts=(FASTER,), arms={"DarkHome": arms}, seeds=tuple(range(20)))
    rng, held = np.random.default_rng(0), []

    def runs() -> list[list[float]]:
        return [solving(at, runs=1, spread=0.0)[0] for at in rng.lognormal(np.log(120), 0.6, 20)]

    for _ in range(5):
        store_curves(tmp_path, {"strong": [run[:11] for run in runs()], "plain": runs()})
        [found] = verdict(asks, tmp_path)
        assert (found["seeds"], found["verdict"]) == ([20, 20], "inconclusive")
        assert found["unfinished_runs"] > 5
        held.append(found["ratio"][1] < 1 < found["ratio"][2])
    assert sum(held) >= 4


def test_every_shipped_contrast_says_what_refutes_it() -> None:
    assert all(c.refuter for entry in SHIPPED for c in entry.contrasts)
