"""The task can be learnt by algorithms that are not ours: SB3's PPO and sb3-contrib's RecurrentPPO.

Homes reached on DarkHome level 0 with seed 0 (random: 0.001): PPO 0.39 after 200,000 steps and
0.56 after 500,000; RecurrentPPO 0.61 after 160,000 and 0.85 after 300,000.
"""

from typing import Any

import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from motley.envs.sb3 import WorldVecEnv

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
