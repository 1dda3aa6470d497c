"""Novelty: whether scores of novelty bring an agent to more than it would come to without.

`motley.studies.exploration` asked it of agents whose costs held a reward that hardly ever comes,
and what they were led by was the error of its critic; and of rooms that were drawn anew in every
episode, where what an agent has seen is not what it will see. Here there is no reward, and the
rooms stay. How large a share of an episode's states is new within it, on average over the whole
of training, actions sampled: of the cells of four small rooms behind closed doors, and of the
moments in PlayRoom, told apart by where body and things are (`motley.studies.measured`).

What novelty is held against is an agent that does not learn. Its control is a placebo, RND whose
scores are dealt out among the steps of a rollout, which is to come to no more than that. Each agent
has entropy among its costs: without it noise alone leads a policy to do one thing, and the placebo
to less and less (0.04 of the cells after 60,000 steps, with entropy 0.11; tuning seed 100).

Nothing is tuned. Written before the run, after single runs on seed 100, which are not stored, in
rooms drawn with another seed and for 100,000 steps: RND 0.36, prediction error 0.21 and 0.37 at
the end, count 0.27, the placebo 0.14, no learning 0.15. In PlayRoom, where no learning has 0.23:
RND 0.38, prediction error 0.29 and the placebo 0.17 (both for 60,000 steps); the count 0.17, at
two settings of its learner, so that it is expected to be refuted there: it counts views, and to
turn about on one spot shows many.
"""

from __future__ import annotations

from dataclasses import replace

from motley.costs.base import Cost
from motley.costs.rnd import RND
from motley.costs.sets import COST_SETS, Sizes
from motley.studies import measured, same_rooms
from motley.studies.exploration import more
from motley.studies.measured import PLAY
from motley.studies.same_rooms import SAME
from motley.studies.study import STUDIES, Arm, Study

STEPS = 120_000
NOVELTIES = (
    "rnd",
    "prediction_error_curiosity",
    "episodic_novelty",
    "count_novelty",
    "ensemble_disagreement",
)
"""Learning progress is paid for what can be learnt and not for what is new."""
MARGIN = 0.02
"""A share of cells or moments that does not matter: half a cell of the rooms."""


def shuffled_novelty(senses: Sizes, problem: str | None) -> tuple[Cost, ...]:
    """RND, scored at random steps."""
    return (replace(RND.fitted(senses), meaningless=True),)


COST_SETS[shuffled_novelty.__name__] = shuffled_novelty


def agent(costs: str, control: str = "", **settings: float) -> Arm:
    """Return an arm of the uniform structure with these costs and entropy."""
    return Arm(
        "uniform",
        f"{costs}+entropy",
        STEPS,
        control=control,
        n_envs=32,
        tuned=False,
        settings=settings,
    )


ARMS = {
    "chance": agent("rnd", control="does not learn", learning_rate=0.0),
    "placebo": agent(shuffled_novelty.__name__, control="placebo cost"),
    **{name: agent(name) for name in NOVELTIES},
}
TASKS = (SAME, PLAY)
NOVELTY = Study(
    name="novelty",
    claim="Novelty scores bring an agent to more states than it comes to without.",
    tasks=tuple((task, None) for task in TASKS),
    arms=dict.fromkeys(TASKS, ARMS),
    seeds=tuple(range(130, 140)),
    contrasts=tuple(
        contrast
        for task in TASKS
        for contrast in (
            *(more(name, "chance", 0.0, task, "it comes to fewer") for name in NOVELTIES),
            replace(
                more("placebo", "chance", MARGIN, task, "it comes to more than the margin more"),
                kind="at most",
            ),
        )
    ),
    imports=(measured.__name__, same_rooms.__name__, __name__),
    scored=False,
    eval_episodes=50,
)
STUDIES["novelty"] = NOVELTY
