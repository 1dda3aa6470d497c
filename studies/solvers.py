"""The solvers: for every task at its default level, whether the structure matched to it solves it.

A health check of tasks and structures, on tuning seeds: no claim rests on it. The uniform agent for
reward alone runs beside, and both have the settings that an Agent has when nothing is said, but for
:data:`SETTINGS`, :data:`BESIDE` and :data:`DEVELOPMENT`. A run ends when its task is solved.
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
"""By task, of both arms. A rollout of 32 steps cuts most episodes of GateMaze in two, and with
it the way back from the answer to the sign that should have been let in. ManyNeeds learns at half
the rate: to wait a step for a riper meal is worth a hundredth of what meals vary by."""
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
            tuned=False,
            until_solved=True,
            settings=SETTINGS.get(task, {}),
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
)
STUDIES["solvers"] = SOLVERS
