"""Rehearsal: learning progress before noise, of a learner that does not forget.

In `motley.studies.fading` learning progress left a screen of noise, to what chance has on average,
and single agents differed by more than three times the margin. Two things were likely to blame.
Returns and advantages that are measured by their deviation blow up what is left of a score that
has dwindled; its placebo was at chance in every agent once scores kept their own unit and there was
entropy. Progress in its own unit came back all the same: a learner that is taught the newest
rollout alone forgets what its agent has left, and gets better at it anew.

Here the learner rehearses what was lived (`LearningProgress.rehearsed`, as Kim et al. 2020 have
it), and scores keep their own unit, with entropy. An agent led by it is expected to spend no more
time at the screen than one that does not learn, over the second half of training; before, while
what the noise is like on average is learnt, it spends more. Curiosity, set alike, is expected to
stay, and the placebo to do as chance does.

Room, measure and margin are those of the third round of `motley.studies.exploration`; training is
a quarter longer, seeds are others. Written before the run, after single runs of 250,000 steps,
which are not stored, with the share at the screen over their second half: progress 0.24, 0.20, 0.16
and 0.10 (seeds 901 to 904), its placebo 0.20 and curiosity 0.78 (901; the latter of 150,000 steps).
With returns measured by their deviation rehearsed progress had 0.00 and 0.30. Rollouts of 128 steps
at a learning rate of 3e-4 were tried as well: without rehearsal progress was at the screen for 0.95
and 0.84 of the moments at the end of 200,000 steps (901, 902), and of 300,000, with a learner six
times as fast, for 0.06 and 0.02. (Run on to 600,000 later, beside the second round, one was at the
screen again: 0.01 and 0.75.)

A second round was written when six of the twenty seeds of the first were known, and before its own
runs: rehearsed progress was at the screen for 0.30 of the moments (0.17 to 0.46 in single agents;
chance 0.20). Forgetting is not all, then. Weights jitter, most where the error is large, which is
at the screen; two averages that each reach over two rollouts, ten rollouts apart, differ by it, and
go on differing the same way for some rollouts. Averages that reach over ten (`kept`, 0.9 in place
of 0.5) jitter less. It is expected that progress measured by them spends no more time at the screen
than chance. Single runs: 0.12, 0.03 and 0.15 (901 to 903), and without rehearsal 0.40 (901; that of
902 was cut off). Its runs were made first; the rest of the first round has not been run. It has
no placebo of its own: that of the first round differs from it in the length of its averages alone.

A third round was written when the second was known, and before its own runs: 0.27 of the moments,
0.00 to 0.78 in single agents, and not told from chance. What is left of a score then leads against
entropy alone, whose weight was small beside it: agents that had left the screen did one thing
elsewhere, or came back, and what they do anew their learner gets better at, for its half of the
newest rollout. Entropy of ten times the weight is to hold them to chance once progress has
dwindled, and not before. Training is 400,000 steps. It is expected that progress spends no more
time at the screen than chance over the second half and its placebo as much, and that curiosity
stays. Single runs of 250,000 steps: 0.25 and 0.23 (901, 902), over their last three tenths 0.22 and
0.23; without rehearsal and longer averages 0.34 (901). Of a learner that rehearses alone, without
the newest rollout, and the smaller entropy 0.45 and 0.23 (901, 902), with longer averages 0.01
(902). Ten seeds, the first of the twenty, for want of time.
"""

from __future__ import annotations

from dataclasses import replace

from motley.costs.learning_progress import LearningProgress
from motley.costs.sets import COST_SETS, Sizes
from motley.studies import known_room
from motley.studies.exploration import ARMS, CAUGHT, CHANCE, MORE, late
from motley.studies.fading import OWN_UNIT
from motley.studies.known_room import KNOWN
from motley.studies.screen import DIFFERS
from motley.studies.study import STUDIES, Arm, Study

STEPS = 250_000
LONGER = 400_000
"""Of the third round."""
ENTROPY = 0.1
"""Its weight in the third round."""
REHEARSED = 20_000
"""Steps of the past that are kept."""
KEPT = 0.9
"""In the second round, the share of an average of weights that is kept from rollout to rollout."""


def rehearsed_progress(senses: Sizes, problem: str | None) -> tuple[LearningProgress]:
    """Learning progress of a learner that rehearses."""
    return (replace(LearningProgress.fitted(senses), rehearsed=REHEARSED),)


def steady_progress(senses: Sizes, problem: str | None) -> tuple[LearningProgress]:
    """Rehearsed learning progress between longer averages."""
    return (replace(LearningProgress.fitted(senses), rehearsed=REHEARSED, kept=KEPT),)


def shuffled_rehearsed_progress(senses: Sizes, problem: str | None) -> tuple[LearningProgress]:
    """Rehearsed learning progress, scored at random steps."""
    return (replace(rehearsed_progress(senses, problem)[0], meaningless=True),)


def shuffled_steady_progress(senses: Sizes, problem: str | None) -> tuple[LearningProgress]:
    """Steady progress, scored at random steps."""
    return (replace(steady_progress(senses, problem)[0], meaningless=True),)


for _made in (
    *(rehearsed_progress, steady_progress),
    *(shuffled_rehearsed_progress, shuffled_steady_progress),
):
    COST_SETS[_made.__name__] = _made


def led_by(costs: str, control: str = "") -> Arm:
    """Return the arm of these costs with entropy, its scores in their own unit."""
    return replace(
        ARMS[CAUGHT], costs=f"{costs}+entropy", steps=STEPS, control=control, settings=OWN_UNIT
    )


def varied(arm: Arm) -> Arm:
    """Return the arm of the third round: with more entropy, and longer."""
    return replace(arm, steps=LONGER, development={"weights": {"entropy": ENTROPY}})


FREE, STEADY = rehearsed_progress.__name__, steady_progress.__name__
REHEARSAL = Study(
    name="rehearsal",
    claim="Progress of a learner that rehearses lets go of noise, and curiosity stays.",
    tasks=((KNOWN, None),),
    arms={
        KNOWN: {
            "chance": replace(CHANCE, steps=STEPS),
            FREE: led_by(FREE),
            CAUGHT: led_by(CAUGHT),
            "placebo": led_by(shuffled_rehearsed_progress.__name__, "placebo cost"),
            STEADY: led_by(STEADY),
            f"{STEADY} varied": varied(led_by(STEADY)),
            f"{CAUGHT} varied": varied(led_by(CAUGHT)),
            "placebo varied": varied(led_by(shuffled_steady_progress.__name__, "placebo cost")),
        }
    },
    seeds=tuple(range(140, 160)),
    contrasts=(
        late(FREE, 1, kind="at most", refuter=MORE),
        late(CAUGHT, 1, predicts=0.3),
        late("placebo", 1, kind="equivalent", refuter=DIFFERS),
        late(STEADY, 2, kind="at most", refuter=MORE),
        late(f"{STEADY} varied", 3, kind="at most", refuter=MORE),
        late(f"{CAUGHT} varied", 3, predicts=0.3),
        late("placebo varied", 3, kind="equivalent", refuter=DIFFERS),
    ),
    round=3,
    imports=(known_room.__name__, __name__),
    scored=False,
    eval_episodes=50,
)
STUDIES["rehearsal"] = REHEARSAL
