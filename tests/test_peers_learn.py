"""The task can be learnt by algorithms that are not ours: SB3's PPO and sb3-contrib's RecurrentPPO.

Homes reached on DarkHome level 0 with seed 0 (random: 0.001): PPO 0.39 after 200,000 steps and
0.56 after 500,000; RecurrentPPO 0.61 after 160,000 and 0.85 after 300,000.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from motley.envs import TASKS
from motley.envs.sb3 import WorldVecEnv

ROOT = Path(__file__).parent.parent
SETTINGS: dict[str, Any] = {
    "n_steps": 64,
    "batch_size": 1_024,
    "n_epochs": 4,
    "learning_rate": 1e-3,
    "gamma": 0.98,
    "gae_lambda": 0.95,
    "seed": 0,
    "device": "cpu",
}
LSTM = {"lstm_hidden_size": 64, "shared_lstm": True, "enable_critic_lstm": False}


class Homes(BaseCallback):
    """Whether each episode ended at home, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.reached: list[bool] = []

    def _on_step(self) -> bool:
        self.reached.extend(i["is_success"] for i in self.locals["infos"] if "is_success" in i)
        return True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "policy", "network", "steps", "bar"),
    [
        (PPO, "MultiInputPolicy", {}, 200_000, 0.25),
        (RecurrentPPO, "MultiInputLstmPolicy", LSTM, 250_000, 0.6),
    ],
)
def test_peers_learn_to_come_home(
    algorithm: Any, policy: str, network: dict[str, Any], steps: int, bar: float
) -> None:
    torch.set_num_threads(1)
    env = WorldVecEnv("DarkHome", 64, seed=0, level=0)
    model = algorithm(policy, env, policy_kwargs={"log_std_init": -0.5} | network, **SETTINGS)
    homes = Homes()
    model.learn(steps, callback=homes)
    assert np.mean(homes.reached[:1_000]) < 0.05
    assert np.mean(homes.reached[-1_000:]) > bar


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize(
    ("algorithm", "policy"), [(PPO, "MultiInputPolicy"), (RecurrentPPO, "MultiInputLstmPolicy")]
)
def test_peers_train_on_every_id(algorithm: Any, policy: str, name: str) -> None:
    """As SB3 makes worlds of an id: one by one, by `gym.make`."""
    torch.set_num_threads(1)
    settings = {"n_steps": 128, "batch_size": 64, "n_epochs": 2, "seed": 0, "device": "cpu"}
    model = algorithm(policy, gym.make(f"motley/{name}-v0"), **settings)
    before = [p.detach().clone() for p in model.policy.parameters()]
    model.learn(256)
    after = list(model.policy.parameters())
    assert model.num_timesteps == 256
    assert all(p.isfinite().all() for p in after)
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "task", "words"),
    [
        ("ppo", "DarkHome", ["--env-kwargs", "level:0", "stop:True"]),
        ("ppo_lstm", "GateMaze", ["--hyperparams", "policy:'MultiInputLstmPolicy'"]),
    ],
)
def test_rl_zoo3_trains_as_its_page_says(
    algorithm: str, task: str, words: list[str], tmp_path: Path
) -> None:
    pytest.importorskip("rl_zoo3")
    id = f"motley/{task}-v0"
    command = [sys.executable, "-m", "rl_zoo3.train", "--algo", algorithm, "--env", id]
    command += ["--gym-packages", "motley.envs", "--conf-file", str(ROOT / "docs/rl_zoo3.yml")]
    command += [*words, "--n-timesteps", "4096", "--eval-freq", "-1", "--num-threads", "1"]
    command += ["--log-folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (model,) = tmp_path.glob(f"{algorithm}/*/*.zip")
    # Of each of the 16 worlds one file: two lines, then a row an episode.
    logs = list(tmp_path.glob(f"{algorithm}/*/*.monitor.csv"))
    assert len(logs) == 16
    assert sum(len(log.read_text().splitlines()) - 2 for log in logs) > 16
    kind: Any = {"ppo": PPO, "ppo_lstm": RecurrentPPO}[algorithm]
    assert kind.load(model, device="cpu").num_timesteps == 4096
