"""The capacity probe: a bit that was shown is held by a core with a memory, and by it alone."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
import torch

from motley.envs import TASKS, Task, senses, trace
from motley.envs.hidden import HIDDEN, SHOWN, Hidden, what_is_hidden
from motley.envs.probe import chance, grade
from motley.envs.streams import Bools, Floats, Ints, Streams
from motley.envs.task import Level
from motley.envs.world import World
from motley.scripts.audit import too_much_or_little
from motley.scripts.main import main
from motley.studies import capacity


class OneBit(Task):
    """A bit is shown at the first step, and asked for at the fourth."""

    problem: ClassVar[str] = "one bit"
    levels: ClassVar[tuple[Level, ...]] = (Level(0.5), Level(0.5))
    horizon, n_shapes = 4, 1

    def fields(self) -> dict[str, tuple[tuple[int, ...], Any]]:
        """bit: what was shown."""
        return {"bit": ((), np.int64)}

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """Show it."""
        world.bit[which] = rng.integers(0, 2)
        world.cue[which, 0] = 2 * world.bit[which] - 1

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        """Nothing is shown any more."""
        world.cue[:, 0] = 0.0
        return np.zeros(world.n), np.zeros(world.n, np.bool_)

    def score(self, world: World) -> npt.NDArray[Any]:
        """None."""
        return np.zeros(world.n)

    def oracle(self, world: World) -> Floats:
        """Stands still."""
        return np.zeros((world.n, 2), np.float32)


BIT = Hidden("the bit", lambda t: t["hidden/bit"], asked=lambda t: t["step"] == 3, driver="random")


@pytest.fixture
def one_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task's description, and a test of few episodes."""
    monkeypatch.setitem(HIDDEN, "OneBit", BIT)
    monkeypatch.setattr(capacity, "POOL_STEPS", 2_000)
    monkeypatch.setattr(capacity, "TESTED", 300)


@pytest.mark.usefixtures("one_bit")
@pytest.mark.filterwarnings("ignore:OneBit has no calibration")
class TestOneBit:
    def test_a_memory_holds_it_and_nothing_else_does(self) -> None:
        told: list[int] = []
        found = capacity.measure(OneBit(), 40_000, seed=3, on_steps=told.append)
        assert found.recurrent > 0.95
        assert found.chance == pytest.approx(0.5, abs=0.1)
        assert found.feedforward <= found.chance + 0.1
        assert found.steps <= 42_500
        assert max(told) <= 40_000
        assert found.measure == "share right"
        assert too_much_or_little(found) == []
        assert "one that forgets" in str(found)

    def test_numbers_are_held_as_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        numbers = replace(BIT, answer=lambda t: t["hidden/bit"] * 2.0 - 1.0)
        monkeypatch.setitem(HIDDEN, "OneBit", numbers)
        found = capacity.measure(OneBit(), 40_000)
        assert found.measure == "explained variance"
        assert found.recurrent > 0.9
        assert found.feedforward < 0.1 == found.chance + 0.1

    def test_what_is_in_sight_is_found_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(HIDDEN, "OneBit", replace(BIT, asked=lambda t: t["step"] == 0))
        found = capacity.measure(OneBit(), 40_000)
        assert found.feedforward > 0.95
        (fault,) = too_much_or_little(found)
        assert "is not hidden" in fault

    def test_what_is_always_the_same_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        same = replace(BIT, answer=lambda t: np.zeros(len(t["step"]), np.int64))
        monkeypatch.setitem(HIDDEN, "OneBit", same)
        with pytest.raises(ValueError, match="OneBit level 0 hides nothing of this kind: the bit"):
            capacity.measure(OneBit(), 2_000)

    def test_easier_levels_come_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        levels: list[int] = []
        real = capacity.record

        def noted(task: Task, *rest: Any) -> trace.Trace:
            levels.append(task.level)
            return real(task, *rest)

        monkeypatch.setattr(capacity, "record", noted)
        monkeypatch.setattr(capacity, "MASTERED", 2.0)
        climbs = replace(BIT, ladder=(0, 1))
        pupil = capacity.Pupil(OneBit(), "memoryless", 2, 0)
        capacity.teach(pupil, OneBit(level=1), climbs, 20_000)
        assert levels[0] == 0  # not learnt: half of the steps, and no more
        assert levels == sorted(levels)
        assert abs(levels.count(0) - levels.count(1)) <= 1
        levels.clear()
        monkeypatch.setattr(capacity, "LEARNT", 0.0)
        capacity.teach(pupil, OneBit(level=1), climbs, 10_000)
        assert levels.count(0) == 1
        levels.clear()
        capacity.teach(pupil, OneBit(level=0), climbs, 5_000)
        assert set(levels) == {0}


def test_a_lesson_is_what_was_lived() -> None:
    """Every moment of every episode, against a loop; nothing after the last that counts."""
    task, about = TASKS["CacheRecall"](level=1), HIDDEN["CacheRecall"]
    lived = capacity.record(task, about, 6, 5)
    given = capacity.lesson(lived, about, capacity.Pupil(task, "uniform", 60, 0))
    answer, asked, last = about.answer(lived), about.asked(lived), np.zeros((6, 2))
    for row in range(len(answer)):
        step, episode = int(lived["step"][row]), int(lived["episode"][row])
        if step == 0:
            last[episode] = 0.0
        if step < len(given.asked):
            for name in ("vision", "cue", "egomotion"):
                np.testing.assert_array_equal(
                    given.known[name][step, episode], lived[f"sense/{name}"][row]
                )
            np.testing.assert_array_equal(
                given.known["previous_action"][step, episode], last[episode]
            )
            assert given.answer[step, episode] == answer[row]
            assert given.asked[step, episode] == asked[row]
        else:
            assert not asked[row]
        last[episode] = np.clip(np.nan_to_num(lived["action"][row]), -1, 1)
    assert int(given.asked.sum()) == 6 * 4
    assert given.taught[:4].all()  # each of the two lit sites, too


def test_the_hue_is_of_the_site_with_the_cue_s_item() -> None:
    task, about = TASKS["CacheRecall"](), HIDDEN["CacheRecall"]
    lived = capacity.record(task, about, 20, 9)
    hues = senses.hue(np.arange(60) * 6.0)
    assert about.taught is not None
    rows = np.flatnonzero(about.taught(lived))
    assert {0, 15, 30, 45} == set(about.answer(lived)[rows].tolist())
    for row in rows:
        (site,) = np.flatnonzero((lived["hidden/item"][row] == lived["sense/cue"][row]).all(1))
        np.testing.assert_allclose(
            hues[about.answer(lived)[row]], lived["shape_color"][row, site], atol=1e-6
        )


def test_grades() -> None:
    said = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    assert grade(said, np.array([1, 0, 0, 0])) == 0.75
    assert chance(np.array([1, 0, 0, 0])) == 0.75
    truth = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    explained = 1 - ((truth - said) ** 2).sum() / ((truth - 0.5) ** 2).sum()
    assert grade(said, truth) == pytest.approx(explained)
    assert grade(truth, truth) == 1.0
    assert chance(truth) == 0.0


@pytest.mark.parametrize("name", TASKS)
def test_every_task_says_what_it_hides_or_why_not(name: str) -> None:
    assert (name in HIDDEN) != (name in SHOWN)
    if name in HIDDEN:
        task, about = TASKS[name](), what_is_hidden(name)
        lived = capacity.record(task, about, 20, 3)
        rows, answer = about.read(lived)
        assert len(rows) == len(answer) > 5
        assert np.isfinite(answer).all()
        assert len(set(lived["episode"][rows])) > 5


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(capacity, "POOL_STEPS", 500)
    monkeypatch.setattr(capacity, "TESTED", 40)
    table = tmp_path / "probes.csv"
    words = ["audit", "CacheRecall", "--level", "1", "--episodes", "20", "--steps", "500"]
    words += ["--capacity", "--table", str(table)]
    generator = torch.get_rng_state()
    assert main(words) == 1
    assert main([*words, "--seed", "1"]) == 1
    assert main(words) == 1
    assert torch.equal(generator, torch.get_rng_state())
    text = " ".join(capsys.readouterr().out.split())
    assert "taught what CacheRecall hides, level 1: the uniform core 0." in text
    assert "the taught uniform core gets 0." in text
    first, second = csv.DictReader(table.read_text().splitlines())
    assert (first["task"], first["level"], first["seed"]) == ("CacheRecall", "1", "0")
    assert second["seed"] == "1"
    assert 0 <= float(first["recurrent"]) <= 1


def test_mistakes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "TESTED", 2)
    for words, message in (
        (["PlayRoom", "--capacity"], "thing and place are the cue"),
        (["DelayReach", "--level", "1", "--capacity"], "hides nothing of this kind"),
        (["DarkHome", "--table", "x.csv"], "give that, too"),
    ):
        assert main(["audit", *words, "--episodes", "2"]) == 2
        assert message in " ".join(capsys.readouterr().err.split())
