"""Several seeds trained as one batch end as if each had been trained alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn
from torch import Tensor, nn

from motley.agents import Agent, Blueprint, Cohort, Node
from motley.agents.areas import AREAS, Actor, Area, Perceptron, State
from motley.costs import COSTS, Cost, LearningProgress, Trace
from motley.envs.sb3 import WorldVecEnv
from motley.envs.tasks import TASKS

SEEDS = (3, 8)
SMALL: dict[str, Any] = {"n_envs": 4, "n_steps": 8, "n_epochs": 2, "n_minibatches": 2}


def make(
    structure: str | Blueprint, env: Any, costs: Any, seeds: Sequence[int] = SEEDS, **settings: Any
) -> list[Agent]:
    def worlds(seed: int) -> Any:
        return env(seed) if callable(env) else env

    return [Agent(structure, worlds(s), costs, seed=s, **{**SMALL, **settings}) for s in seeds]


class Paid(VecEnvWrapper):
    """A task's worlds with rewards drawn at random: in a few steps they seldom give one."""

    def __init__(self, task: str, seed: int) -> None:
        super().__init__(WorldVecEnv(task, SMALL["n_envs"], seed=seed))
        self.draws = np.random.default_rng(seed)

    def reset(self) -> Any:
        return self.venv.reset()

    def step_wait(self) -> VecEnvStepReturn:
        observations, rewards, dones, infos = self.venv.step_wait()
        drawn = self.draws.normal(size=rewards.shape).astype(np.float32)
        return observations, drawn, dones, infos


def cored(core: Node) -> Blueprint:
    """A structure of one core, an actor and a critic."""
    actor = Node(Actor, ("core",), "actor", {"hidden": (8,)})
    return Blueprint(
        {"core": core, "actor": actor, "critic": Node(Perceptron, ("core",), "critic", {"size": 8})}
    )


def weights(agent: Agent) -> Tensor:
    return torch.cat([p.detach().flatten() for p in agent.brain.parameters()])


def both_ways(updates: int, *args: Any, **settings: Any) -> tuple[list[Agent], list[Agent]]:
    """Agents trained alone, and the same trained together."""
    alone, together = make(*args, **settings), make(*args, **settings)
    steps = updates * alone[0].n_steps * alone[0].n_envs
    for agent in alone:
        agent.learn(steps)
    Cohort(together).learn(steps)
    return alone, together


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.filterwarnings("ignore:.*has no calibration")
def test_an_update_together_equals_one_alone(task: str) -> None:
    def worlds(seed: int) -> Paid:
        return Paid(task, seed)

    alone, together = both_ways(1, "matched", worlds, "heterogeneous")
    before = make("matched", worlds, "heterogeneous")
    for one, other, untrained in zip(alone, together, before, strict=True):
        assert not torch.equal(weights(other), weights(untrained))
        # 1e-6 but for a weight in 10,000, whose gradient is so small that Adam blows up rounding.
        torch.testing.assert_close(weights(other), weights(one), atol=3e-6, rtol=0)
        assert ((weights(other) - weights(one)).abs() > 1e-6).float().mean() < 1e-4
        # PopArt divides what rounding left by the deviation of returns, which may be small.
        for name, head in one.learner.heads.named_parameters():
            theirs = other.learner.heads.get_parameter(name)
            torch.testing.assert_close(theirs, head, atol=1e-5, rtol=1e-3)
        facts, found = one.diagnostics(), other.diagnostics()
        assert facts.keys() == found.keys()
        assert facts["grad/reward/actor"] > 0
        for name, value in facts.items():
            if not name.startswith(("grad/value", "cost/value", "value/")):
                assert found[name] == pytest.approx(value, abs=1e-4, rel=1e-3, nan_ok=True), name


@pytest.mark.parametrize("core", ["LSTM", "MinGRU", "Attention", "Reservoir"])
def test_generic_cores(core: str) -> None:
    options = {"size": 16, "window": 8} if core == "Attention" else {"size": 16}
    blueprint = cored(Node(AREAS[core], ("vision", "egomotion"), "core", options))
    alone, together = both_ways(2, blueprint, "DarkHome", "reward+entropy", budget=None)
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(weights(other), weights(one), atol=5e-6, rtol=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"credit": "bptt_4"},
        {"routing": "global"},
        {"clip_by_area": False, "normalise_returns": False},
        {"development": {"weights": {"next_observation": [[0, 1.0], [64, 0.0]]},
                         "plasticity": {"core": [[0, 0.0], [32, 1.0]]}}},
    ],
)  # fmt: skip
def test_settings_count(settings: dict[str, Any]) -> None:
    alone, together = both_ways(3, "matched", "DarkHome", "heterogeneous", **settings)
    [plain, *_] = make("matched", "DarkHome", "heterogeneous")
    plain.learn(3 * 32)
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(weights(other), weights(one), atol=5e-6, rtol=0)
    assert (weights(together[0]) - weights(plain)).abs().max() > 1e-4


def test_what_is_rehearsed_is_each_ones_own_and_is_saved(tmp_path: Path) -> None:
    costs = ("reward", LearningProgress(rehearsed=50))
    alone, together = both_ways(3, "uniform", "DarkHome", costs)
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(weights(other), weights(one), atol=5e-6, rtol=0)
        mine, theirs = (a.learner.heads["learning_progress"].state_dict() for a in (one, other))
        torch.testing.assert_close(theirs["past.kept"], mine["past.kept"], atol=1e-4, rtol=0)
        assert mine["past.kept"].any()
    [first, *_] = alone
    first.checkpoint(tmp_path / "x.zip")
    [again, *_] = make("uniform", "DarkHome", costs)
    again.restore(tmp_path / "x.zip")
    for agent in (first, again):
        agent.learn(64, reset_num_timesteps=False)
    assert torch.equal(weights(again), weights(first))


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1"])
def test_environments_of_others(name: str) -> None:
    def worlds(seed: int) -> Any:
        # Cut short, some before they fall and some not.
        return make_vec_env(name, 4, seed, env_kwargs={"max_episode_steps": 5 + seed})

    alone, together = both_ways(3, "uniform", worlds, "reward")
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(weights(other), weights(one), atol=5e-6, rtol=0)
        lengths = [[info["l"] for info in agent.ep_info_buffer or ()] for agent in (one, other)]
        assert lengths[0] == lengths[1]
        assert one.seed is not None
        assert max(lengths[0]) == 5 + one.seed


class Listener(BaseCallback):
    """Notes what it is told, saves within a rollout, and stops after so many steps."""

    def __init__(self, stop: int = 10**9, save: Path | None = None) -> None:
        super().__init__()
        self.stop, self.save, self.rewards, self.rollouts = stop, save, list[Any](), 0

    def _on_training_start(self) -> None:
        assert self.locals["self"] is self.model
        self.end = self.locals["total_timesteps"]

    def _on_step(self) -> bool:
        if self.save is not None:
            assert isinstance(self.model, Agent)
            self.model.checkpoint(self.save)
        self.rewards.append(np.array(self.locals["rewards"]))
        assert len(self.locals["infos"]) == len(self.locals["dones"]) == self.model.n_envs
        return self.num_timesteps < self.stop

    def _on_rollout_end(self) -> None:
        self.rollouts += 1


def test_each_agent_has_its_own_callback() -> None:
    alone, together = (make("uniform", "CacheRecall", "reward") for _ in range(2))
    heard = [Listener() for _ in together]
    Cohort(together).learn(96, heard)
    for agent, listener in zip(alone, heard, strict=True):
        own = Listener()
        agent.learn(96, own)
        assert listener.rollouts == own.rollouts == 3
        np.testing.assert_allclose(listener.rewards, own.rewards, atol=1e-6)
    assert [agent.num_timesteps for agent in together] == [96, 96]


def test_a_callback_stops_all() -> None:
    together = make("uniform", "CacheRecall", "reward")
    heard = [Listener(), Listener(stop=40)]
    Cohort(together).learn(960, heard)
    assert [agent.num_timesteps for agent in together] == [40, 40]
    assert len(heard[0].rewards) == len(heard[1].rewards) == 10


def test_afterwards_each_goes_on_alone(tmp_path: Path) -> None:
    alone, together = (make("matched", "DarkHome", "heterogeneous", final_rate=1.0) for _ in "12")
    Cohort(together).learn(64)
    other = weights(together[1])
    together[0].learn(64, reset_num_timesteps=False)
    torch.testing.assert_close(weights(together[1]), other, atol=0, rtol=0)
    alone[0].learn(128)
    torch.testing.assert_close(weights(together[0]), weights(alone[0]), atol=1e-5, rtol=0)
    # ... or from a file, on which the optimiser's state stands too
    together[1].checkpoint(tmp_path / "second.zip")
    [_, again] = make("matched", "DarkHome", "heterogeneous", final_rate=1.0)
    again.restore(tmp_path / "second.zip")
    for agent in (together[1], again):
        agent.learn(64, reset_num_timesteps=False)
    torch.testing.assert_close(weights(again), weights(together[1]), atol=0, rtol=0)


def test_together_again_goes_on() -> None:
    once, twice = (make("uniform", "DarkHome", "reward", final_rate=1.0) for _ in "12")
    Cohort(once).learn(128)
    Cohort(twice).learn(64)
    Cohort(twice).learn(64, reset_num_timesteps=False)
    for one, other in zip(once, twice, strict=True):
        torch.testing.assert_close(weights(other), weights(one), atol=1e-6, rtol=0)


def test_callbacks_are_told_the_last_step() -> None:
    together = make("uniform", "CacheRecall", "reward")
    Cohort(together).learn(32)
    heard = [Listener(), Listener()]
    Cohort(together).learn(64, heard, reset_num_timesteps=False)
    assert [listener.end for listener in heard] == [96, 96]


def test_each_agent_logs_where_its_own_seed_does(tmp_path: Path) -> None:
    together = make("uniform", "DarkHome", "reward", tensorboard_log=str(tmp_path))
    for new in (True, False):
        Cohort(together).learn(32, reset_num_timesteps=new)
    found = [str(agent.logger.get_dir()) for agent in together]
    assert found == [str(tmp_path / f"Agent_{seed}_1") for seed in SEEDS]


def test_a_checkpoint_within_a_rollout_goes_on_with_new_episodes(tmp_path: Path) -> None:
    file = tmp_path / "within.zip"
    together = make("uniform", "DarkHome", "reward")
    Cohort(together).learn(64, [Listener(save=file), None])
    [again, _] = make("uniform", "DarkHome", "reward")
    again.restore(file)
    assert again.num_timesteps == 64
    again.learn(32, reset_num_timesteps=False)
    assert again.num_timesteps == 96


class Centred(Area):
    """An area that takes off the running mean of what it sees, and counts as it goes."""

    mean: Tensor

    def __init__(self, sizes: tuple[int, ...], size: int = 4):
        super().__init__(sizes, size)
        self.layer = nn.Linear(sum(sizes), size)
        self.register_buffer("mean", torch.zeros(sum(sizes)))

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        with torch.no_grad():
            self.mean += 0.1 * (inputs[0].mean((0, 1)) - self.mean)
        return self.layer(inputs[0] - self.mean), state


def test_buffers_that_areas_change_are_their_agents_own() -> None:
    blueprint = cored(Node(Centred, ("vision",), "core"))
    alone, together = both_ways(2, blueprint, "DarkHome", "reward", budget=None)
    for one, other in zip(alone, together, strict=True):
        mean = one.brain.areas["core"].get_buffer("mean")
        assert mean.abs().max() > 0.01
        torch.testing.assert_close(other.brain.areas["core"].get_buffer("mean"), mean)
        torch.testing.assert_close(weights(other), weights(one), atol=5e-6, rtol=0)
    before = together[1].brain.areas["core"].get_buffer("mean").clone()
    together[0].learn(32)
    assert torch.equal(together[1].brain.areas["core"].get_buffer("mean"), before)


class Reads(Area):
    """An area that looks at a number."""

    def __init__(self, sizes: tuple[int, ...], size: int = 4):
        super().__init__(sizes, size)
        self.layer = nn.Linear(sum(sizes), size)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        x = self.layer(inputs[0])
        return (x if float(x.detach().sum()) else -x), state


class Numpy(Reads):
    """An area that computes with NumPy."""

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        return torch.from_numpy(np.tanh(self.layer(inputs[0]).detach().numpy())), state


@dataclass(frozen=True)
class Adapting(Cost):
    """A loss that reads a buffer in whose place scoring puts another."""

    def heads(self, sizes: Any) -> nn.Module:
        made = nn.Linear(1, 1)
        made.register_buffer("level", torch.zeros(()))
        return made

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        heads.level = heads.get_buffer("level") + trace["vision"].mean()
        return {}, state

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        assert isinstance(heads, nn.Linear)
        error = heads.weight.sum() - heads.get_buffer("level")
        return error.square().expand_as(trace["reward"])


def test_a_buffer_that_scoring_replaces_is_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COSTS, "adapting", Adapting)
    alone, together = both_ways(3, "uniform", "DarkHome", ["reward", Adapting()])
    for one, other in zip(alone, together, strict=True):
        mine, theirs = (a.learner.heads["adapting"] for a in (other, one))
        assert theirs.get_buffer("level") > 0.01
        torch.testing.assert_close(mine.get_buffer("level"), theirs.get_buffer("level"))
        torch.testing.assert_close(mine.weight, theirs.weight, atol=5e-6, rtol=0)


@dataclass(frozen=True)
class Infinite(Cost):
    """A loss that is not finite where the weights are those of one seed."""

    def heads(self, sizes: Any) -> nn.Module:
        return nn.Linear(1, 1)

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        assert isinstance(heads, nn.Linear)
        broken = torch.where(heads.weight.sum() > 1e6, torch.inf, 0.0)
        return torch.zeros_like(trace["reward"]) + broken


def test_a_cost_that_is_not_finite_names_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COSTS, "infinite", Infinite)
    together = make("uniform", "DarkHome", ["reward", Infinite()])
    head = together[1].learner.heads["infinite"]
    assert isinstance(head, nn.Linear)
    nn.init.constant_(head.weight, 1e7)
    with pytest.raises(FloatingPointError, match="'infinite' of seed 8 is not finite in update 0"):
        Cohort(together).learn(32)


class Wider(Perceptron):
    """Gives a number more than it says."""

    def forward(self, inputs: Any, state: Any, episode_start: Tensor) -> Any:
        output, after = super().forward(inputs, state, episode_start)
        return torch.cat((output, output[..., :1]), -1), after


def test_an_area_that_gives_more_than_it_says_is_named_together_too() -> None:
    blueprint = cored(Node(Wider, ("vision",), "core", {"size": 8}))
    with pytest.raises(ValueError, match="gave 9 numbers a step, and its size says 8"):
        Cohort(make(blueprint, "DarkHome", "reward", budget=None)).learn(32)


def odd(**settings: Any) -> list[Agent]:
    """Two agents of which the second differs."""
    [first] = make("uniform", "DarkHome", "reward", (0,))
    [second] = make(**{"structure": "uniform", "env": "DarkHome", "costs": "reward",
                       "seeds": (100,), **settings})  # fmt: skip
    return [first, second]


def alike(costs: Any = "reward", **settings: Any) -> list[Agent]:
    return make("uniform", "DarkHome", costs, **settings)


def shared() -> list[Agent]:
    env = make_vec_env("CartPole-v1", 4)
    return make("uniform", lambda seed: env, "reward")


def variants(task: str, name: str) -> list[Agent]:
    """Two agents, the second in a variant of the first one's task."""
    return [
        Agent("uniform", task, "reward", seed=seed, env_kwargs={name: seed > 0}, **SMALL)
        for seed in (0, 100)
    ]


def falls() -> list[Agent]:
    """Two agents, the second on another planet."""
    return [
        Agent("uniform", "Pendulum-v1", "reward", seed=round(g), env_kwargs={"g": g}, **SMALL)
        for g in (10.0, 1.6)
    ]


def lesioned() -> list[Agent]:
    agents = alike()
    agents[1].lesion("core")
    return agents


def homeless() -> list[Agent]:
    agents = alike()
    agents[1].env = None
    return agents


def competent() -> list[Agent]:
    weights = {"next_observation": {"points": [[0, 1.0]], "since": {"threshold": 0.5}}}
    return alike("reward+next_observation", development={"weights": weights})


def reading(area: type[Area]) -> list[Agent]:
    return make(cored(Node(area, ("vision",), "core")), "DarkHome", "reward", budget=None)


@pytest.mark.parametrize(
    ("agents", "message"),
    [
        (list, "at least one agent"),
        (lambda: [a := alike()[0], a], "at least one agent, and each once"),
        (shared, "share their worlds"),
        (lambda: odd(structure="matched", costs="heterogeneous"), "differ in blueprint"),
        (lambda: odd(costs="reward+entropy"), "differ in costs"),
        (lambda: odd(gamma=0.9), "differ in settings"),
        (lambda: odd(n_envs=8), "differ in n_envs"),
        (lambda: odd(final_rate=0.5), "learning_rate or final_rate"),
        (lambda: alike(routing="shuffled", costs="reward+next_observation"), "'shuffled'"),
        (lambda: alike(target_kl=0.1), "target_kl"),
        (lambda: alike(credit="node_perturbation"), "'node_perturbation'"),
        (lesioned, "'core' is lesioned"),
        (homeless, "no worlds"),
        (lambda: odd(env="CacheRecall"), "differ in their task: .*DarkHome.* and .*CacheRecall"),
        (lambda: variants("DelayReach", "field"), "task: .*'field': False.* and .*'field': True"),
        (falls, "task: .*'g': 10.0.* and .*'g': 1.6"),
        (lambda: alike(seeds=(5, 5)), "agents of seeds 5 and 5 share worlds"),
        (lambda: alike(seeds=(7, 5)), "agents of seeds 5 and 7 share worlds.* 4 or more apart"),
        (lambda: [1, 2], "a cohort takes agents, not 1"),
        (lambda: None, "a cohort takes a list of agents, not None"),
        (lambda: "ab", "a cohort takes a list of agents, not 'ab'"),
        (lambda: alike()[0], "a list of agents, not <motley"),
        (competent, "by competence"),
        (lambda: reading(Reads), r"area 'core' \(Reads\) cannot run for several"),
        (lambda: reading(Numpy), r"area 'core' \(Numpy\) cannot run for several"),
    ],
)
def test_what_cannot_be_together_is_named(agents: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cohort(agents()).learn(32)


def test_callbacks_are_one_for_each() -> None:
    one = Listener()
    for callbacks in ([one], [one, one]):
        with pytest.raises(ValueError, match="2 agents take as many callbacks, each its own"):
            Cohort(alike()).learn(32, callbacks)


def test_what_changed_since_is_refused_too() -> None:
    agents = alike()
    cohort = Cohort(agents)
    agents[1].lesion("core")
    with pytest.raises(ValueError, match="'core' is lesioned"):
        cohort.learn(32)
    agents[1].heal()
    agents[1].learn(32)
    with pytest.raises(ValueError, match="differ in num_timesteps"):
        cohort.learn(32)
    agents[0].learn(32)
    agents[1].brain.areas["core"].requires_grad_(False)
    with pytest.raises(ValueError, match=r"'brain.areas.core.*' is frozen; freeze the same"):
        cohort.learn(32)
    agents[1].brain.areas["core"].requires_grad_(True)
    agents[0].learn(32)
    with pytest.raises(ValueError, match="differ in n_updates"):
        cohort.learn(32)


def test_what_all_have_frozen_stays_in_each() -> None:
    def worlds(seed: int) -> Paid:
        return Paid("DarkHome", seed)

    alone, together, before = (make("uniform", worlds, "reward") for _ in range(3))
    for agent in (*alone, *together):
        agent.brain.areas["core"].requires_grad_(False)
    for agent in alone:
        agent.learn(agent.n_steps * agent.n_envs)
    Cohort(together).learn(together[0].n_steps * together[0].n_envs)
    for one, other, untrained in zip(alone, together, before, strict=True):
        torch.testing.assert_close(weights(other), weights(one), atol=3e-6, rtol=0)
        for name, p in other.brain.named_parameters():
            stayed = torch.equal(p, untrained.brain.get_parameter(name))
            assert stayed == name.startswith("areas.core."), name


def test_agents_that_are_not_frozen_alike_are_refused() -> None:
    for freeze in (
        lambda agents: agents[0].learner.heads.requires_grad_(False),
        lambda agents: [
            agents[i].brain.areas[n].requires_grad_(False) for i, n in ((0, "core"), (1, "encoder"))
        ],
    ):
        agents = alike()
        freeze(agents)
        with pytest.raises(ValueError, match="is frozen; freeze the same in each"):
            Cohort(agents)


def test_unequal_steps_of_the_optimiser_are_refused() -> None:
    agents = alike()
    agents[1].learn(32)
    agents[1].num_timesteps = agents[1].n_updates = 0
    with pytest.raises(ValueError, match="unequal numbers of gradient steps: 0, 4"):
        Cohort(agents).learn(32)
    for p in agents[0].brain.parameters():  # all are agents of their own again
        assert p.untyped_storage().nbytes() == p.nbytes
