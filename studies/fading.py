"""Drives that may fade: learning progress before noise, with no other score beside it.

In `motley.studies.screen` learning progress stayed before a screen of noise more than an agent that
does not learn, and its placebo, whose scores tell nothing, most of all. Their costs held a reward
that never comes. The agents measure what a score says by its running deviation, which blew up the
error of that reward's critic until it led the actor: its gradient was about twice the placebo's (a
run on seed 71). What they were led by was noise first of all.

Here there is no reward among the costs. Learning progress, its placebo and curiosity are as an
agent has them when nothing is said. Progress and its placebo are run in their own unit as well:
measured by its deviation, progress that has dwindled leads as strongly as at first, though what is
left of it is noise, and a placebo does so for ever, so that a policy drifts until it does one
thing, here or elsewhere. In its own unit and with entropy it is expected to do as chance does.
Progress is expected to draw to the screen first and to let go when there is nothing to learn, and
curiosity, whose noise never dwindles, to stay.

Room, measure and margin are those of the third round of `motley.studies.exploration`, the placebo
is that of `motley.studies.screen`, and seeds are others. Nothing is tuned. Written before the run,
after single runs, which are not stored, with the share at the screen over the second half: progress
0.15, 0.13 and 0.05 (seeds 901 to 903), its placebo 0.01 and 0.18 (901 and 902), curiosity 0.90
(901); in their own unit and with entropy, progress 0.21 and its placebo 0.21 (901). Progress with
entropy, measured by its deviation, had 0.41 (901), and is not asked of. An earlier form of this
study, with the reward among its costs, was stopped after eleven runs (seeds 71 and 72: progress in
its own unit 0.18 and 0.22, its placebo 0.23 and 0.19, curiosity 0.89 and 0.97, the placebo with
entropy, rescaled, 0.21 and 0.89), when what the reward did was seen. It was to be fifteen seeds and
came to be ten when three runs of seed 106 were made, for want of time.
"""

from __future__ import annotations

from dataclasses import replace

from motley.studies import known_room, screen
from motley.studies.exploration import ARMS, CAUGHT, CHANCE, FREE, MORE, late
from motley.studies.known_room import KNOWN
from motley.studies.screen import DIFFERS, PLACEBO
from motley.studies.study import STUDIES, Arm, Study

OWN_UNIT = {"normalise_returns": False, "normalise_advantages": False}
"""Settings by which a score that dwindles leads less."""


def alone(arm: Arm) -> Arm:
    """Return the arm without the reward among its costs."""
    return replace(arm, costs=arm.costs.removeprefix("reward+"))


def unscaled(arm: Arm) -> Arm:
    """Return the arm with entropy, its scores in their own unit."""
    return replace(arm, costs=f"{arm.costs}+entropy", settings=OWN_UNIT)


FREE_UNSCALED, PLACEBO_UNSCALED = f"{FREE} in its own unit", "placebo in its own unit"
FADING = Study(
    name="fading",
    claim="Learning progress lets go of noise, and curiosity stays.",
    tasks=((KNOWN, None),),
    arms={
        KNOWN: {
            "chance": CHANCE,
            FREE: alone(ARMS[FREE]),
            CAUGHT: alone(ARMS[CAUGHT]),
            "placebo": alone(PLACEBO),
            FREE_UNSCALED: unscaled(alone(ARMS[FREE])),
            PLACEBO_UNSCALED: unscaled(alone(PLACEBO)),
        }
    },
    seeds=tuple(range(106, 116)),
    contrasts=(
        late(FREE, 1, kind="at most", refuter=MORE),
        late(CAUGHT, 1, predicts=0.5),
        late("placebo", 1, kind="equivalent", refuter=DIFFERS),
        late(FREE_UNSCALED, 1, kind="at most", refuter=MORE),
        late(PLACEBO_UNSCALED, 1, kind="equivalent", refuter=DIFFERS),
    ),
    imports=(known_room.__name__, screen.__name__),
    scored=False,
    eval_episodes=50,
)
STUDIES["fading"] = FADING
