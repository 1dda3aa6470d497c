"""What each task hides: the variable, the moments at which it must be known, and who may act.

One description serves two probes: that single observations do not give the variable away, and
that the uniform core can hold it if it is taught to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from motley.envs import readouts, senses
from motley.envs.trace import Trace

Array = readouts.Array
HUES = 60
"""Steps in which a hue is told: every ring of 2, 3, 4, 5, 6 or 10 hues is part of it."""


@dataclass(frozen=True)
class Hidden:
    """A variable that must be had from memory.

    Attributes:
        variable: what it is, in words.
        answer: of a trace, its value at every moment: (M,) integers or booleans are classes, (M,)
            or (M, k) floats are numbers. It need mean something where it is asked or taught only.
        asked: of a trace, (M,) whether it must be known now. Moments are taken where the behaviour
            that follows has not yet given it away.
        taught: of a trace, (M,) further moments at which it is well defined, for a pupil to be told
            it; None for no others.
        driver: the policy that acts while it is taught and asked. It knows no more of the variable
            than a random one would where ``taught`` or ``asked`` say so.
        ladder: levels to be taught before any that is higher.
    """

    variable: str
    answer: Callable[[Trace], Array]
    asked: Callable[[Trace], Array]
    taught: Callable[[Trace], Array] | None = None
    driver: str = "oracle"
    ladder: tuple[int, ...] = ()

    def read(self, trace: Trace) -> tuple[Array, Array]:
        """Rows (R,) of a trace at which it is asked, and the variable there."""
        rows = np.flatnonzero(self.asked(trace))
        return rows, self.answer(trace)[rows]


def way_home(trace: Trace) -> Array:
    """Where the nest lies from the body (cosine, sine)."""
    x, y = -trace["position"].T.astype(np.float64)
    angle = np.arctan2(y, x) - trace["heading"]
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def cue_hue(site: Callable[[Trace], Array]) -> Callable[[Trace], Array]:
    """Which hue the site has whose item is the cue: the lit one, or the one that is asked for.

    Args:
        site: of a trace, the shape (M,) that is asked for.
    """

    def answer(trace: Trace) -> Array:
        rows, lit = np.arange(len(trace["step"])), trace["shape_visible"].argmax(1)
        color = trace["shape_color"][rows, np.where(trace["free"], site(trace), lit)]
        hues = senses.hue(np.arange(HUES) * (360.0 / HUES))
        found: Array = ((color[:, None] - hues) ** 2).sum(2).argmin(1)
        return found

    return answer


def asked_cache(trace: Trace) -> Array:
    """The shape of Homestead's cache that is asked for; the caches are the last of the sites."""
    query, sites = trace["hidden/query"], trace["shape_radius"].shape[1]
    cache = query[np.arange(len(query)), trace["hidden/asked"]]
    shape: Array = np.minimum(sites - trace["hidden/item"].shape[1] + cache, sites - 1)
    return shape


def first_query(trace: Trace) -> Array:
    """Until Homestead's first question is answered, or the first day over."""
    first = (trace["hidden/asked"] == 0) & (trace["hidden/day"] == 0)
    waits: Array = first & (trace["sense/cue"] != 0).any(1)
    return waits


def query_begins(trace: Trace) -> Array:
    """As each query begins."""
    free = trace["free"]
    begins: Array = free & ((np.diff(trace["hidden/asked"], prepend=0) != 0) | ~np.roll(free, 1))
    return begins


def fits(trace: Trace) -> Array:
    """Whether the symbol that is faced is a right chest's."""
    alike = (trace["sense/cue"][:, None] == trace["hidden/symbol"]).all(2)
    answer: Array = (alike & trace["hidden/right"]).any(1)
    return answer


def faced(trace: Trace) -> Array:
    """While a chest is faced, and none is opened yet."""
    facing: Array = trace["free"] & (trace["sense/cue"] != 0).any(1)
    return facing


def coming_exit(trace: Trace) -> Array:
    """The exit at which the prey of this trial comes out."""
    trials = trace["hidden/exit"].shape[1]
    trial = np.minimum(trace["hidden/trial"], trials - 1)
    answer: Array = trace["hidden/exit"][np.arange(len(trial)), trial]
    return answer


def present_rotation(trace: Trace) -> Array:
    """Whether what is seen of the hand is turned clockwise (0), not (1) or the other way (2)."""
    late = (trace["hidden/reach"] >= trace["hidden/switch"]).astype(np.int64)
    degrees = trace["hidden/degrees"][np.arange(len(late)), late]
    answer: Array = 1 + np.sign(degrees).astype(np.int64)
    return answer


def known_reach(trace: Trace) -> Array:
    """From the third reach that is turned alike on."""
    reach, switch = trace["hidden/reach"], trace["hidden/switch"]
    known: Array = trace["free"] & (np.where(reach < switch, reach, reach - switch) >= 2)
    return known


def rises(where: Callable[[Trace], Array]) -> Callable[[Trace], Array]:
    """The first of each row of moments at which ``where`` is True."""

    def asked(trace: Trace) -> Array:
        now = where(trace)
        first: Array = now & (~np.roll(now, 1) | (trace["step"] == 0))
        return first

    return asked


def once(where: Callable[[Trace], Array]) -> Callable[[Trace], Array]:
    """The first moment of each episode at which ``where`` is True."""

    def asked(trace: Trace) -> Array:
        first, now = np.zeros(len(trace["step"]), np.bool_), where(trace)
        for begin, end in readouts.spans(trace):
            first[begin + np.flatnonzero(now[begin:end])[:1]] = True
        return first

    return asked


def free(trace: Trace) -> Array:
    """While the body may act."""
    return trace["free"]


def dark(trace: Trace) -> Array:
    """While there is no light."""
    without: Array = trace["light"] == 0
    return without


HIDDEN: dict[str, Hidden] = {
    "DarkHome": Hidden(
        "direction of the nest from the body, as the light goes out",
        way_home,
        asked=once(dark),
        # At the very start the body is on it, and there is no direction.
        taught=lambda trace: ~dark(trace) & (trace["step"] > 0),
    ),
    "CacheRecall": Hidden(
        "hue of the site of the item that is asked for, as each query begins",
        cue_hue(lambda trace: trace["hidden/target"]),
        asked=query_begins,
        taught=lambda trace: trace["hidden/asked"] < trace["hidden/query"].shape[1],
        driver="any_site",
        ladder=(1, 2, 3),
    ),
    "GateMaze": Hidden(
        "whether the right arm is right, at the fork",
        lambda trace: trace["hidden/right"],
        asked=once(free),
    ),
    "RoleBind": Hidden(
        "whether the chest that is faced fits the lock, as the body is set free",
        fits,
        asked=lambda trace: once(free)(trace) & faced(trace),
        taught=faced,
        driver="second_faced",
    ),
    "OccluderHunt": Hidden(
        "the exit at which the prey will come out, as it goes out of sight",
        coming_exit,
        asked=rises(lambda trace: trace["hidden/hidden"]),
        taught=lambda trace: trace["hidden/hidden"],
        driver="wait_at_middle_exit",
    ),
    "DelayReach": Hidden(
        "which way the seen hand is turned, as a reach begins",
        present_rotation,
        asked=rises(known_reach),
    ),
    "Homestead": Hidden(
        "hue of the cache of the item that is asked for first, as the first day begins",
        cue_hue(asked_cache),
        asked=once(lambda trace: trace["free"] & first_query(trace)),
        taught=first_query,
        driver="any_cache",
    ),
}
"""By name of the task; a plug-in task adds its own."""

SHOWN: dict[str, str] = {
    "ManyNeeds": "levels are felt and ripeness is seen; only how fast they change is not",
    "PlayRoom": "thing and place are the cue",
    "Caregiver": "the head's hue shows where it looks; what hue means which way is to be learnt",
}
"""Tasks whose answer is in the present observation: there is nothing to hold, and why."""


def what_is_hidden(task: str) -> Hidden:
    """The description of what the task of that name hides.

    Raises:
        ValueError: it hides nothing, or what it hides is not stated.
    """
    if task in SHOWN:
        raise ValueError(f"{task} hides no answer that would have to be held: {SHOWN[task]}")
    if task not in HIDDEN:
        raise ValueError(
            f"what {task} hides is not stated; add it to motley.envs.hidden.HIDDEN "
            f"(there are: {', '.join(HIDDEN)})"
        )
    return HIDDEN[task]
