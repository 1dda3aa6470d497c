"""Recorded traces: what is in them, and that they say what happened."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motley.agents import Agent
from motley.envs import TASKS, Task, World, trace
from motley.envs.sb3 import WorldVecEnv
from motley.envs.trace import Trace, field_entries, field_notes, of_field
from motley.studies.record import record

SEED = 31


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent("matched", WorldVecEnv("DarkHome", 4, seed=0, level=1), "reward", seed=1)


@pytest.fixture(scope="module")
def home(agent: Agent) -> Trace:
    return record(agent, TASKS["DarkHome"](level=1), 6, SEED)


@pytest.mark.parametrize("name", TASKS)
def test_it_is_what_happened(name: str) -> None:
    """Played again from the file's seeds and actions, alone, each episode is the same."""
    task = TASKS[name]()
    made = trace.record(task, trace.policy(task, "oracle"), 5, SEED)
    for episode, (begin, end) in enumerate(zip(made.bounds, made.bounds[1:], strict=False)):
        world = World(task, 1)
        world.seed([SEED + episode])
        world.reset()
        over = np.zeros(1, np.bool_)
        reward, total = np.zeros(1), 0.0
        for row in range(begin, end):
            assert made["episode"][row] == episode
            assert made["step"][row] == row - begin
            assert made["seconds"][row] == (row - begin) * (0.05 if name == "DelayReach" else 0.25)
            assert made["reward"][row] == reward[0]
            assert (made["terminated"][row] or made["truncated"][row]) == over[0]
            assert over[0] == (row == end - 1)
            for array in ("position", "heading", "shape_position", "contact", "light"):
                np.testing.assert_array_equal(made[array][row], getattr(world, array)[0])
            for sense, value in world.observe().items():
                np.testing.assert_array_equal(made[f"sense/{sense}"][row], value[0])
            for field, value in world.fields.items():
                np.testing.assert_array_equal(made[f"hidden/{field}"][row], value[0])
            if over[0]:
                assert np.isnan(made["action"][row]).all()
                break
            reward, terminated, truncated = world.step(made["action"][row][None])
            over, total = terminated | truncated, total + reward[0]
        assert made["end/steps"][episode] == end - begin - 1
        assert made["end/return"][episode] == pytest.approx(total)
        assert made["end/score"][episode] == task.score(world)[0]
    assert made["end/score01"].mean() > 0.8


@pytest.mark.parametrize("name", TASKS)
def test_a_file_says_what_every_field_is_and_how_long_a_step(name: str) -> None:
    task = TASKS[name]()
    made = trace.record(task, trace.policy(task, "random"), 1, SEED)
    said = made.readme()
    for field in task.fields():
        assert f"\n  hidden/{field}  " in said
        assert re.search(rf"\b{field}\b[^.:]*:\s\w", made.about["fields"]), field
    step = "0.05" if name == "DelayReach" else "0.25"
    assert f"a step takes {step} s" in said
    for field, (_, kind) in task.fields().items():
        unit, meaning = made.units[f"hidden/{field}"]
        assert f"  [{unit}]  {meaning}\n" in said  # the README says the same
        assert meaning in " ".join(made.about["fields"].split()), field
        assert (unit == "bool") == (np.dtype(kind) == np.bool_)
    assert ("joint: angles of shoulder and elbow (rad)" in said) == (name == "DelayReach")


@pytest.mark.parametrize(
    ("name", "field", "unit"),
    [
        *(
            ("PlayRoom", "foot", "m"),
            ("PlayRoom", "beat", "1"),
            ("PlayRoom", "rolling", "m a step"),
        ),
        *(("DelayReach", "joint", "rad"), ("DelayReach", "degrees", "deg")),
        *(("Caregiver", "goes_to", "rad"), ("Caregiver", "ball_turn", "rad a step")),
        *(("CacheRecall", "start", "rad"), ("OccluderHunt", "run", "various")),
        *(("Homestead", "need", "1"), ("Homestead", "kept", "1"), ("DarkHome", "home", "bool")),
    ],
)
def test_a_hidden_array_has_the_unit_that_its_task_states(name: str, field: str, unit: str) -> None:
    task = TASKS[name]()
    noted = field_entries(field_notes(task))
    assert of_field(np.dtype(task.fields()[field][1]), noted[field])[0] == unit


def test_a_field_of_which_nothing_is_said_has_a_unit_of_its_own() -> None:
    noted = field_entries("Fog.\n\nfar, near: ends of\nsight (m). left: right of it. deep: by now.")
    kind = np.dtype(np.float32)
    assert of_field(kind, noted["near"]) == ("m", "ends of sight")
    assert of_field(kind, noted["deep"]) == ("1", "by now")
    assert of_field(np.dtype(np.int64), "since (steps)") == ("steps", "since")
    assert of_field(kind, noted.get("high", ""))[0] == "task's own"


def test_parts_are_as_one(agent: Agent, home: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def noted(task: Task, act: trace.Act, episodes: int, *args: Any) -> Trace:
        sizes.append(episodes)
        return whole(task, act, episodes, *args)

    whole = trace.record
    monkeypatch.setattr(trace, "record", noted)
    monkeypatch.setattr("motley.studies.record.WORLDS", 4)
    parts = record(agent, TASKS["DarkHome"](level=1), 6, SEED)
    assert sizes == [3, 3]
    assert (parts.about, parts.units) == (home.about, home.units)
    assert list(parts) == list(home)
    for name in home:
        assert parts[name].dtype == home[name].dtype
        # Matrix products of so few rows may be rounded otherwise than those of more.
        np.testing.assert_allclose(parts[name], home[name], rtol=0, atol=1e-5)


def test_activity_is_what_the_agent_computes(agent: Agent, home: Trace) -> None:
    """Fed the recorded senses again, the agent is as active and acts the same."""
    assert home.areas == list(agent.blueprint)
    rows = slice(home.bounds[2], home.bounds[3])
    state, senses = None, [n for n in home if n.startswith("sense/")]
    for row in range(rows.start, rows.stop - 1):
        now = {name.removeprefix("sense/"): home[name][row][None] for name in senses}
        action, state, areas = agent.policy.observe(now, state, deterministic=True)
        np.testing.assert_allclose(home["action"][row], action[0], atol=1e-5)
        for area, activity in areas.items():
            np.testing.assert_allclose(home[f"area/{area}"][row], activity[0], atol=1e-5)


def test_a_file_holds_all_of_it_and_plain_numpy_reads_it(home: Trace, tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=f"no folder {tmp_path}/deep to write home.npz into: make"
    ):
        home.save(tmp_path / "deep" / "home")
    (tmp_path / "deep").mkdir()
    assert trace.npz(tmp_path / "seed0.5").name == "seed0.5.npz"
    for wrong in (tmp_path / "home.csv", Path()):
        with pytest.raises(ValueError, match=r"let its name end in \.npz|give a file's name"):
            home.save(wrong)
    path = home.save(tmp_path / "deep" / "home")
    assert path.name == "home.npz"
    again = trace.load(path)
    assert (again.about, again.units) == (json.loads(json.dumps(home.about)), home.units)
    assert list(again) == list(home)
    for name in home:
        np.testing.assert_array_equal(again[name], home[name])
        assert name in home.units
        assert f"\n  {name}  " in home.readme()
    assert [p.name for p in path.parent.iterdir()] == ["home.npz"]
    code = (
        "import sys, numpy; file = numpy.load(sys.argv[1]);"
        "print(file['README']); assert file['position'].shape[1] == 2;"
        "assert 'motley' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "index of the shape to touch next" in done.stdout


def test_other_files_and_names_are_refused(home: Trace, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match="no recorded trace"):
        trace.load(tmp_path / "other.npz")
    with pytest.raises(KeyError, match="near: position"):
        home["positoin"]
    with pytest.raises(ValueError, match="near: observer"):
        trace.policy(TASKS["DarkHome"](), "obsrver")
    with pytest.raises(ValueError, match="at least one episode"):
        trace.record(TASKS["DarkHome"](), trace.policy(TASKS["DarkHome"](), "oracle"), 0, 0)


def test_every_reference_policy_can_be_recorded() -> None:
    task = TASKS["DarkHome"](level=0)
    for name in ("oracle", "observer", "random", *task.heuristics()):
        made = trace.record(task, trace.policy(task, name), 3, SEED)
        assert made["end/steps"].min() > 0


class TestLesion:
    def test_output_is_held_and_comes_back(self, agent: Agent) -> None:
        task = TASKS["DarkHome"](level=1)
        whole = record(agent, task, 4, SEED)
        with agent.lesion("integrator"):
            without = record(agent, task, 4, SEED)
        mean = whole["area/core"].mean(0)
        with agent.lesion("core", at=mean) as lesion:
            steady = record(agent, task, 4, SEED)
            lesion.heal()
        healed = record(agent, task, 4, SEED)
        assert (without["area/integrator"] == 0).all()
        assert without.about["lesion"] == ["integrator"]
        np.testing.assert_array_equal(steady["area/core"], np.tile(mean, (len(steady["step"]), 1)))
        # The first moment of an episode differs downstream of the lesion only.
        first = whole["step"] == 0
        np.testing.assert_array_equal(
            whole["area/encoder"][first], without["area/encoder"][without["step"] == 0]
        )
        assert not np.array_equal(whole["action"][first], steady["action"][steady["step"] == 0])
        for name in whole:
            np.testing.assert_array_equal(whole[name], healed[name])

    def test_by_name_and_nested(self, agent: Agent) -> None:
        agent.lesion("core", "encoder")
        with agent.lesion("core", at=0.5):
            assert agent.brain.held["core"][0] == 0.5
        assert agent.brain.held["core"][0] == 0.0
        agent.heal("core")
        assert list(agent.brain.held) == ["encoder"]
        agent.heal()
        assert not agent.brain.held
        one, other = agent.lesion("core", at=1.0), agent.lesion("core", at=2.0)
        one.heal()  # out of order
        assert agent.brain.held["core"][0] == 2.0
        other.heal()
        agent.lesion("core")
        agent.heal()
        assert not agent.brain.held
        assert not agent.brain.lesions
        with pytest.raises(ValueError, match="did you mean core"):
            agent.heal("cor")

    def test_a_held_area_learns_nothing(self) -> None:
        agent = Agent("uniform", WorldVecEnv("DarkHome", 4, seed=0, level=0), "reward", seed=1)
        before = {k: v.clone() for k, v in agent.brain.areas["core"].state_dict().items()}
        with agent.lesion("core"):
            agent.learn(4 * agent.n_steps)
        after = agent.brain.areas["core"].state_dict()
        assert all((before[k] == after[k]).all() for k in before)

    def test_unknown_areas_are_named(self, agent: Agent) -> None:
        with pytest.raises(ValueError, match="did you mean integrator"):
            agent.lesion("integrater")
        with pytest.raises(ValueError, match="one number or at"):
            agent.lesion("core", at=np.zeros(3))
        assert not agent.brain.held
