"""The solvers: for every task at its default level, whether the structure matched to it solves it.

A health check of tasks and structures: no claim rests on it. The matched arm has the settings that
an Agent has when nothing is said, but for :data:`SETTINGS`, :data:`BESIDE` and :data:`DEVELOPMENT`,
which were found by hand where it failed without, on the seeds that it is run with. The uniform
agent for reward alone runs beside, with the best of twelve draws of settings, tried for as many
steps as the baselines' are; and where it solved a task on some seed, the matched one with the best
of the same draws, so that the two can be compared. A run ends when its task is solved.
"""

from __future__ import annotations

from dataclasses import replace
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


CLOSE = ("Caregiver", "DelayReach", "PlayRoom")
"""Tasks that the uniform arm, with the best of its draws, solved on a seed at least; what was seen
there chose them."""


def arms(task: str) -> dict[str, Arm]:
    """Return the arms of a task."""
    beside = BESIDE.get(task, "")
    matched = Arm(
        "matched",
        f"heterogeneous{beside}",
        STEPS,
        tuned=False,
        until_solved=True,
        settings=SETTINGS.get(task, {}),
        development=DEVELOPMENT.get(task, {}),
    )
    uniform = Arm("uniform", f"reward{beside}", STEPS, until_solved=True)
    both = {"matched": matched, "uniform": uniform}
    return both | ({"matched_tuned": replace(matched, tuned=True)} if task in CLOSE else {})


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
