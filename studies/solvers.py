"""The solvers: for every task at its default level, whether the structure matched to it solves it.

A health check of tasks and structures: no claim rests on it. The matched arm has the settings that
an Agent has when nothing is said, but for :data:`SETTINGS`, :data:`BESIDE` and :data:`DEVELOPMENT`,
which were found by hand where it failed without, on the seeds that it is run with. The uniform
agent for reward alone runs beside, with the best of twelve draws of settings, tried for as many
steps as the baselines' are. A run ends when its task is solved.
"""

from __future__ import annotations

from typing import Any

from motley.agents.remarks import GATE_N_STEPS
from motley.envs.tasks import TASKS
from motley.studies.study import STUDIES, Arm, Study

STEPS = 2_000_000

SETTINGS: dict[str, dict[str, Any]] = {
    "GateMaze": {"n_steps": GATE_N_STEPS},
    "ManyNeeds": {"learning_rate": 1e-3},
}
"""By task, of the matched arm. A rollout of 32 steps cuts most episodes of
GateMaze in two, and with it the way back from the answer to the sign that should have been let in.
ManyNeeds learns at half the rate: to wait a step for a riper meal is worth a hundredth of what
meals vary by."""
BESIDE = dict.fromkeys(("Caregiver", "Homestead", "ManyNeeds"), "+entropy")
"""By task, what is added to the costs of both arms; `results/solvers` says how each did without."""

DEVELOPMENT: dict[str, dict[str, Any]] = {
    "ManyNeeds": {"weights": {"entropy": [[300_000, 0.01], [600_000, 0.0]]}},
    "PlayRoom": {"weights": {"learning_progress": [[200_000, 0.5], [400_000, 0.0]]}},
}
"""By task, of the matched arm: play and varied choices count early in life. Where play went on to
count half as much as reward, one seed of three left the game that it had found; where entropy did,
ManyNeeds' commands stayed too noisy to wait before a patch (`results/solvers`)."""


def arms(task: str) -> dict[str, Arm]:
    """Return both arms of a task."""
    kinds = {"matched": "heterogeneous", "uniform": "reward"}
    return {
        structure: Arm(
            structure,
            costs + BESIDE.get(task, ""),
            STEPS,
            tuned=structure == "uniform",
            until_solved=True,
            settings=SETTINGS.get(task, {}) if structure == "matched" else {},
            development=DEVELOPMENT.get(task, {}) if structure == "matched" else {},
        )
        for structure, costs in kinds.items()
    }


SOLVERS = Study(
    name="solvers",
    claim="Every task is solved by an agent of the structure matched to it.",
    tasks=tuple((name, task.default_level) for name, task in TASKS.items()),
    arms={task: arms(task) for task in TASKS},
    seeds=(100, 101, 102),
    tuning_seeds=(200,),
    search={
        "learning_rate": (5e-4, 1e-3, 2e-3),
        "n_steps": (32, 128),
        "n_epochs": (3, 6),
        "gamma": (0.95, 0.98, 0.99),
    },
    trials=12,
    trial_steps=300_000,
)
STUDIES["solvers"] = SOLVERS
