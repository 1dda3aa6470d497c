"""The solvers: for every task at its default level, whether the structure matched to it solves it.

A health check of tasks and structures, on tuning seeds: no claim rests on it. The uniform agent for
reward alone runs beside, and both have the settings that an Agent has when nothing is said, but for
:data:`SETTINGS`. A run ends when its task is solved.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from motley.envs.tasks import TASKS
from motley.studies.run import GATE_N_STEPS
from motley.studies.study import STUDIES, Arm, Study

STEPS = 2_000_000

ARMS = {
    "matched": Arm("matched", "heterogeneous", STEPS, tuned=False, until_solved=True),
    "uniform": Arm("uniform", "reward", STEPS, tuned=False, until_solved=True),
}

SETTINGS: dict[str, dict[str, Any]] = {"GateMaze": {"n_steps": GATE_N_STEPS}}
"""By task, of both arms. A rollout of 32 steps cuts most episodes of GateMaze in two, and with
it the way back from the answer to the sign that should have been let in."""

SOLVERS = Study(
    name="solvers",
    claim="Every task is solved by an agent of the structure matched to it.",
    tasks=tuple((name, task.default_level) for name, task in TASKS.items()),
    arms={
        task: {arm: replace(what, settings=SETTINGS.get(task, {})) for arm, what in ARMS.items()}
        for task in TASKS
    },
    seeds=(100, 101, 102),
)
STUDIES["solvers"] = SOLVERS
