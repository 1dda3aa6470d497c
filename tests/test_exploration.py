"""What the study of exploration measures, on bodies whose figures are known."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from motley.agents import Agent
from motley.agents.scoring import scored
from motley.costs import LearningProgress, Value
from motley.costs.rnd import RND
from motley.costs.sets import cost_set
from motley.envs.tasks.play_room import BALL, SCREEN
from motley.scripts.main import main
from motley.studies import exploration, known_room, novelty, rehearsal, screen, study
from motley.studies.bench_roof import experience, rollout_of
from motley.studies.exploration import EXPLORATION
from motley.studies.fading import FADING
from motley.studies.folder import read_csv, read_json
from motley.studies.known_room import KNOWN
from motley.studies.measured import NOISE, PLAY, ROOMS, reachable
from motley.studies.novelty import NOVELTY
from motley.studies.rehearsal import REHEARSAL
from motley.studies.same_rooms import SAME

pytest.importorskip("minigrid")


def end(env: gym.Env[Any, Any], act: Any, seed: int = 0) -> float:
    """score01 of an episode."""
    env.reset(seed=seed)
    while True:
        *_, terminated, truncated, info = env.step(act(env.unwrapped))
        if terminated or truncated:
            return float(info["score01"])


def toward(thing: int) -> Any:
    """Walk to a thing and stay."""

    def act(env: Any) -> np.ndarray:
        world = env.world
        action = env.task.toward(world, world.shape_position[:, thing])[0]
        return np.asarray(action, np.float32)

    return act


def test_time_at_the_screen() -> None:
    env = gym.make(NOISE)
    # The way there takes a few steps of the sixty.
    assert np.mean([end(env, toward(SCREEN), seed) for seed in range(5)]) > 0.85
    assert np.mean([end(env, toward(BALL), seed) for seed in range(5)]) < 0.1
    assert end(env, lambda env: np.zeros(2, np.float32)) == 0.0  # the middle is 1.7 m from all


def test_moments_that_differ() -> None:
    env = gym.make(PLAY)
    # The pendulum's bob swings by itself and does not count.
    assert end(env, lambda env: np.zeros(2, np.float32)) == pytest.approx(1 / 61)
    assert end(env, lambda env: np.array([1.0, 0.2], np.float32)) > 0.1


def test_cells_that_were_visited() -> None:
    """What is reachable is the insides of four rooms and the doors between them."""
    env = gym.make(ROOMS)
    for seed in range(5):
        turning = end(env, lambda env: 0, seed)
        rooms: Any = env.unwrapped
        inside = sum((room.size[0] - 2) * (room.size[1] - 2) for room in rooms.rooms)
        assert turning == pytest.approx(1 / (inside + len(rooms.rooms) - 1))
    rng = np.random.default_rng(0)
    assert end(env, lambda env: int(rng.choice([0, 1, 2, 2]))) > 2 * turning


def test_rooms_that_stay() -> None:
    env, drawn = gym.make(SAME), gym.make(ROOMS)

    def layout(env: gym.Env[Any, Any], seed: int | None) -> bytes:
        env.reset(seed=seed)
        rooms: Any = env.unwrapped
        return bytes(rooms.grid.encode()) + bytes([*rooms.agent_pos, rooms.agent_dir])

    assert len({layout(env, seed) for seed in (None, 0, 1, 2, None)}) == 1
    assert len({layout(drawn, seed) for seed in range(5)}) == 5
    rooms: Any = env.unwrapped
    cells = len(reachable(rooms.grid, tuple(rooms.agent_pos)))
    assert end(env, lambda env: 0) == pytest.approx(1 / cells)


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_a_reward_that_never_comes_does_not_lead(reward: float) -> None:
    """All that there were to lead by is the error of its critic, blown up."""
    env = gym.wrappers.TransformReward(gym.make(KNOWN), lambda _: reward)
    agent = Agent("uniform", env, "reward+rnd", n_envs=1, n_steps=64, seed=0)
    batch = experience(agent)
    assert bool(batch.advantages["reward"].any()) == bool(reward)
    assert bool(batch.tensors["value/reward/target"].any()) == bool(reward)
    assert batch.advantages["rnd"].any()


def test_placebos_of_two_agents_are_dealt_out_in_other_orders() -> None:
    """Or runs that differ in their seed alone were not independent."""
    costs = (RND(senses=("observation",), meaningless=True), Value(of="rnd"))
    agent = Agent("uniform", gym.make(KNOWN), costs, n_envs=1, n_steps=64, seed=0)
    rollout = rollout_of(agent)

    def dealt(seed: int) -> torch.Tensor:
        learner = deepcopy(agent.learner)
        learner.seed = seed
        return scored(learner, rollout, 0)[0].tensors["rnd/score"].flatten()

    assert torch.equal(dealt(0), dealt(0))
    assert not torch.equal(dealt(0), dealt(1))
    assert torch.equal(dealt(0).sort().values, dealt(1).sort().values)


def test_a_room_that_is_known_but_for_its_screen() -> None:
    env = gym.make(KNOWN)
    check_env(env.unwrapped, skip_render_check=True)
    right, switch = 2, 4
    # Four steps to the right are enough from anywhere, and there are 65 moments.
    assert end(env, lambda env: right) >= 61 / 65
    assert end(env, lambda env: 3, seed=1) <= 1 / 65  # to the left
    rng = np.random.default_rng(0)
    by_chance = [end(env, lambda env: int(rng.integers(5)), seed) for seed in range(50)]
    assert np.mean(by_chance) == pytest.approx(1 / known_room.SIDE, abs=0.05)
    first, _ = env.reset(seed=2)
    seen = [env.step(right)[0] for _ in range(5)]
    cells, pictures = np.split(np.array([first, *seen]), [known_room.SIDE**2], axis=1)
    assert (cells.sum(1) == 1).all()
    at_screen = np.asarray(cells.reshape(-1, 5, 5)[:, -1].max(1) > 0)
    assert at_screen[-1]
    assert (np.abs(pictures).max(1) == at_screen).all()
    assert (pictures[-1] == pictures[-2]).all()  # it stays, until it is switched
    switched = [env.step(switch)[0][known_room.SIDE**2 :] for _ in range(20)]
    assert len(np.unique(switched, axis=0)) > 15


def test_every_contrast_has_its_arms() -> None:
    asked = {(c.first, task) for c in EXPLORATION.contrasts for task in c.tasks}
    arms = {(arm, task) for task, _, arm, _ in EXPLORATION.cells()}
    arms -= {(c.second, task) for c in EXPLORATION.contrasts for task in c.tasks}
    assert asked == arms


def test_the_screen_is_asked_of_other_seeds_as_it_was() -> None:
    again, arms = screen.SCREEN, screen.SCREEN.arms[KNOWN]
    assert not set(again.seeds) & {*EXPLORATION.seeds, 100}
    assert replace(again.contrasts[0], round=3) in EXPLORATION.contrasts
    for name in ("chance", exploration.FREE):
        assert arms[name] is EXPLORATION.arms[KNOWN][name]
    placebo = cost_set(arms["placebo"].costs, {"observation": 3})
    progress = cost_set(f"reward+{exploration.FREE}", {"observation": 3})
    changed = {
        a.name for a, b in zip(placebo, progress, strict=True) if a != b and a.name == b.name
    }
    assert changed == {exploration.FREE}


def test_scores_alone_are_asked_as_they_were_beside_a_reward() -> None:
    """Arms differ from those of the other studies in the reward, and in scale where they say so."""
    arms = FADING.arms[KNOWN]
    assert not {*FADING.seeds} & {*EXPLORATION.seeds, *screen.SCREEN.seeds, 71, 72, 73, 100}
    assert not {*FADING.seeds} & {901, 902, 903}
    before = {**EXPLORATION.arms[KNOWN], **screen.SCREEN.arms[KNOWN]}
    for name in (exploration.FREE, exploration.CAUGHT, "placebo"):
        assert f"reward+{arms[name].costs}" == before[name].costs
        assert replace(arms[name], costs=before[name].costs) == before[name]
    for name in (exploration.FREE, "placebo"):
        assert arms[f"{name} in its own unit"] == replace(
            arms[name],
            costs=f"{arms[name].costs}+entropy",
            settings={"normalise_returns": False, "normalise_advantages": False},
        )
    assert arms["chance"] is before["chance"]


def test_novelty_is_asked_of_agents_that_differ_in_their_score_alone() -> None:
    assert not {*NOVELTY.seeds} & {*EXPLORATION.seeds, *screen.SCREEN.seeds, *FADING.seeds, 100}
    assert {*exploration.NOVELTIES} - {*novelty.NOVELTIES} == {exploration.FREE}
    for task, _ in NOVELTY.tasks:
        arms = NOVELTY.arms[task]
        asked = [c for c in NOVELTY.contrasts if c.tasks == (task,) and c.round < 3]
        assert all(c.last == 1.0 and c.measure == "score01_sampled" for c in asked)
        for other, margin, round in (("chance", 0.0, 1), ("placebo", novelty.MARGIN, 2)):
            found = [c for c in asked if c.second == other and c.first != "placebo"]
            assert [c.first for c in found] == [*novelty.asked(task)]
            assert {(c.kind, c.margin, c.round) for c in found} == {("more", margin, round)}
        [bounded, equal] = [c for c in asked if c.first == "placebo"]
        assert (bounded.kind, equal.kind, equal.margin) == ("at most", "equivalent", novelty.MARGIN)
        for name in novelty.asked(task):
            assert arms[name].costs == f"{name}+entropy"
            assert replace(arms[name], costs=arms["rnd"].costs) == arms["rnd"]
        still = replace(arms["chance"], settings={}, control="")
        assert (still, arms["chance"].settings) == (arms["rnd"], {"learning_rate": 0.0})
    again = [c for c in NOVELTY.contrasts if c.round == 3]
    assert {c.tasks for c in again} == {(PLAY,)}
    assert [(c.first, c.second, c.kind, c.margin) for c in again] == [
        (f"{name} unfelt", other, "more", margin)
        for name in ("episodic_novelty", exploration.CAUGHT)
        for other, margin in (("chance", 0.0), ("placebo", novelty.MARGIN))
    ]
    assert novelty.asked(PLAY) == tuple(n for n in novelty.NOVELTIES if n not in novelty.MENDED)
    for task, _ in NOVELTY.tasks:  # no run twice under two names
        rest = [replace(arm, control="") for arm in NOVELTY.arms[task].values()]
        assert all(arm not in rest[:i] for i, arm in enumerate(rest))
    for name in (c.first for c in again):
        assert arms[name] == NOVELTY.arms[SAME][name.removesuffix(" unfelt")]
    placebo, paid = (
        cost_set(arms[name].costs, {"vision": 3, "touch": 1}) for name in ("placebo", "rnd")
    )
    assert [a for a, b in zip(placebo, paid, strict=True) if a != b] == [
        replace(RND(senses=("vision", "touch")), meaningless=True)
    ]


def test_rehearsed_progress_is_asked_as_the_unrehearsed_was() -> None:
    known = {*EXPLORATION.seeds, *screen.SCREEN.seeds, *FADING.seeds, *NOVELTY.seeds}
    assert not {*REHEARSAL.seeds} & {*known, 100, *range(901, 905)}
    arms, before = REHEARSAL.arms[KNOWN], FADING.arms[KNOWN]["placebo in its own unit"]
    assert arms["chance"] == replace(FADING.arms[KNOWN]["chance"], steps=rehearsal.STEPS)
    assert [(c.first, c.kind, c.margin, c.last, c.round) for c in REHEARSAL.contrasts] == [
        (rehearsal.FREE, "at most", exploration.MARGIN, 0.5, 1),
        (exploration.CAUGHT, "more", exploration.MARGIN, 0.5, 1),
        ("placebo", "equivalent", exploration.MARGIN, 0.5, 1),
        (rehearsal.STEADY, "at most", exploration.MARGIN, 0.5, 2),
        (f"{rehearsal.STEADY} varied", "at most", exploration.MARGIN, 0.5, 3),
        (f"{exploration.CAUGHT} varied", "more", exploration.MARGIN, 0.5, 3),
        ("placebo varied", "equivalent", exploration.MARGIN, 0.5, 3),
    ]
    third = {"development": {"weights": {"entropy": rehearsal.ENTROPY}}, "steps": rehearsal.LONGER}
    for name in arms.keys() - {"chance"}:
        changed = third if name.endswith("varied") else {"steps": rehearsal.STEPS}
        assert replace(arms[name], costs=before.costs, control=before.control) == replace(
            before, **changed
        )
    senses = {"observation": 3}
    progress, placebo, steady, shuffled = (
        next(c for c in cost_set(arms[name].costs, senses) if c.name == exploration.FREE)
        for name in (rehearsal.FREE, "placebo", f"{rehearsal.STEADY} varied", "placebo varied")
    )
    plain = next(c for c in cost_set(exploration.FREE, senses) if c.name == exploration.FREE)
    assert isinstance(plain, LearningProgress)
    assert isinstance(progress, LearningProgress)
    assert progress == replace(plain, rehearsed=rehearsal.REHEARSED)
    assert placebo == replace(progress, meaningless=True)
    assert steady == replace(progress, kept=rehearsal.KEPT)
    assert shuffled == replace(steady, meaningless=True)


def test_runs_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = {
        task: {
            name: replace(arm, steps=256, n_envs=4)
            for name, arm in EXPLORATION.arms[task].items()
            if name in ("reward", "chance", exploration.FREE, "rnd")
        }
        for task in (ROOMS, NOISE)
    }
    asked = tuple(c for c in EXPLORATION.contrasts if c.first in ("rnd", exploration.FREE))
    small = replace(
        EXPLORATION, name="small", contrasts=tuple(c for c in asked if c.tasks[0] in short),
        tasks=((ROOMS, None), (NOISE, None)), arms=short, seeds=(0,),
        eval_every=256, eval_episodes=2,
    )  # fmt: skip
    monkeypatch.setitem(study.STUDIES, "small", small)
    where = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    assert main(["study", "run", "small", *where]) == 0
    for task, name in ((ROOMS, "rnd"), (NOISE, "chance")):
        found = read_csv(tmp_path / "runs" / "small" / task / name / "0" / "eval.csv")
        assert ((found["score01_sampled"] >= 0) & (found["score01_sampled"] <= 1)).all()
    assert main(["study", "verdict", "small", *where]) == 0
    answers = read_json(tmp_path / "results" / "small" / "verdict.json")["verdicts"]
    assert [(a["task"], a["first"], a["second"], a["kind"]) for a in answers] == [
        (ROOMS, "rnd", "reward", "more"), (ROOMS, exploration.FREE, "reward", "more"),
        (NOISE, exploration.FREE, "chance", "at most"),
    ]  # fmt: skip
