"""Drives that may fade: learning progress before noise, where scores keep their own unit.

In `motley.studies.screen` learning progress stayed before a screen of noise more than an agent that
does not learn, and its placebo, whose scores tell nothing, most of all. Of these the agents rescale
what a score says twice: returns by their running deviation, advantages by that of each minibatch.
So progress that has dwindled leads as strongly as at first, though what is left of it is noise,
and so does a placebo for ever; and a policy that noise leads drifts, until it does one thing.

Here neither is rescaled, and entropy is kept up. What is expected: progress draws to the screen
first, as before, and lets go when there is nothing to learn; its placebo does as chance does; and
curiosity, whose noise never dwindles, stays. That it is the scale, and not entropy, is asked by the
placebo with entropy whose scores are rescaled.

Room, measure and margin are those of the third round of `motley.studies.exploration`, the placebo
is that of `motley.studies.screen`, and seeds are others. Nothing is tuned. Written before the run,
after one of each arm on seed 901, which is not stored, with the share at the screen over the second
half: progress 0.21, its placebo 0.20, curiosity 0.96. Without entropy progress let go too, later,
and the placebo had 0.59. With returns rescaled and advantages not, progress wandered between 0.00
and 0.71. The placebo with entropy, rescaled, had ended at 0.92 in an earlier one.
"""

from __future__ import annotations

from dataclasses import replace

from motley.studies import known_room, screen
from motley.studies.exploration import ARMS, CAUGHT, CHANCE, FREE, MORE, late
from motley.studies.known_room import KNOWN
from motley.studies.screen import PLACEBO
from motley.studies.study import STUDIES, Arm, Study

OWN_UNIT = {"normalise_returns": False, "normalise_advantages": False}
"""Settings by which a score that dwindles leads less."""


def unscaled(arm: Arm) -> Arm:
    """Return the arm with entropy, its scores in their own unit."""
    return replace(arm, costs=f"{arm.costs}+entropy", settings=OWN_UNIT)


RESCALED = "rescaled placebo"
FADING = Study(
    name="fading",
    claim="Where scores keep their unit, learning progress lets go of noise and curiosity stays.",
    tasks=((KNOWN, None),),
    arms={
        KNOWN: {
            "chance": CHANCE,
            FREE: unscaled(ARMS[FREE]),
            CAUGHT: unscaled(ARMS[CAUGHT]),
            "placebo": unscaled(PLACEBO),
            RESCALED: replace(PLACEBO, costs=f"{PLACEBO.costs}+entropy"),
        }
    },
    seeds=tuple(range(71, 91)),
    contrasts=tuple(
        replace(contrast, round=1)
        for contrast in (
            late(FREE, kind="at most", refuter=MORE),
            late(CAUGHT, predicts=0.5),
            late("placebo", kind="equivalent", refuter="its share differs by more than the margin"),
            late(
                RESCALED,
                second="placebo",
                predicts=0.2,
                refuter="its share exceeds the other's by less than the margin",
            ),
        )
    ),
    imports=(known_room.__name__, screen.__name__),
    scored=False,
    eval_episodes=50,
)
STUDIES["fading"] = FADING
