"""What is so in the worlds reaches the costs that ask for it, in its moment, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecCheckNan
from torch import Tensor, nn

from motley.agents import BLUEPRINTS, Agent, Blueprint, Cohort, Node
from motley.agents.rollout import Rollout, collect
from motley.agents.scoring import scored
from motley.agents.spaces import Senses
from motley.costs import Cost, NoiseTarget, SelfLocalisation, State, Trace, ramp
from motley.costs.sets import from_json, to_json
from motley.envs import World
from motley.envs import trace as recorded
from motley.envs.hidden import way_home
from motley.envs.sb3 import WorldVecEnv
from motley.envs.single import WorldEnv
from motley.envs.tasks import TASKS
from motley.envs.vector import WorldVectorEnv

TRUE = SelfLocalisation(rung="true")
LEVEL: dict[str, Any] = {"level": 0}  # episodes of 40 steps at most


def small(costs: Any, env: Any = None, structure: Any = "path_integration", seed: int = 5) -> Agent:
    if env is None:
        env = WorldVecEnv("DarkHome", 4, seed=seed, **LEVEL)
    return Agent(structure, env, ["reward", *costs], n_envs=4, n_steps=8, budget=None, width=8,
                 seed=seed, n_minibatches=2, log_gradients_every=1)  # fmt: skip


def weights(agent: Agent) -> Tensor:
    return torch.cat([p.detach().flatten() for p in agent.brain.parameters()])


def act(agent: Agent, steps: int, truths: tuple[str, ...]) -> Rollout:
    """A rollout from a reset on."""
    agent._setup_learn(1)
    assert agent.env is not None
    noise = agent.learner.distribution.draw((steps, 4), agent._generator)
    rollout = collect(
        agent.env, agent.brain, agent.learner.distribution, agent.policy.senses,
        agent._stand(), noise, lambda facts: True, truths,
    )  # fmt: skip
    assert rollout is not None
    return rollout


@dataclass(frozen=True)
class Moved(Cost):
    """Pays for how far the body gets, and notes which food is next; trains nothing by itself."""

    truths: ClassVar[tuple[str, ...]] = ("position", "hidden/goal")

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        way = (trace.next("position") - trace["position"]).norm(dim=-1)
        return {f"{self.name}/way": way * trace.has_next}, {"goal": trace["hidden/goal"][-1]}

    def score(self, trace: Trace) -> Tensor:
        return trace[f"{self.name}/way"]


DOORS: dict[str, Callable[[], Any]] = {
    "worlds": lambda: WorldVecEnv("DarkHome", 4, seed=5, **LEVEL),
    "wrapped": lambda: VecCheckNan(WorldVecEnv("DarkHome", 4, seed=5, **LEVEL)),
    "one by one": lambda: make_vec_env(
        "motley/DarkHome-v0", 4, seed=5, env_kwargs=LEVEL, vec_env_cls=DummyVecEnv
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_truths_are_of_the_moment_that_is_sensed(door: str) -> None:
    """Against worlds that are led through the same actions, over ends of episodes."""
    agent = small([TRUE], DOORS[door]())
    rollout = act(agent, 48, ("position", "heading", "hidden/goal"))
    assert rollout.ends.any()
    again = WorldVecEnv("DarkHome", 4, seed=5, **LEVEL)
    seen: Any = again.reset()
    world = again.world
    for t in range(49):
        if t < 48:
            now = {name: x[t] for name, x in rollout.tensors.items()}
        else:
            now = {name: x[0, :4] for name, x in rollout.after[0].items()}
            now |= {name: x[0] for name, x in rollout.truths_after.items()}
        for name, x in [("vision", seen["vision"]), ("position", world.position),
                        ("heading", world.heading), ("hidden/goal", world.goal)]:  # fmt: skip
            np.testing.assert_array_equal(now[name].numpy(), x)
        if t < 48:
            done = agent.learner.distribution.to_environment(rollout.actions[t])
            seen, _, _, _ = again.step(done)


def test_the_true_rung_trains_the_integrator_alone_on_the_way_home() -> None:
    agent = small([TRUE])
    rollout = act(agent, 48, agent.learner.truths)
    batch, _ = scored(agent.learner, rollout, 0)
    # In DarkHome home is the origin.
    x, y = (-rollout.tensors["position"]).unbind(-1)
    c, s = rollout.tensors["heading"].cos(), rollout.tensors["heading"].sin()
    home = torch.stack((c * x + s * y, c * y - s * x), -1)
    target = batch.tensors["self_localisation/target"]
    torch.testing.assert_close(TRUE.reach * target, home, atol=1e-5, rtol=0)
    agent.learn(1)
    facts = agent.diagnostics()
    found = {a for a in agent.blueprint if facts[f"grad/self_localisation/{a}"] > 0}
    assert found == {"integrator"}


def test_a_score_sees_what_follows_a_rollout_and_the_tasks_own_state() -> None:
    agent = small([Moved()])
    agent.learn(1)
    assert agent.diagnostics()["score/moved"] > 0
    assert agent.learner.cost_states["moved"]["goal"].dtype == torch.int64
    rollout = act(agent, 8, agent.learner.truths)
    batch, _ = scored(agent.learner, rollout, 0)
    way = (rollout.truths_after["position"][0] - rollout.tensors["position"][-1]).norm(dim=-1)
    assert torch.equal(batch.tensors["moved/way"][-1], way * ~rollout.ends[-1])


def test_a_recording_has_them_under_the_same_names() -> None:
    task = TASKS["DarkHome"]()
    trace = recorded.record(task, recorded.policy(task, "oracle"), 3, 0)
    told = WorldVecEnv(task, 1).truths
    assert told == tuple(recorded.truths(World(task, 1)))
    assert set(TRUE.truths) < set(told) < set(trace)
    assert "hidden/limit" in told
    first = trace["episode"] == 0
    lived = {name: torch.as_tensor(trace[name][first]).unsqueeze(1) for name in TRUE.truths}
    lived["episode_start"] = torch.as_tensor(trace["step"][first] == 0).unsqueeze(1)
    notes, _ = TRUE.annotate(Trace(lived), {}, nn.Module())
    target = notes["self_localisation/target"][1:, 0]
    np.testing.assert_allclose(
        nn.functional.normalize(target, dim=-1), way_home(trace)[first][1:], atol=1e-4
    )


def test_every_door_tells_the_same_and_names_the_nearest() -> None:
    doors: list[Any] = [WorldVectorEnv("DarkHome", 2, **LEVEL), WorldEnv("DarkHome", **LEVEL)]
    doors.append(WorldVecEnv("DarkHome", 2, seed=5, **LEVEL))
    for door in doors[:2]:
        door.reset(seed=5)
    doors[2].reset()
    several, one, other = doors
    for name in one.truths:
        x = several.truth(name)
        np.testing.assert_array_equal(x, other.truth(name))
        np.testing.assert_array_equal(x[0], one.truth(name))
        assert not np.shares_memory(x, recorded.truths(several.world)[name])
    for door in doors:
        assert door.truths == one.truths
        with pytest.raises(ValueError, match="DarkHome has no truth 'postion'; near: position"):
            door.truth("postion")
        with pytest.raises(ValueError, match="no truth 'hidden/gaol'; near: hidden/goal"):
            door.truth("hidden/gaol")


@pytest.mark.parametrize("source", ["position", "heading@-1"])
@pytest.mark.parametrize("reader", ["core", "actor"])
def test_no_area_can_read_a_truth(source: str, reader: str) -> None:
    senses = Senses(WorldVecEnv("DarkHome", 1).observation_space).sizes
    plain = BLUEPRINTS["path_integration"](senses)
    node = plain[reader]
    prying = replace(node, inputs=(*node.inputs, source))
    assert isinstance(prying, Node)
    name = source.partition("@")[0]
    with pytest.raises(ValueError, match=f"area {reader!r}: unknown input {name!r}"):
        small([TRUE], structure=Blueprint({**plain.areas, reader: prying}))


def test_a_truth_changes_nothing_but_what_its_cost_trains() -> None:
    """One that counts for nothing yet is as if left out, though it is asked for."""
    later = SelfLocalisation(rung="true", weight=ramp(0.0, 1.0, 10**6, 10**7))
    plain, waiting, zero = small([]), small([later]), small([replace(TRUE, weight=0.0)])
    counted = small([TRUE])
    for agent in (plain, waiting, zero, counted):
        agent.learn(64)
    assert waiting.learner.truths == ("position", "heading")
    assert zero.learner.truths == ()
    assert torch.equal(weights(plain), weights(waiting))
    assert torch.equal(weights(plain), weights(zero))
    assert not torch.equal(weights(plain), weights(counted))


def test_where_no_cost_asks_nothing_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> Any:
        raise AssertionError("asked")

    monkeypatch.setattr(WorldVecEnv, "truth", refuse)
    small([SelfLocalisation()]).learn(1)
    with pytest.raises(AssertionError, match="asked"):
        small([TRUE]).learn(1)


class Placed(gym.Env[Any, Any]):
    """Senses where it is, and tells which way it faces."""

    truths = ("heading",)

    def __init__(self) -> None:
        box = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space: Any = spaces.Dict({"position": box})
        self.action_space: Any = spaces.Discrete(2)

    def truth(self, name: str) -> float:
        return 0.5

    def reset(self, **kwargs: Any) -> Any:
        return {"position": np.zeros(2, np.float32)}, {}

    def step(self, action: int) -> Any:
        return {"position": np.zeros(2, np.float32)}, 0.0, False, False, {}


@dataclass(frozen=True)
class Facing(Cost):
    """Pays for facing left, as an environment of one's own tells it."""

    truths: ClassVar[tuple[str, ...]] = ("heading",)

    def score(self, trace: Trace) -> Tensor:
        return trace["heading"].float().sin()


def test_worlds_that_cannot_tell_are_refused_by_name() -> None:
    words = (
        r"cost 'self_localisation' does not fit this task: it asks of the worlds 'position', "
        r".* tells nothing; train it in a task that tells it"
    )
    for cost in (TRUE, NoiseTarget.like(TRUE)):
        named = words.replace("self_localisation", cost.name)
        with pytest.raises(ValueError, match=named):
            small([replace(cost, reads="core")] if cost is TRUE else [cost], "CartPole-v1",
                  "uniform")  # fmt: skip
    small([replace(TRUE, weight=0.0)], "CartPole-v1", "uniform")
    with pytest.raises(ValueError, match=r"asks of the worlds 'position'.*rename that sense"):
        small([TRUE], Placed(), "uniform")
    facing = small([Facing()], Placed(), "uniform").learn(1)
    assert facing.diagnostics()["score/facing"] == pytest.approx(np.sin(0.5))


def test_other_worlds_must_tell_it_too() -> None:
    class Mute(WorldVecEnv):
        truths = ("heading",)

    agent = small([TRUE])
    before = agent.env
    with pytest.raises(ValueError, match=r"'position', .* tells heading; train it in a task"):
        agent.set_env(Mute("DarkHome", 4, **LEVEL))
    assert agent.env is before
    agent.set_env(VecCheckNan(WorldVecEnv("DarkHome", 4, seed=1, **LEVEL)))
    agent.learn(1)


def test_a_run_that_was_killed_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    first, second = small([TRUE]), small([TRUE])
    first.learn(32 * 2)
    first.checkpoint(tmp_path / "half.zip")
    second.restore(tmp_path / "half.zip")
    first.learn(32 * 2, reset_num_timesteps=False)
    second.learn(32 * 2, reset_num_timesteps=False)
    assert torch.equal(weights(first), weights(second))
    begun = second.learner.cost_states["self_localisation"]["start"]
    assert torch.equal(begun, first.learner.cost_states["self_localisation"]["start"])


def test_a_cohort_sees_each_agents_own() -> None:
    def pair() -> list[Agent]:
        return [small([TRUE], seed=seed) for seed in (3, 8)]

    alone, together = pair(), pair()
    for agent in alone:
        agent.learn(32)
    Cohort(together).learn(32)
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(weights(other), weights(one), atol=3e-6, rtol=0)
        begun, found = (a.learner.cost_states["self_localisation"] for a in (one, other))
        assert torch.equal(begun["start"], found["start"])


def test_the_rung_goes_through_files(tmp_path: Path) -> None:
    small([TRUE]).save(tmp_path / "agent")
    agent = Agent.load(tmp_path / "agent")
    assert agent.learner.truths == ("position", "heading")
    with pytest.raises(ValueError, match="the environment's"):
        Agent.load(tmp_path / "agent", "CartPole-v1")
    placebo = NoiseTarget.like(TRUE)
    assert from_json(to_json([placebo]))[0].truths == TRUE.truths
