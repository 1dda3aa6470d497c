"""Where a cost fits, and lives that are rewarded: for tests that go through all costs and tasks."""

from __future__ import annotations

import torch

from motley.agents import Agent
from motley.agents.batch import Batch
from motley.agents.blueprints import PROBLEMS
from motley.agents.scoring import scored
from motley.costs import COSTS
from motley.envs.tasks import TASKS
from motley.studies.bench_roof import rollout_of

ONLY = {"adversarial_curiosity": "play"}
"""Costs that fit in the structure of one problem only, and are in no set: it has a world model."""


def fits(cost: str) -> tuple[str, str]:
    """Return a structure and a task in which a cost fits, by its name.

    Those of the problem that it is for, if a task poses that; else those of path integration.
    """
    posing = {task.problem: name for name, task in TASKS.items() if task.problem in PROBLEMS}
    problems = (ONLY.get(cost, ""), *COSTS[cost].problems[:1], "path integration")
    return "matched", f"motley/{next(posing[p] for p in problems if p in posing)}-v0"


def rewarded(agent: Agent) -> Batch:
    """Return a rollout to learn from, with rewards drawn at random.

    In a few steps worlds seldom give one, and a reward that never came leads nobody.
    """
    rollout = rollout_of(agent)
    generator = torch.Generator().manual_seed(0)
    shape = rollout.tensors["reward"].shape
    rollout.tensors["reward"] = torch.randn(shape, generator=generator)
    batch, _ = scored(agent.learner, rollout, 0)
    assert batch.advantages["reward"].any()
    return batch
