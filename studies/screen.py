"""The screen once more: whether learning progress stays before noise, with seeds enough to tell.

Ten seeds of the third round of `motley.studies.exploration` did not tell whether learning progress
spends more time before a screen of noise than an agent that does not learn: the difference was
-0.003, its 90% interval -0.093 to +0.086, about a margin of 0.05. This study asks the same of sixty
other seeds, by which that interval shrinks to about 0.034 on either side: if there is no difference
beyond the one seen, it is found out in five cases of six. Arms, room, measure and margin are those
of that round. The placebo is learning progress whose scores are dealt out among the steps of a
rollout: it learns as much, from what tells nothing. Written before the run; nothing is tuned.
"""

from __future__ import annotations

from dataclasses import replace

from motley.costs.base import Cost
from motley.costs.learning_progress import LearningProgress
from motley.costs.sets import COST_SETS, Sizes
from motley.studies import known_room
from motley.studies.exploration import ARMS, CHANCE, FREE, MARGIN, MORE, STEPS, more
from motley.studies.known_room import KNOWN
from motley.studies.study import STUDIES, Arm, Study


def shuffled_progress(senses: Sizes, problem: str | None) -> tuple[Cost, ...]:
    """Learning progress, scored at random steps."""
    return (replace(LearningProgress.fitted(senses), meaningless=True),)


COST_SETS[shuffled_progress.__name__] = shuffled_progress
PLACEBO = Arm(
    "uniform", f"reward+{shuffled_progress.__name__}", STEPS, n_envs=32, tuned=False,
    control="placebo cost",
)  # fmt: skip

SCREEN = Study(
    name="screen",
    claim="Learning progress spends no more time at a screen of noise than chance.",
    tasks=((KNOWN, None),),
    arms={KNOWN: {"chance": CHANCE, FREE: ARMS[FREE], "placebo": PLACEBO}},
    seeds=tuple(range(11, 71)),
    contrasts=(
        replace(more(FREE, "chance", MARGIN, KNOWN, MORE), kind="at most", last=0.5),
        replace(
            more("placebo", "chance", MARGIN, KNOWN, "its share differs by more than the margin"),
            kind="equivalent",
            last=0.5,
        ),
    ),
    imports=(known_room.__name__, __name__),
    eval_episodes=50,
)
STUDIES["screen"] = SCREEN
