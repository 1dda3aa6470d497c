"""What in an agent cannot work, or may not, in the task that it is made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motley.agents.worlds import problem_of
from motley.costs.base import EVERY
from motley.costs.drive_reduction import DriveReduction
from motley.costs.extrinsic_reward import ExtrinsicReward
from motley.costs.local_td_error import LocalTDError
from motley.costs.value import Value

if TYPE_CHECKING:
    from motley.agents.agent import Agent

GATE_N_STEPS = 128
"""Steps of a rollout that let a gate learn, which decides at a sign what pays much later."""


def remarks(agent: Agent) -> list[str]:
    """Costs without effect, and a gate that gets no credit for what pays after its rollout."""
    problem, found = problem_of(agent.env), dict[str, str]()
    trained = agent.learner.routes.get(LocalTDError.label(), frozenset())
    if agent.n_steps < GATE_N_STEPS and any(agent.blueprint[a].role == "gate" for a in trained):
        found["n_steps"] = (
            f"the gate gets no credit for what it let in before a rollout of {agent.n_steps} steps "
            f"began: give it more, n_steps={GATE_N_STEPS} (--set n_steps={GATE_N_STEPS})"
        )
    tasks_own = (ExtrinsicReward, DriveReduction)
    if not any(isinstance(cost, tasks_own) for cost in agent.learner.costs.values()):
        found["reward"] = (
            "no cost is the task's own reward; where it pays one that is to be an aim, put reward+ "
            "before the costs that you gave"
        )
    posed = {EVERY, *(part.strip() for part in (problem or "").split("+"))}
    for cost in agent.learner.costs.values():
        if isinstance(cost, Value):
            continue
        name, there = cost.label(), ", ".join(agent.blueprint)
        if not agent.learner.routes[cost.name]:
            found[name] = (
                f"cost {name} trains nothing here: it is for {', '.join(cost.trains)}, and "
                f"structure {agent.blueprint.name} has {there}"
            )
        elif cost.name in agent.learner.without_gradient:
            found[name] = (
                f"cost {name} may train nothing: in an update its loss depended on no area that "
                f"learns, nor on a head of its own"
            )
        elif problem and cost.problems and not posed & set(cost.problems):
            found[name] = (
                f"cost {name} may train nothing here: it is for tasks that pose "
                f"{' or '.join(cost.problems)}, and this one poses {problem}"
            )
    return list(found.values())
