"""The baselines: what others' algorithms reach on every task, through SB3's door and no wrapper.

SB3's PPO and sb3-contrib's RecurrentPPO with all of their defaults in 8 worlds, and RecurrentPPO
with one shared LSTM of 64 in 64 worlds, tuned. Every task is at its default level. This is the bar
that our agents have to beat.
"""

from __future__ import annotations

from motley.envs.tasks import TASKS
from motley.studies.study import STUDIES, Arm, Study

STEPS = 500_000

ARMS = {
    "PPO": Arm("PPO", "reward", STEPS, n_envs=8, tuned=False),
    "RecurrentPPO": Arm("RecurrentPPO", "reward", STEPS, n_envs=8, tuned=False),
    "RecurrentPPO_tuned": Arm("RecurrentPPO.small", "reward", STEPS),
}

BASELINES = Study(
    name="baselines",
    claim="What algorithms without structure or costs of their own reach on every task.",
    tasks=tuple((name, task.default_level) for name, task in TASKS.items()),
    arms=dict.fromkeys(TASKS, ARMS),
    seeds=(0, 1, 2),
    tuning_seeds=(100,),
    search={
        "learning_rate": (3e-4, 1e-3, 2e-3),
        "n_steps": (32, 128),
        "batch_size": (512, 2_048),
        "n_epochs": (4, 8),
        "gamma": (0.95, 0.98),
        "gae_lambda": (0.9, 0.95),
        "ent_coef": (0.0, 0.003),
    },
    trials=12,
    trial_steps=300_000,
)
STUDIES["baselines"] = BASELINES
