"""The trained control and the linear probe: what they find where it is known, where it is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from motley.agents import Agent
from motley.envs import TASKS, calibration, trace
from motley.envs.hidden import HIDDEN
from motley.envs.probe import linear_probe
from motley.envs.sb3 import WorldVecEnv
from motley.scripts.main import main
from motley.studies import controls
from motley.studies.config import RunConfig
from motley.studies.report import _levels
from motley.studies.run import run
from motley.studies.runs import gather

RNG = np.random.default_rng(0)


class TestProbe:
    episode = np.repeat(np.arange(200), 5)
    x = RNG.normal(size=(1_000, 6))

    def test_what_is_there_is_read(self) -> None:
        found = linear_probe(self.x, self.x[:, 2] > 0, self.episode)
        assert found.score > 0.95
        assert found.chance == pytest.approx(0.5, abs=0.05)
        numbers = self.x @ RNG.normal(size=(6, 2)) + 3.0
        assert linear_probe(self.x, numbers, self.episode).score > 0.999
        half = numbers + numbers.std(0) * RNG.normal(size=numbers.shape)
        assert linear_probe(self.x, half, self.episode).score == pytest.approx(0.5, abs=0.05)

    def test_what_is_not_there_is_not(self) -> None:
        classes = linear_probe(self.x, RNG.integers(0, 4, 1_000), self.episode)
        assert classes.score <= classes.chance + 0.05
        assert linear_probe(self.x, RNG.normal(size=1_000), self.episode).score < 0.02

    def test_episodes_are_held_out(self) -> None:
        """A constant of the episode would give away another constant of it."""
        rng = np.random.default_rng(3)  # its own, whatever runs before
        mark = rng.normal(size=(200, 80))[self.episode]
        label = rng.integers(0, 2, 200)[self.episode]
        assert linear_probe(mark, label, self.episode).score < 0.65
        assert linear_probe(mark, label, np.arange(1_000)).score > 0.7

    def test_what_cannot_be_probed_is_refused(self) -> None:
        with pytest.raises(ValueError, match="record more"):
            linear_probe(self.x, self.x[:, 0], np.zeros(1_000))
        with pytest.raises(ValueError, match="nothing to tell apart"):
            linear_probe(self.x, np.zeros(1_000, np.int64), self.episode)
        with pytest.raises(ValueError, match="rows differ"):
            linear_probe(self.x[:3], self.x[:, 0], self.episode)


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("policy", ["oracle", "observer", "driver"])
def test_no_single_observation_gives_away_what_is_to_be_remembered(name: str, policy: str) -> None:
    task, about = TASKS[name](), HIDDEN[name]
    actor = trace.policy(task, about.driver if policy == "driver" else policy)
    made = trace.record(task, actor, 100 if task.horizon > 250 else 500, 77)
    rows, hidden = about.read(made)
    assert len(rows) >= 100
    found = controls.probe(made)
    assert found.score <= found.chance + 0.1
    # The probe is not blind: with what is hidden among the senses, it reads it.
    seen = hidden if hidden.ndim > 1 else np.eye(int(hidden.max()) + 1)[hidden.astype(int)]
    told = linear_probe(
        np.concatenate([controls.observations(made)[rows], seen], 1), hidden, made["episode"][rows]
    )
    assert told.score > 0.9


def test_the_memoryless_agent_has_no_memory() -> None:
    agent = Agent("memoryless", WorldVecEnv("CacheRecall", 2, seed=0), "reward", seed=0)
    assert not agent.brain.has_memory
    assert all("previous_action" not in node.inputs for node in agent.blueprint.values())
    assert agent.n_parameters == pytest.approx(40_000, rel=0.02)


def test_controls_are_measured_stored_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = TASKS["CacheRecall"]
    figures = calibration.path(task).read_text()
    (tmp_path / "cache.json").write_text(figures)
    monkeypatch.setattr(calibration, "path", lambda task: tmp_path / "cache.json")
    assert controls.read(task) == []
    words = ["audit", "CacheRecall", "--level", "1", "--episodes", "40", "--steps", "2048"]
    assert main(words) == 3  # too few episodes to tell
    assert "memoryless (see --memoryless)" in " ".join(capsys.readouterr().out.split())
    assert main([*words, "--memoryless"]) == 3
    text = " ".join(capsys.readouterr().out.split())
    (stored,) = controls.read(task)
    assert (stored.level, stored.steps) == (1, 2048)
    assert f"memoryless: score {stored.score:.3f}" in text
    assert "memoryless (trained)" in text
    controls.write(task, [stored])
    assert controls.read(task) == [stored]
    config = RunConfig("CacheRecall", 1, steps=512, n_envs=16, eval_episodes=4, costs="reward")
    run(config, tmp_path / "run")
    lines = _levels(gather(tmp_path / "run")[0])
    assert any(f"memoryless {stored.score01:.2f}" in text for _, text in lines)
    assert main([*words, "--probe", str(tmp_path / "run")]) == 3
    assert "a linear probe reads what is hidden with" in " ".join(capsys.readouterr().out.split())
    good = controls.Control(**{**vars(stored), "score": 0.9, "score01": 0.9})
    controls.write(task, [good])
    assert main(words) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "an agent without a memory (one training) scores 0.900" in said
    monkeypatch.setattr(calibration, "task_hash", lambda task: "0" * 16)
    assert controls.read(task) == []


SHIPPED = [name for name, task in TASKS.items() if controls.path(task).exists()]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_control_is_of_the_task_as_it_is_and_at_its_bar(name: str) -> None:
    task = TASKS[name]
    stored = json.loads(controls.path(task).read_text())["controls"]
    found = controls.read(task)  # none where the task has changed since
    assert found, f"motley audit {name} --memoryless"
    assert len(found) == len(stored)
    assert task.default_level in [control.level for control in found]
    for control in found:
        rules = task(level=control.level)
        low, span = calibration.scale(rules)
        assert control.score <= rules.chance + 0.1 * span
        assert control.score01 == pytest.approx((control.score - low) / span)


@pytest.mark.parametrize("name", HIDDEN)
def test_a_control_is_shipped_wherever_something_is_hidden(name: str) -> None:
    task = TASKS[name]
    assert task.default_level in [control.level for control in controls.read(task)]


def test_mistakes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words, message in (
        (["--level", "9"], "levels 0 to 4"),
        (["--steps", "0"], "--steps must be at least 1"),
        (["--level", "1", "--calibrate"], "leave --level out"),
    ):
        assert main(["audit", "DarkHome", "--episodes", "2", *words]) == 2
        assert message in " ".join(capsys.readouterr().err.split())
    made = trace.record(
        TASKS["DarkHome"](), trace.policy(TASKS["DarkHome"](), "stay"), 4, 0, {"task": "Beacon"}
    )
    with pytest.raises(ValueError, match="what Beacon hides is not stated"):
        controls.probe(made)
