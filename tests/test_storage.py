"""What an agent writes and reads again."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback

from motley.agents import Agent, storage
from motley.agents.files import tensors_of
from motley.envs.sb3 import WorldVecEnv

pytestmark = pytest.mark.filterwarnings("ignore:.*has no calibration")
N, STEPS = 8, 16
UPDATE = N * STEPS


def build(structure: str = "path_integration", costs: str = "heterogeneous", **more: Any) -> Agent:
    settings: dict[str, Any] = {"n_envs": N, "n_steps": STEPS, "budget": 30_000, "seed": 7, **more}
    return Agent(structure, "motley/DarkHome-v0", costs, **settings)


def same(one: Agent, two: Agent) -> bool:
    a, b = tensors_of(one), tensors_of(two)
    assert a.keys() == b.keys()
    return all(np.array_equal(a[name].numpy(), b[name].numpy()) for name in a)


def actions(agent: Agent, deterministic: bool) -> list[np.ndarray]:
    """Three steps of an agent that remembers, always in the same worlds."""
    env, out = WorldVecEnv("DarkHome", 4, seed=11), []
    seen: Any = env.reset()
    state = None
    for _ in range(3):
        action, state = agent.predict(seen, state, deterministic=deterministic)
        out.append(action)
        seen, *_ = env.step(np.full((4, 2), 0.5, np.float32))
    return out


class CheckpointAt(BaseCallback):
    """Writes a checkpoint before the rollout that begins at a number of steps."""

    def __init__(self, at: int, path: Path):
        super().__init__()
        self.at, self.path = at, path

    def _on_rollout_start(self) -> None:
        if self.num_timesteps == self.at:
            assert isinstance(self.model, Agent)
            self.model.checkpoint(self.path)

    def _on_step(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("structure", "costs"),
    [
        ("path_integration", "heterogeneous"),
        ("episodic_memory.learnt_gate", "homogeneous"),
        ("uniform", "placebo"),
    ],
)
def test_a_restored_run_goes_on_bit_for_bit(structure: str, costs: str, tmp_path: Path) -> None:
    straight = build(structure, costs)
    straight.learn(8 * UPDATE, CheckpointAt(5 * UPDATE, tmp_path / "at"))
    assert straight._diary.ended["return"]  # episodes ended: worlds were reset on the way
    resumed = build(structure, costs)
    resumed.restore(tmp_path / "at")
    assert not same(straight, resumed)
    resumed.learn(3 * UPDATE, reset_num_timesteps=False)
    assert resumed.num_timesteps == straight.num_timesteps
    assert resumed.n_updates == straight.n_updates
    assert same(straight, resumed)
    assert resumed.diagnostics() == pytest.approx(straight.diagnostics(), nan_ok=True, abs=0)
    one, two = straight.get_env(), resumed.get_env()
    assert isinstance(one, WorldVecEnv)
    assert isinstance(two, WorldVecEnv)
    for name, x in one.get_state().items():
        np.testing.assert_array_equal(x, two.get_state()[name], err_msg=name)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    build().checkpoint(tmp_path / "at")
    with pytest.raises(ValueError, match="another blueprint"):
        build("uniform").restore(tmp_path / "at")
    with pytest.raises(ValueError, match="another costs"):
        build(costs="reward").restore(tmp_path / "at")
    with pytest.raises(ValueError, match="another settings"):
        build(gamma=0.5).restore(tmp_path / "at")
    with pytest.raises(ValueError, match="another n_envs: 8, not 4"):
        build(n_envs=4).restore(tmp_path / "at")
    with pytest.raises(ValueError, match=r"another task: \{'name': 'DarkHome', 'level': 2"):
        build(env_kwargs={"level": 1}).restore(tmp_path / "at")


@pytest.mark.parametrize("final_rate", [1.0, 0.1])
def test_a_loaded_agent_learns_on_at_the_rate_it_had_reached(
    final_rate: float, tmp_path: Path
) -> None:
    agent = build("uniform", "reward", learning_rate=1e-3, final_rate=final_rate)
    agent.learn(UPDATE).save(tmp_path / "model")
    loaded = Agent.load(tmp_path / "model", env=WorldVecEnv("DarkHome", N, seed=3))
    loaded.learn(2 * UPDATE)
    assert loaded.policy.optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * final_rate)


def test_a_loaded_agent_acts_the_same(tmp_path: Path) -> None:
    agent = build().learn(2 * UPDATE)
    agent.save(tmp_path / "model")
    loaded = Agent.load(tmp_path / "model.zip")
    assert same(agent, loaded)
    for a, b in zip(actions(agent, True), actions(loaded, True), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(actions(agent, False), actions(loaded, False), strict=True):
        np.testing.assert_array_equal(a, b)
    assert loaded.num_timesteps == agent.num_timesteps
    assert loaded.describe() == agent.describe()
    loaded.set_env(WorldVecEnv("DarkHome", N, seed=1))
    loaded.learn(UPDATE, reset_num_timesteps=False)
    assert not same(agent, loaded)


def test_a_file_in_memory_will_do() -> None:
    agent, buffer = build(), io.BytesIO()
    agent.save(buffer)
    buffer.seek(0)
    assert same(agent, Agent.load(buffer, device="auto"))


def test_the_file_holds_json_and_tensors_only(tmp_path: Path) -> None:
    build().save(tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        assert archive.namelist() == ["agent.json", "tensors.safetensors"]
        facts = json.loads(archive.read("agent.json"))
        assert facts["format_version"] == storage.FORMAT_VERSION
        whole = b"".join(archive.read(name) for name in archive.namelist())
    # Every pickle of protocol 2 or later begins so and ends with a stop.
    assert not (whole.startswith(b"\x80") and whole.endswith(b"."))
    assert list(tmp_path.iterdir()) == [tmp_path / "model.zip"]  # no temporary left


def test_parameters_pass_from_agent_to_agent(tmp_path: Path) -> None:
    agent, other = build().learn(UPDATE), build(seed=8)
    assert not same(agent, other.learn(UPDATE))
    other.set_parameters(agent.get_parameters())
    assert same(agent, other)
    third = build(seed=9)
    agent.save(tmp_path / "model")
    third.set_parameters(tmp_path / "model")
    assert same(agent, third)
    with pytest.raises(ValueError, match="parameters are a dict"):
        other.set_parameters({"critic": {}})


def test_custom_objects_are_refused(tmp_path: Path) -> None:
    build().save(tmp_path / "model")
    with pytest.raises(ValueError, match="custom_objects"):
        Agent.load(tmp_path / "model", custom_objects={"learning_rate": 0.0})


def test_other_spaces_are_refused(tmp_path: Path) -> None:
    build().save(tmp_path / "model")
    with pytest.raises(ValueError, match="observation_space"):
        Agent.load(tmp_path / "model", env=gym.make("CartPole-v1"))


def test_a_loaded_agent_takes_worlds_as_the_constructor_does(tmp_path: Path) -> None:
    build("uniform", "reward").save(tmp_path / "model")
    loaded = Agent.load(tmp_path / "model", env="DarkHome", env_kwargs={"level": 1})
    worlds = loaded.get_env()
    assert isinstance(worlds, WorldVecEnv)
    assert (worlds.num_envs, worlds.task.level) == (N, 1)
    assert loaded.learn(UPDATE).num_timesteps == UPDATE
    assert Agent.load(tmp_path / "model", env="DarkHome", n_envs=3).n_envs == 3
    with pytest.raises(ValueError, match="did you mean DarkHome"):
        Agent.load(tmp_path / "model", env="DarkHouse")
    with pytest.raises(ValueError, match=r"env must be an id .*, not 5"):
        Agent.load(tmp_path / "model", env=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [3, None])
def test_what_is_no_path_is_refused(given: Any) -> None:
    with pytest.raises(
        ValueError, match=f"path must be a file's name or an open file, not {given}"
    ):
        Agent.load(given)


def test_what_is_no_agent_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match="no agent at"):
        Agent.load(tmp_path / "nothing")
    (tmp_path / "run").mkdir()
    build("uniform", "reward").save(tmp_path / "run" / "model")
    (tmp_path / "run").rename(tmp_path / "my.run")
    with pytest.raises(FileNotFoundError, match=r"the run's is .*my.run/model\.zip"):
        Agent.load(tmp_path / "my.run")
    monkeypatch.chdir(tmp_path / "my.run")
    with pytest.raises(FileNotFoundError, match=r"the run's is model\.zip"):
        Agent.load(".")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(ValueError, match="not an agent's file"):
        Agent.load(tmp_path / "text.zip")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    agent = build()
    agent.save(tmp_path / "model")
    before = (tmp_path / "model.zip").read_bytes()
    agent.seed = object()  # type: ignore[assignment]
    with pytest.raises(TypeError, match="not JSON serializable"):
        agent.save(tmp_path / "model")
    assert (tmp_path / "model.zip").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "model.zip"]
