"""Which read-outs each task has, and where their arrays are in its trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from motley.envs import readouts
from motley.envs.tasks import TASKS
from motley.envs.trace import CLOCK, ENDS, Trace, policy, record

Summary = dict[str, float]


class ReadOuts(NamedTuple):
    """The read-outs of a task.

    Attributes:
        make: their means by name, with units in the names, from a trace.
        reads: names of the arrays that this looks at; those of the clock and the ends are in every
            trace. All others are left out of what `motley evaluate` records.
        unknown: by the name of a mean, what these episodes lack where it is NaN.
    """

    make: Callable[[Trace], Summary]
    reads: tuple[str, ...] = ()
    unknown: Mapping[str, str] = MappingProxyType({})


def summary(trace: Trace) -> Summary:
    """The means of a trace's read-outs by name, with units in the names; empty without any.

    They get no other arrays than they say, so that they find the same in every trace.
    """
    if trace.task not in SUMMARIES:
        return {}
    read = {name: array for name, array in trace.items() if is_read(trace.task, name)}
    return SUMMARIES[trace.task].make(Trace(read, trace.units, trace.about))


def is_read(task: str, name: str) -> bool:
    """Whether the read-outs of a task may look at the array of that name."""
    return name in CLOCK or name in ENDS or (task in SUMMARIES and name in SUMMARIES[task].reads)


def mean(values: readouts.Array) -> float:
    """Mean of what is not NaN; NaN where all of it is."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else float("nan")


def dark_home(trace: Trace) -> Summary:
    """The way home: how many arrive, how straight and (these) how soon, and how far off they run.

    All is of the episodes in which the foods were found, since the others have no way home.
    """
    dark, home = trace["light"] == 0, trace["hidden/home"]
    found = readouts.journey(trace, dark, home)
    out = readouts.journey(trace, trace["step"] == 0, dark)
    error = readouts.homing_error(trace, np.zeros(2), dark, home)
    known = ~np.isnan(error)
    steep = np.polyfit(out.walked[known], error[known], 1)[0] if known.sum() > 2 else np.nan
    return {
        "ways home that arrive": mean(~np.isnan(found.latency[known])),
        "latency home (s)": mean(found.latency),
        "path efficiency home": mean(found.efficiency),
        "homing error (m)": mean(error),
        "homing error per metre out": float(steep),
    }


def cache_recall(trace: Trace) -> Summary:
    """Fraction right by how long ago the item was shown, in halves of the delays."""
    delay, right = recalls(trace)
    if not delay.size:
        return {"queries right": float("nan")}
    edges = [0.0, float(np.median(delay)) + 1e-6, float(delay.max()) + 1e-3]
    found = readouts.delay_curve(delay, right, edges)
    return {
        "queries right": mean(right),
        f"right after {found.x[0]:.1f} s": float(found.y[0]),
        f"right after {found.x[1]:.1f} s": float(found.y[1]),
    }


def many_needs(trace: Trace) -> Summary:
    """How far the needs were from their setpoints, and how often near, over the full horizon.

    Death counts as the highest drive from then on, and as no time near a setpoint: the means of
    those who live alone would flatter who dies early.
    """
    task, last = rules(trace), trace.bounds[1:] - 1
    left = task.horizon - trace["step"][last]
    lost = np.where(trace["hidden/dead"][last], left, 0)
    lived = trace["step"] > 0  # an episode's first moment is the end of no step
    need = trace["hidden/need"][lived]
    near = readouts.time_at_setpoint(need, task.metabolism.setpoint, within=0.1)
    return {
        "mean drive": mean((trace["hidden/burden"][last] + lost) / task.horizon),
        "time at setpoint": mean(near) * float(lived.sum()) / (task.horizon * len(last)),
        "deaths": mean(trace["hidden/dead"][last]),
    }


def homestead(trace: Trace) -> Summary:
    """The needs while the body is up, how many died, and the days that were kept."""
    up, last = trace["hidden/phase"] > 0, trace.bounds[1:] - 1
    task = rules(trace)
    near = readouts.time_at_setpoint(trace["hidden/need"][up], task.metabolism.setpoint, within=0.1)
    return {
        "mean drive while alive": mean(trace["hidden/drive"][up]),
        "time at setpoint while alive": mean(near),
        "deaths": mean(trace["hidden/dead"][last]),
        "share of days kept": mean(trace["hidden/kept"][last]) / task.days,
    }


def delay_reach(trace: Trace) -> Summary:
    """Hits, and what a switch of the rotation does to the direction of reaches."""
    degrees, found = float(np.rad2deg(1.0)), readouts.adaptation(*reaches(trace))
    last = trace.bounds[1:] - 1
    hits = trace["hidden/hit"][last].sum(1)
    return {
        "hit rate": found.hit_rate,
        "hits per minute": readouts.per_minute(hits, trace["seconds"][last]),
        "error after a switch (deg)": found.error_after_switch * degrees,
        "error before a switch (deg)": found.error_before_switch * degrees,
        "reaches to readapt": found.trials_to_readapt,
        "after-effect (deg)": found.after_effect * degrees,
    }


OUT = 0.9
"""Share of the way to the target at which the direction of a reach is measured."""


def reaches(
    trace: Trace,
) -> tuple[readouts.Array, readouts.Float, readouts.Float, readouts.Array]:
    """Episode, rotation, error of direction (radians, counter-clockwise) and hit of each reach.

    A force field counts as the rotation by which it turns what the arm does.

    The direction is that of the hand as it would be seen without delay, where it has first gone
    nine tenths of the way: later it may be mended, earlier an arm that turns its joints evenly
    moves in a curve. Of a reach that does not get so far it is that of its end.
    """
    task = rules(trace)
    rows = np.flatnonzero(trace["free"])
    episode, number = trace["episode"][rows], trace["hidden/reach"][rows]
    (x, y), (cosine, sine) = (
        (trace["hidden/hand"][rows] - task.middle).T.astype(np.float64),
        trace["hidden/rotation"][rows].T.astype(np.float64),
    )
    seen = np.stack([cosine * x - sine * y, sine * x + cosine * y], 1)
    reach = episode * task.reaches + number
    last = np.append(reach[1:] != reach[:-1], True)
    at = np.flatnonzero(last | (np.hypot(x, y) >= OUT * task.target_distance))
    at = at[np.unique(reach[at], return_index=True)[1]]
    target = trace["hidden/target"][rows[at]].astype(np.float64)
    error = np.arctan2(seen[at, 1], seen[at, 0]) - np.arctan2(target[:, 1], target[:, 0])
    hit = trace["hidden/hit"][trace.bounds[1:][episode[at]] - 1, number[at]]
    turn = np.arctan2(sine, cosine) + np.arctan(trace["hidden/push"][rows])
    return episode[at], turn[at], readouts.wrapped(error), hit


def play_room(trace: Trace) -> Summary:
    """What the body looks at: shares of the rays that meet a thing; and what its play is worth.

    That is asked in phase 1 only, by `readouts.learner_r2`, of `EXPERIENCE` episodes at most.
    """
    names, there = ("ball", "pendulum", "block", "screen"), trace["shape_visible"].any(0)
    share = readouts.looking_share(trace)
    made = {f"looking at the {names[i]}": float(share[i]) for i in np.flatnonzero(there)}
    about = trace.about
    if about["variant"]["phase"] == 1:
        tested = held_out(about["level"], about["ood"], tuple(about["variant"].items()))
        played = readouts.experience(trace, EXPERIENCE)
        made["R2 of a learner on held-out steps"] = readouts.learner_r2(played, tested)
    return made


EXPERIENCE = 100
"""Episodes of play from which a learner learns, so that it learns as much from every agent."""
HELD_OUT = 3_000_000, 40
"""First seed and number of the episodes on which it is tested, of the oracle and of random."""


@lru_cache(maxsize=4)
def held_out(
    level: int, ood: bool, variant: tuple[tuple[str, Any], ...]
) -> tuple[readouts.Float, readouts.Float]:
    """Steps of PlayRoom on which what was learnt in play is tested; see `readouts.experience`."""
    task = TASKS["PlayRoom"](level=level, ood=ood, **dict(variant))
    seed, episodes = HELD_OUT
    needed = {"sense/vision", "sense/egomotion"}
    made = [
        readouts.experience(
            record(task, policy(task, name), episodes, seed, keep=needed.__contains__)
        )
        for name in ("oracle", "random")
    ]
    given, change = (np.concatenate(part) for part in zip(*made, strict=True))
    return given, change


def caregiver(trace: Trace) -> Summary:
    """Objects handed over; and of an agent with such areas, what they know of hands and of gaze.

    A hand is found on a ray where the area ``appearance`` gives it even odds or more. Still frames
    are those in which nothing has moved since the one before, the body included, so that no rule
    for motion tells the hand: out of distribution those in which the body is held, but for the
    first of a trial; and the one in which it is set free, which in distribution is all.
    """
    task = rules(trace)
    made = {"handed over": mean(trace["hidden/right"][trace.bounds[1:] - 1]) / task.trials}
    clock, free = trace["hidden/clock"], trace["free"]
    if "area/appearance" in trace:
        begins = 1 if trace.about["ood"] else task.held_steps
        still = (clock >= begins) & (clock <= task.held_steps)
        says, hand = trace["area/appearance"] >= 0, readouts.looked_at(trace) == task.hand
        found = readouts.precision_recall(says[still], hand[still])
        made |= {
            "hand precision, still frames": found.precision,
            "hand recall, still frames": found.recall,
        }
    if "area/gaze" in trace:
        rows = np.flatnonzero(free & (clock == task.held_steps))
        x, y = trace["hidden/gaze"][rows].T.astype(np.float64)
        ahead, left = trace["area/gaze"][rows, :2].T.astype(np.float64)
        off = np.arctan2(left, ahead) + trace["heading"][rows] - np.arctan2(y, x)
        made["gaze error (deg)"] = mean(np.rad2deg(np.abs(readouts.wrapped(off))))
    return made


def rules(trace: Trace) -> Any:
    """The task of a trace, as it was set."""
    about = trace.about
    return TASKS[trace.task](level=about["level"], ood=about["ood"], **about["variant"])


def occluder_hunt(trace: Trace) -> Summary:
    """How far the body is from where the prey comes out, just before.

    Which way it faces then tells nothing: one who waits there may have turned to anywhere.
    """
    task, run = rules(trace), trace["hidden/run"]
    mouth = np.full(len(run), task.screen - task.prey_radius)
    far = readouts.anticipation(trace, np.stack([run[:, 5], mouth], 1), trace["hidden/hidden"])
    return {"distance to where the prey comes out (m)": mean(far)}


def recalls(trace: Trace) -> tuple[readouts.Float, readouts.Float]:
    """Seconds from the end of an item's showing to its query, and whether the answer was right.

    One of each query. The way to the site is no part of the delay.
    """
    task, asked = rules(trace), trace["hidden/asked"]
    ends = np.flatnonzero((np.diff(asked) == 1) & (np.diff(trace["episode"]) == 0))
    target = trace["hidden/target"][ends]  # of the moment before the answer
    shown = (trace["hidden/order"][ends] == target[:, None]).argmax(1)
    # The first query follows the showing, each other one the answer before it.
    first = np.diff(trace["episode"][ends], prepend=-1) > 0
    since = np.where(first, task.lit_steps * task.sites, np.roll(trace["step"][ends] + 1, 1))
    delay = (since - task.lit_steps * (shown + 1)) * trace.about["control_step"]
    return delay.astype(np.float64), (trace["reward"][ends + 1] > 0).astype(np.float64)


NO_WAY_HOME = "in no episode were all foods found"
NO_ARRIVAL = "in no episode was home reached"
NO_SWITCH = "in no episode is the rotation switched"

SUMMARIES: dict[str, ReadOuts] = {
    "DarkHome": ReadOuts(
        dark_home,
        ("light", "hidden/home", "position", "heading", "displacement"),
        {
            "ways home that arrive": NO_WAY_HOME,
            "latency home (s)": NO_ARRIVAL,
            "path efficiency home": NO_WAY_HOME,
            "homing error (m)": NO_WAY_HOME,
            "homing error per metre out": "in fewer than three episodes were all foods found",
        },
    ),
    "CacheRecall": ReadOuts(
        cache_recall,
        ("hidden/asked", "hidden/target", "hidden/order"),
        {"queries right": "in no episode was a query answered"},
    ),
    "ManyNeeds": ReadOuts(many_needs, ("hidden/need", "hidden/burden", "hidden/dead")),
    "OccluderHunt": ReadOuts(
        occluder_hunt,
        ("position", "hidden/run", "hidden/hidden"),
        {"distance to where the prey comes out (m)": "in no episode did the prey come out again"},
    ),
    "DelayReach": ReadOuts(
        delay_reach,
        (
            *("free", "hidden/reach", "hidden/hand", "hidden/rotation", "hidden/push"),
            *("hidden/target", "hidden/hit"),
        ),
        {
            "error after a switch (deg)": NO_SWITCH,
            "error before a switch (deg)": NO_SWITCH,
            "reaches to readapt": NO_SWITCH,
            "after-effect (deg)": "in no episode is a rotation taken away",
        },
    ),
    "PlayRoom": ReadOuts(play_room, (*readouts.LOOKED_AT, "sense/vision", "sense/egomotion")),
    "Homestead": ReadOuts(
        homestead, ("hidden/phase", "hidden/need", "hidden/drive", "hidden/dead", "hidden/kept")
    ),
    "Caregiver": ReadOuts(
        caregiver,
        (
            *("free", "hidden/right", "hidden/clock", "hidden/gaze"),
            *("area/appearance", "area/gaze", *readouts.LOOKED_AT),
        ),
        {
            "hand precision, still frames": "nothing was taken for a hand",
            "hand recall, still frames": "no hand was in sight",
        },
    ),
}
"""By name of the task; a plug-in task adds its own."""
