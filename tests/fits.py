"""Where a cost fits: for tests that go through all of them."""

from __future__ import annotations

from motley.agents.blueprints import PROBLEMS
from motley.costs import COSTS
from motley.envs.tasks import TASKS

ONLY = {"adversarial_curiosity": "play"}
"""Costs that fit in the structure of one problem only, and are in no set: it has a world model."""


def fits(cost: str) -> tuple[str, str]:
    """Return a structure and a task in which a cost fits, by its name.

    Those of the problem that it is for, if a task poses that; else those of path integration.
    """
    posing = {task.problem: name for name, task in TASKS.items() if task.problem in PROBLEMS}
    problems = (ONLY.get(cost, ""), *COSTS[cost].problems[:1], "path integration")
    return "matched", f"motley/{next(posing[p] for p in problems if p in posing)}-v0"
