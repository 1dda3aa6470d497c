"""The screen once more: whether learning progress stays before noise, with seeds enough to tell.

Ten seeds of the third round of `motley.studies.exploration` did not tell whether learning progress
spends more time before a screen of noise than an agent that does not learn: the difference was
-0.003, its 90% interval -0.093 to +0.086, about a margin of 0.05. This study asks the same of sixty
other seeds. If runs vary as those ten did (a standard deviation of 0.15, which ten runs tell within
0.11 and 0.25) the interval shrinks to 0.033 on either side, and that there is no difference is
found out in four cases of five; if they vary most, in less than half.

What is asked is of the mean over runs: single agents may stay. How many do, by more than the
margin, is told beside it (`results/screen`).

Room, measure and margin are those of that round, and so are the arms but for the placebo: learning
progress whose scores are dealt out among the steps of a rollout, in the same orders in every run.
It learns as much, from what tells nothing. Equal to chance it need not be, since an agent that
drifts to one action may stand anywhere; where it is not, time at the screen is no sign of progress
that draws there. Nothing is tuned. Arms, contrasts and seeds were written before the run; when
sixteen of the sixty seeds were run, this text came to say "on average", "four cases of five" and
"less than half" (it had been five of six), and all of the sentence on what a placebo need not be.
"""

from __future__ import annotations

from dataclasses import replace

from motley.costs.base import Cost
from motley.costs.learning_progress import LearningProgress
from motley.costs.sets import COST_SETS, Sizes
from motley.studies import known_room
from motley.studies.exploration import ARMS, CHANCE, FREE, MORE, STEPS, late
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

DIFFERS = "its share differs by more than the margin"
SCREEN = Study(
    name="screen",
    claim="Learning progress spends no more time at a screen of noise than chance, on average.",
    tasks=((KNOWN, None),),
    arms={KNOWN: {"chance": CHANCE, FREE: ARMS[FREE], "placebo": PLACEBO}},
    seeds=tuple(range(11, 71)),
    contrasts=(
        late(FREE, 1, kind="at most", refuter=MORE),
        late("placebo", 1, kind="equivalent", refuter=DIFFERS),
    ),
    imports=(known_room.__name__, __name__),
    scored=False,
    eval_episodes=50,
)
STUDIES["screen"] = SCREEN
