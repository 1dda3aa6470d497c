"""The agent as an algorithm of SB3, on our worlds and on others' environments."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.envs.classic_control import CartPoleEnv
from stable_baselines3.common.callbacks import BaseCallback, CheckpointCallback, EvalCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor

from motley.agents import BLUEPRINTS, WIDTH, Agent, Blueprint, Node, make_worlds
from motley.agents.actions import action_distribution
from motley.agents.areas import GRU, Actor, Perceptron
from motley.agents.blueprints import PROBLEMS
from motley.agents.brain import Brain
from motley.agents.spaces import from_json, to_json
from motley.costs import Entropy
from motley.envs.sb3 import WorldVecEnv
from motley.envs.tasks import TASKS

pytestmark = pytest.mark.filterwarnings("ignore:.*has no calibration")
TASK_OF = {PROBLEMS[task.problem]: name for name, task in TASKS.items() if task.problem in PROBLEMS}
OURS = [t for t in ("DarkHome", "CacheRecall") if t in TASKS]


class Mixed(gym.Env[dict[str, Any], Any]):
    """Every kind of space at once."""

    def __init__(self) -> None:
        self.observation_space = spaces.Dict({
            "box": spaces.Box(-1.0, 1.0, (2, 3), np.float32),
            "one": spaces.Discrete(3, start=1),
            "many": spaces.MultiDiscrete([2, 4], start=[0, 5]),
            "bits": spaces.MultiBinary(3),
            "picture": spaces.Box(0, 255, (4, 4, 3), np.uint8),
        })  # fmt: skip
        self.action_space = spaces.MultiDiscrete([3, 2])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(np.asarray(action))
        over = bool(self.np_random.random() < 0.1)
        return self.observation_space.sample(), 1.0, over, False, {}


def small(env: Any, structure: str = "uniform", costs: Any = "reward", **more: Any) -> Agent:
    settings: dict[str, Any] = {"n_steps": 16, "n_envs": 4, "budget": 30_000, "seed": 0, **more}
    return Agent(structure, env, costs, **settings)


def test_one_agent_trains_on_every_task() -> None:
    agent = small("DarkHome", n_steps=8)
    for count, name in enumerate(TASKS, 1):
        agent.set_env(f"motley/{name}-v0")
        assert agent.env is not None
        assert agent.env.get_attr("task")[0].name == name
        before = [p.detach().clone() for p in agent.policy.parameters()]
        agent.learn(32, reset_num_timesteps=False)
        assert agent.num_timesteps == 32 * count
        after = list(agent.policy.parameters())
        assert all(p.isfinite().all() for p in after)
        assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
@pytest.mark.parametrize("structure", ["uniform", "feedforward"])
def test_it_learns_and_is_evaluated_on_gymnasiums_own(env_id: str, structure: str) -> None:
    agent = small(make_vec_env(env_id, 4), structure, budget=None).learn(128)
    assert agent.num_timesteps == 128
    mean, _ = evaluate_policy(agent, make_vec_env(env_id, 2), n_eval_episodes=2)
    assert np.isfinite(mean)


def test_every_kind_of_space() -> None:
    agent = small(DummyVecEnv([Mixed] * 2)).learn(64)
    assert agent.policy.senses.sizes == {
        "bits": 3, "box": 6, "many": 6, "one": 3, "picture": 48,
    }  # fmt: skip
    mean, _ = evaluate_policy(agent, gym.wrappers.TimeLimit(Mixed(), 50), 2, warn=False)
    assert isinstance(mean, float)
    assert mean > 0


@pytest.mark.filterwarnings("ignore:rich is experimental")
def test_callbacks_and_progress_bar(tmp_path: Path) -> None:
    agent = small("DarkHome", env_kwargs={"level": 0})
    evaluation = WorldVecEnv("DarkHome", 2, seed=5, level=0)
    agent.learn(
        256,
        [
            EvalCallback(evaluation, n_eval_episodes=2, eval_freq=32, log_path=str(tmp_path),
                         best_model_save_path=str(tmp_path), verbose=0),
            CheckpointCallback(32, str(tmp_path), "at"),
        ],
        progress_bar=True,
    )  # fmt: skip
    assert np.isfinite(np.load(tmp_path / "evaluations.npz")["results"]).all()
    assert Agent.load(tmp_path / "best_model.zip").n_parameters == agent.n_parameters
    assert sorted(p.name for p in tmp_path.glob("at_*"))[0] == "at_128_steps.zip"


def test_callbacks_read_the_last_step_where_learning_goes_on() -> None:
    told: list[int] = []

    class Asks(BaseCallback):
        def _on_training_start(self) -> None:
            told.append(self.locals["total_timesteps"])

        def _on_step(self) -> bool:
            return True

    agent = small("DarkHome").learn(64, Asks())
    agent.learn(64, Asks(), reset_num_timesteps=False)
    assert told == [64, 128]


def test_a_callback_stops_learning() -> None:
    agent = small("DarkHome").learn(10_000, lambda *_: False)
    assert agent.num_timesteps == 4


def test_predict_takes_one_or_many() -> None:
    agent, env = small("DarkHome", "path_integration"), WorldVecEnv("DarkHome", 3, seed=1)
    many: Any = env.reset()
    one = {name: x[1] for name, x in many.items()}
    batch, state = agent.predict(many, deterministic=True)
    single, single_state = agent.predict(one, deterministic=True)
    assert batch.shape == (3, 2)
    assert single.shape == (2,)
    np.testing.assert_allclose(batch[1], single, atol=1e-6)
    assert state is not None
    assert single_state is not None
    later, _ = agent.predict(many, state, deterministic=True)
    later_one, _ = agent.predict(one, single_state, deterministic=True)
    np.testing.assert_allclose(later[1], later_one, atol=1e-6)
    assert not np.array_equal(later, batch)  # it remembers
    again, _ = agent.predict(many, state, np.array([False, True, True]), deterministic=True)
    np.testing.assert_allclose(again[1:], batch[1:], atol=1e-6)
    np.testing.assert_allclose(again[0], later[0], atol=1e-6)


def test_watching_does_not_change_learning() -> None:
    plain, watched = small("DarkHome").learn(64), small("DarkHome")
    seen = WorldVecEnv("DarkHome", 3, seed=1).reset()
    for _ in range(5):
        watched.predict(seen)
    watched.learn(64)
    for a, b in zip(plain.policy.parameters(), watched.policy.parameters(), strict=True):
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())


def test_one_seed_gives_one_agent() -> None:
    def weights(seed: int) -> np.ndarray:
        agent = small("DarkHome", seed=seed).learn(128)
        return np.concatenate([p.detach().numpy().ravel() for p in agent.policy.parameters()])

    assert np.array_equal(weights(3), weights(3))
    assert not np.array_equal(weights(3), weights(4))


def test_diagnostics_name_costs_values_and_gradients() -> None:
    agent = small("DarkHome", "path_integration", "heterogeneous").learn(64)
    told = agent.diagnostics()
    names = set(agent.learner.routes)
    assert {k.split("/")[1] for k in told if k.startswith("cost/")} == names
    assert {k for k in told if k.startswith("value/")} == {"value/reward"}
    grads = {tuple(k.split("/")[1:]) for k in told if k.startswith("grad/")}
    assert grads == {(cost, area) for cost in names for area in agent.blueprint}
    assert {"return", "score01", "success"} <= set(told)


@pytest.mark.parametrize("structure", [s for s in BLUEPRINTS if s != "feedforward"])
def test_structures_meet_the_budget(structure: str) -> None:
    task = TASK_OF.get(structure.partition(".")[0], "DarkHome")
    for costs in ("reward", "heterogeneous"):
        agent = Agent(structure, task, costs, n_envs=1, budget=40_000, seed=0)
        assert abs(agent.n_parameters - 40_000) <= 800
        counted = sum(p.numel() for p in agent.brain.parameters())
        assert agent.n_parameters == counted


def test_a_budget_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="give a budget above that, not 100"):
        small("DarkHome", budget=100)


def test_initial_weights_depend_on_the_seed_and_the_areas_name_only() -> None:
    actions = action_distribution(spaces.Discrete(3))
    gru = Node(GRU, ("eye",), "core", {"size": WIDTH})
    areas = {
        "core": gru,
        "actor": Node(Actor, ("core",), "actor"),
        "critic": Node(Perceptron, ("core",), "critic"),
    }
    more = {"other": Node(Perceptron, ("eye",), "encoder"), **areas}

    def weights(blueprint: dict[str, Node], seed: int = 0) -> dict[str, np.ndarray]:
        brain = Brain(Blueprint(blueprint), {"eye": 5}, actions, seed, 8)
        return {name: p.detach().numpy() for name, p in brain.named_parameters()}

    few, many = weights(areas), weights(more)
    assert len(many) > len(few)
    assert all(np.array_equal(few[name], many[name]) for name in few)
    assert any(not np.array_equal(few[name], x) for name, x in weights(areas, 1).items())


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="unknown structure 'unifrom'; did you mean uniform"):
        small("DarkHome", "unifrom")
    with pytest.raises(ValueError, match="unknown cost set or cost 'rewrad'; did you mean reward"):
        small("DarkHome", costs="rewrad")
    with pytest.raises(ValueError, match="'path_integration' needs the sense 'egomotion'"):
        small(make_vec_env("CartPole-v1", 1), "path_integration")
    with pytest.raises(ValueError, match="'matched' depends on the problem"):
        small(make_vec_env("CartPole-v1", 1), "matched")
    with pytest.raises(ValueError, match="DarkHome"):
        small("motley/DrakHome-v0")
    with pytest.raises(ValueError, match="unknown structure 'matchd'; did you mean matched"):
        small("DarkHome", "matchd")
    with pytest.raises(ValueError, match="'CartPole-v9'; did you mean CartPole-v1"):
        small("CartPole-v9")
    with pytest.raises(ValueError, match="'minigrid:MiniGrid-Empty-5x5-v0'"):
        small("MiniGrid-Nowhere-v0")
    with pytest.raises(ValueError, match="costs must be a name or a list"):
        small("DarkHome", costs=Entropy)
    with pytest.raises(ValueError, match="total_timesteps must be an int or float of at least 0"):
        small("DarkHome").learn(-1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_steps", 0),
        ("n_envs", "many"),
        ("seed", "a"),
        ("seed", -1),
        ("seed", np.int64(3)),  # no file could hold it
        ("n_steps", True),
        ("gamma", None),
        ("final_rate", 2),
        ("clip_range", None),
        ("learning_rate", "fast"),
        ("budget", 0.5),
        ("structure", None),
        ("env_kwargs", "level"),
    ],
)
def test_an_argument_that_cannot_be_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be .*, not {re.escape(repr(value))}$"):
        small("DarkHome", **{name: value})


@pytest.mark.parametrize("env", [5, CartPoleEnv, gym.make_vec("CartPole-v1", 2)], ids=str)
def test_what_is_no_environment_is_named(env: Any) -> None:
    with pytest.raises(ValueError, match=f"^env must be .*, not {re.escape(repr(env))}$"):
        Agent("matched", env)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"level": "a"}, "DarkHome has levels 0 to 4, not 'a'"),
        ({"level": 1.5}, "DarkHome has levels 0 to 4, not 1.5"),
        ({"level": np.float32(1)}, r"DarkHome has levels 0 to 4, not .*1\.0"),
        ({"level": True}, "DarkHome has levels 0 to 4, not True"),
        ({"level": np.True_}, "DarkHome has levels 0 to 4, not .*True"),
        ({"ood": "no"}, r"DarkHome\(ood='no'\): give True or False"),
        ({"levle": 1}, "unexpected keyword argument 'levle'; it takes level, ood"),
    ],
)
def test_a_setting_that_a_task_does_not_take_is_named(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_worlds("DarkHome", 2, 0, settings)
    with pytest.raises(ValueError, match=message):
        small("DarkHome", env_kwargs=settings)


@pytest.mark.parametrize("name", ["id", "seed", "num_envs", 1])
def test_what_says_which_worlds_there_are_is_no_setting_of_one(name: Any) -> None:
    with pytest.raises(ValueError, match=f"env_kwargs cannot have {name!r}"):
        small("DarkHome", env_kwargs={name: 3})


@pytest.mark.parametrize("env", [CartPoleEnv(), None], ids=str)
def test_a_setting_of_worlds_that_are_there_already_is_refused(env: Any) -> None:
    with pytest.raises(ValueError, match=r"env_kwargs .* go with an id, not with"):
        Agent("uniform", env, env_kwargs={"level": 1})


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu0", "device 'gpu0' is not known: give cpu, cuda or mps"),
        (None, "device None is not known: give cpu, cuda or mps"),
        (f"cuda:{torch.cuda.device_count()}", "torch sees no such GPU; give cpu"),
        ("meta", "device 'meta' is not here"),
    ],
)
def test_a_device_that_is_not_here_is_named(device: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        small("DarkHome", device=device)
    small("DarkHome").save(tmp_path / "model")
    with pytest.raises(ValueError, match=message):
        Agent.load(tmp_path / "model", device=device)


def _change(name: str, value: Any) -> Any:
    return lambda seen: {**seen, name: value}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_change("box", np.full((2, 2, 3), np.nan, np.float32)), "sense 'box' holds nan"),
        (_change("box", np.full((2, 2, 3), -np.inf)), "sense 'box' holds -inf"),
        (_change("box", np.zeros((2, 5))), r"sense 'box' has shape \(2, 5\), not \(2, 3\), or"),
        (_change("box", np.zeros((2, 3))), r"shape \(2, 3\), not \(2, 2, 3\) as .*'bits'"),
        (_change("box", np.zeros((4, 2, 3))), r"has shape \(4, 2, 3\), not \(2, 2, 3\) as"),
        (_change("box", np.zeros((1, 2, 2, 3))), r"'box' has shape \(1, 2, 2, 3\), not \(2, 3\)"),
        (_change("box", [[1.0], [1.0, 2.0]]), "sense 'box' is no array of one shape"),
        (_change("box", None), "sense 'box' must hold numbers, not NoneType"),
        (_change("one", np.array([1, 4])), r"sense 'one' must hold ints from 1 to 3, not \[1 4\]"),
        (_change("one", np.array([1.0, 2.0])), "sense 'one' must hold ints"),
        (_change("many", np.array([[0, 5], [2, 5]])), r"'many' must hold ints from \[0 5\]"),
        (_change("picture", np.zeros((2, 5, 4, 3))), r"sense 'picture' has shape \(2, 5, 4, 3\)"),
        (_change("bxo", np.zeros((2, 2, 3))), "unknown sense 'bxo'; did you mean box"),
        (lambda seen: {k: x for k, x in seen.items() if k != "bits"}, "lacks the sense 'bits'"),
        (lambda seen: seen["box"], "must be a dict of bits, box, .*, not ndarray"),
    ],
)  # fmt: skip
def test_an_observation_that_cannot_be_is_named(change: Any, message: str) -> None:
    env = DummyVecEnv([Mixed] * 2)
    agent = small(env)
    seen = env.reset()
    agent.predict(seen)
    with pytest.raises(ValueError, match=message):
        agent.predict(change(seen))


def test_a_state_or_start_of_other_worlds_is_named() -> None:
    env = DummyVecEnv([Mixed] * 2)
    agent = small(env)
    seen = env.reset()
    _, state = agent.predict(seen)
    agent.predict(seen, state, np.ones(2, bool))
    assert state is not None
    one = tuple(x[:1] for x in state)
    narrow = (state[0][:, :1], *state[1:])
    for given, starts, message in (
        (one, None, "state is of 1 worlds, the observation of 2"),
        ((state[0], *one[1:]), None, "state is of 1 worlds, the observation of 2"),
        (narrow, None, rf"a part of shape \(2, {state[0].shape[1]}\), not \(2, 1\)"),
        ((state[0], *([None] * len(state[1:]))), None, r"a part of shape .*, not \(\)"),
        (np.zeros(2), None, "state must be what the last call returned"),
        (state[:-1], None, "state must be what the last call returned"),
        (state, np.ones(5, bool), "episode_start is of 5 worlds, the observation of 2"),
    ):
        with pytest.raises(ValueError, match=message):
            agent.predict(seen, given, starts)  # type: ignore[arg-type]


def test_a_space_with_every_part_survives_its_file() -> None:
    space = Mixed().observation_space
    assert from_json(json.loads(json.dumps(to_json(space)))) == space


def test_a_sole_observation_that_cannot_be_is_named() -> None:
    agent = small("CartPole-v1")
    assert agent.predict(np.zeros(4))[0].shape == ()
    for seen, message in (
        (np.array([0, 0, np.nan, 0]), "sense 'observation' holds nan"),
        (np.zeros((2, 5)), r"sense 'observation' has shape \(2, 5\), not \(4,\)"),
        (np.zeros((2, 3, 4)), r"has shape \(2, 3, 4\), not \(4,\)"),
        (3, r"has shape \(\), not \(4,\)"),
        ({"observation": np.zeros(4)}, "must hold numbers, not dict"),
    ):
        with pytest.raises(ValueError, match=message):
            agent.predict(seen)


def test_learning_leaves_no_folder_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    agent = small("DarkHome").learn(64)
    assert not capsys.readouterr().out
    agent.verbose = 1  # SB3's table is still shown
    agent.learn(64)
    assert "total_timesteps" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    agent.tensorboard_log = str(tmp_path / "log")
    agent.learn(64)
    assert list((tmp_path / "log").iterdir())


@pytest.mark.parametrize("task", OURS)
def test_matched_and_mismatched_follow_the_task(task: str) -> None:
    matched = small(task, "matched").blueprint.name
    assert matched == {"DarkHome": "path_integration", "CacheRecall": "episodic_memory"}[task]
    assert small(task, "mismatched").blueprint.name not in (matched, "uniform")


class Wider(Perceptron):
    """Gives a number more than it states."""

    def forward(self, inputs: Any, state: Any, episode_start: Tensor) -> Any:
        output, after = super().forward(inputs, state, episode_start)
        return torch.cat((output, output[..., :1]), -1), after


class Rooted(Perceptron):
    """Has a root of what is negative."""

    def forward(self, inputs: Any, state: Any, episode_start: Tensor) -> Any:
        output, after = super().forward(inputs, state, episode_start)
        return (output - 2.0).sqrt(), after


@pytest.mark.parametrize(
    ("area", "error", "said"),
    [
        (Wider, ValueError, "area 'middle' gave 9 numbers a step, and its size says 8"),
        (Rooted, FloatingPointError, "output of area 'middle' is not finite in step 1 of a rollo"),
    ],
)
@pytest.mark.parametrize(("env", "sense"), [("DarkHome", "vision"), ("CartPole-v1", "observation")])
def test_an_area_whose_output_cannot_be_is_named(
    env: str, sense: str, area: type[Perceptron], error: type[Exception], said: str
) -> None:
    """Also where any action is one of the choices that there are."""
    areas = {
        "first": Node(Perceptron, (sense,), "encoder", {"size": 8}),
        "middle": Node(area, ("first",), "core", {"size": 8}),
        "actor": Node(Actor, ("middle",), "actor"),
        "critic": Node(Perceptron, ("middle",), "critic", {"size": 8}),
    }
    agent = Agent(Blueprint(areas), env, n_envs=2, n_steps=8, budget=None)
    with pytest.raises(error, match=said):
        agent.learn(16)


def test_describing_says_what_may_not_work_here() -> None:
    agent = small("GateMaze", "matched", "heterogeneous", budget=None)
    assert "note: the gate gets no credit" in agent.describe()
    agent = small("GateMaze", "matched", "heterogeneous", budget=None, n_steps=128)
    assert "note:" not in agent.describe()
    assert (
        "uniform has encoder" in small("DarkHome", costs=["reward", "world_prediction"]).describe()
    )


def test_a_structure_of_another_problem_is_told_and_areas_with_nothing_to_learn() -> None:
    told = small("DarkHome", "motor_prediction", "reward").describe()
    assert "motor_prediction is made for motor prediction, and this task poses path inte" in told
    for task, structure in (
        ("DarkHome", "matched"),
        ("DarkHome", "uniform"),
        ("CartPole-v1", "uniform"),
    ):
        assert "is made for" not in small(task, structure, "reward").describe()
    told = small("DelayReach", "motor_prediction.exact", "heterogeneous").describe()
    for cost, area in (("sensory", "forward"), ("motor", "inverse")):
        assert f"cost {cost}_prediction changes no area here: what it trains is given" in told
        assert f"({area}_model)" in told
    assert "changes no area" not in small("DelayReach", "matched", "heterogeneous").describe()
