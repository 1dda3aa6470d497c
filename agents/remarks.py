"""What in an agent cannot work, or may not, in the task that it is made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motley.agents.blueprints import PROBLEMS
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
    """What has no effect, is made for another problem, or gets no credit for what pays later."""
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
    family, made_for = agent.blueprint.name.partition(".")[0], {n: p for p, n in PROBLEMS.items()}
    if problem and (other := made_for.get(family, problem)) != problem:
        found["structure"] = (
            f"structure {agent.blueprint.name} is made for {other}, and this task poses {problem}: "
            f"here it is a control, whose areas may have nothing to tell"
        )
    for cost in agent.learner.costs.values():
        if isinstance(cost, Value):
            continue
        name, there = cost.label(), ", ".join(agent.blueprint)
        if not agent.learner.routes[cost.name]:
            found[name] = (
                f"cost {name} trains nothing here: it is for {', '.join(cost.trains)}, and "
                f"structure {agent.blueprint.name} has {there}"
            )
        elif given := _given(agent, agent.learner.routes[cost.name]):
            found[name] = (
                f"cost {name} changes no area here: what it trains is given and has nothing to "
                f"learn ({', '.join(given)})"
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


def _given(agent: Agent, areas: frozenset[str]) -> list[str]:
    """Return the areas by name, where none of them has a parameter that learns."""
    learn = [p.requires_grad for name in areas for p in agent.brain.areas[name].parameters()]
    return [] if any(learn) else sorted(areas)
