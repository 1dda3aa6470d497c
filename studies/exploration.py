"""Exploration: whether scores of novelty do what they are for.

Where reward is rare or absent, each novelty score is to bring its agent to more states, episode by
episode over the whole of training, than an agent without one: that of reward alone where there
is reward, one that does not learn where there is none. Before a screen of noise, an agent with
learning progress is to spend no more of the time than one that does not learn, which is chance, and
one with the error of prediction more (Burda et al. 2018). Actions are sampled, as in training.
Nothing is tuned. Written before the run: environments, measures, budgets and seeds.

A second round, written when the first was known and before its own run: curiosity over features
that tell the action was not caught. The screen flickers whatever one does, and from such features
that fades; from random ones it does not (Burda et al. 2019), so that curiosity over these says
whether there was anything at the screen to be caught by.

A third round, written when both were known and before its own run: nobody was caught, since in
PlayRoom what comes into view is as unknown as noise. It asks the same of a room in which all is
known but a screen that an action switches. What noise is like on average has to be learnt first,
and is progress, so that the second half of training counts; this was chosen on tuning seed 100.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from motley.studies import known_room, measured
from motley.studies.known_room import KNOWN
from motley.studies.measured import NOISE, PLAY, ROOMS
from motley.studies.study import STUDIES, Arm, Contrast, Study

STEPS = 200_000
NOVELTIES = (
    "rnd",
    "prediction_error_curiosity",
    "episodic_novelty",
    "count_novelty",
    "ensemble_disagreement",
    "learning_progress",
)
MARGIN = 0.05
"""Of all moments: a larger share at the screen is being caught by it."""

ARMS = {"reward": Arm("uniform", "reward", STEPS, n_envs=32, tuned=False)}
ARMS |= {
    name: Arm("uniform", f"reward+{name}", STEPS, n_envs=32, tuned=False) for name in NOVELTIES
}
CHANCE = Arm(
    "uniform", "reward", STEPS, n_envs=32, tuned=False, settings={"learning_rate": 0.0},
    control="does not learn",
)  # fmt: skip
CAUGHT, FREE = "prediction_error_curiosity", "learning_progress"
SECOND = "random_feature_curiosity"
RANDOM_FEATURES = Arm("uniform", f"reward+{SECOND}", STEPS, n_envs=32, tuned=False)
LESS, MORE = (f"its share exceeds chance by {than} than the margin" for than in ("less", "more"))


def more(first: str, second: str, margin: float, task: str, refuter: str) -> Contrast:
    """Ask for a larger score of sampled actions, on average over the whole of training."""
    return Contrast(
        first, second, margin, "more", "score01_sampled", (task,), last=1.0, refuter=refuter
    )


def late(first: str, round: int, **changes: Any) -> Contrast:
    """Ask for a larger share at the screen of the room that is known, late in training."""
    asked = more(first, "chance", MARGIN, KNOWN, LESS)
    return replace(asked, last=0.5, round=round, **changes)


EXPLORATION = Study(
    name="exploration",
    claim="Novelty scores visit more; noise catches curiosity and not learning progress.",
    tasks=((ROOMS, None), (PLAY, None), (NOISE, None), (KNOWN, None)),
    arms={
        ROOMS: ARMS,
        PLAY: {"chance": CHANCE} | {name: ARMS[name] for name in NOVELTIES},
        NOISE: {
            "chance": CHANCE,
            **{name: ARMS[name] for name in (CAUGHT, FREE)},
            SECOND: RANDOM_FEATURES,
        },
        KNOWN: {
            "chance": CHANCE,
            **{name: ARMS[name] for name in (CAUGHT, FREE)},
            SECOND: RANDOM_FEATURES,
        },
    },
    seeds=tuple(range(10)),
    contrasts=(
        *(more(name, "reward", 0.0, ROOMS, "it visits fewer cells") for name in NOVELTIES),
        *(more(name, "chance", 0.0, PLAY, "it sees fewer moments") for name in NOVELTIES),
        more(CAUGHT, "chance", MARGIN, NOISE, LESS),
        replace(more(FREE, "chance", MARGIN, NOISE, MORE), kind="at most"),
        replace(more(SECOND, "chance", MARGIN, NOISE, LESS), round=2),
        late(CAUGHT, 3, predicts=0.5),
        late(SECOND, 3),
        late(FREE, 3, kind="at most", refuter=MORE),
    ),
    round=3,
    imports=(measured.__name__, known_room.__name__),
    scored=False,
    eval_episodes=50,
)
STUDIES["exploration"] = EXPLORATION
