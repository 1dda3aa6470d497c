"""Which read-outs each task has, and where their arrays are in its trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from motley.envs import readouts
from motley.envs.tasks import TASKS
from motley.envs.trace import Trace

Summary = dict[str, float]


def summary(trace: Trace) -> Summary:
    """The means of a trace's read-outs by name, with units in the names; empty without any."""
    make = SUMMARIES.get(trace.task)
    return {} if make is None else make(trace)


def mean(values: readouts.Array) -> float:
    """Mean of what is not NaN; NaN where all of it is."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else float("nan")


def dark_home(trace: Trace) -> Summary:
    """The way home: how long, how straight, how far off, and how that grows with the way out."""
    dark, home = trace["light"] == 0, trace["hidden/home"]
    found = readouts.journey(trace, dark, home)
    out = readouts.journey(trace, trace["step"] == 0, dark)
    error = readouts.homing_error(trace, np.zeros(2))
    error[np.isnan(found.walked)] = np.nan  # the foods were not all found: no way home began
    known = ~np.isnan(error)
    steep = np.polyfit(out.walked[known], error[known], 1)[0] if known.sum() > 2 else np.nan
    return {
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
    """How far the needs were from their setpoints, and how often near."""
    setpoint = rules(trace).metabolism.setpoint
    near = readouts.time_at_setpoint(trace["hidden/need"], setpoint, within=0.1)
    return {"mean drive": mean(trace["hidden/drive"]), "time at setpoint": mean(near)}


def rules(trace: Trace) -> Any:
    """The task of a trace, as it was set."""
    about = trace.about
    return TASKS[trace.task](level=about["level"], ood=about["ood"], **about["variant"])


def occluder_hunt(trace: Trace) -> Summary:
    """How far off the prey the body is and heads while it is out of sight.

    One who goes to where it will come out heads elsewhere than it runs: the distance tells more.
    """
    found = readouts.pursuit_error(trace, trace["shape_position"][:, 0], trace["hidden/hidden"])
    return {
        "pursuit error while hidden (rad)": found.hidden_angle,
        "distance while hidden (m)": found.hidden_distance,
    }


def recalls(trace: Trace) -> tuple[readouts.Float, readouts.Float]:
    """Seconds since the item was shown, and whether the answer was right, of each query."""
    asked = trace["hidden/asked"]
    ends = np.flatnonzero((np.diff(asked) == 1) & (np.diff(trace["episode"]) == 0))
    target = trace["hidden/target"][ends]  # of the moment before the answer
    shown = (trace["hidden/order"][ends] == target[:, None]).argmax(1)
    delay = (trace["step"][ends] + 1 - 2 * shown) * trace.about["control_step"]
    return delay.astype(np.float64), (trace["reward"][ends + 1] > 0).astype(np.float64)


SUMMARIES: dict[str, Callable[[Trace], Summary]] = {
    "DarkHome": dark_home,
    "CacheRecall": cache_recall,
    "ManyNeeds": many_needs,
    "OccluderHunt": occluder_hunt,
}
"""By name of the task; a plug-in task adds its own."""
