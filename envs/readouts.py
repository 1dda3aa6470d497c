"""Read-outs: what a field measures of behaviour and of units, from arrays of a recorded trace.

Each is a function of plain NumPy arrays and names the paper that it comes from. "Moments" are the
rows of a trace (see `motley.envs.trace`), "trials" are whatever the caller counts as one.
`motley.envs.summaries` says which read-outs each task has, and where their arrays are.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from motley.envs.kernels import RANGE
from motley.envs.trace import Trace

Array = npt.NDArray[Any]
Float = npt.NDArray[np.float64]
CHUNK = 4_096
"""Moments that are cast rays for at once."""


class Curve(NamedTuple):
    """Means in bins of x, each (B,); NaN where a bin is empty.

    Attributes:
        x: mean x of the bin. y: mean y. sem: standard error of it. size: how many.
    """

    x: Float
    y: Float
    sem: Float
    size: npt.NDArray[np.int64]


def curve(x: npt.ArrayLike, y: npt.ArrayLike, edges: npt.ArrayLike) -> Curve:
    """Mean of y (T,) in bins of x (T,) between ``edges`` (B + 1,), each without its upper edge.

    Raises:
        ValueError: x and y have other lengths, or the edges do not rise.
    """
    across, up = np.asarray(x, np.float64), np.asarray(y, np.float64)
    edge = np.asarray(edges, np.float64)
    if across.shape != up.shape:
        raise ValueError(f"x has shape {across.shape} and y {up.shape}: one y for each x")
    if edge.size < 2 or (np.diff(edge) <= 0).any():
        raise ValueError(f"edges must rise and be two or more, not {edge.tolist()}")
    inside = [(across >= low) & (across < high) for low, high in pairwise(edge)]
    size = np.array([here.sum() for here in inside])
    middle, mean = (
        np.array([v[here].mean() if here.any() else np.nan for here in inside])
        for v in (across, up)
    )
    sem = [up[h].std(ddof=1) / np.sqrt(h.sum()) if h.sum() > 1 else np.nan for h in inside]
    return Curve(middle, mean, np.array(sem), size)


# ----------------------------------------------------------------------------------- getting there


class Journey(NamedTuple):
    """One way of each episode, (E,); NaN where it did not begin.

    Attributes:
        latency: seconds; NaN where it did not arrive. walked: metres. straight: metres.
    """

    latency: Float
    walked: Float
    straight: Float

    @property
    def efficiency(self) -> Float:
        """Straight line over path, 1 for the shortest way (Batschelet 1981, straightness index)."""
        return np.where(self.walked > 0, self.straight / np.maximum(self.walked, 1e-9), np.nan)


def journey(trace: Trace, begin: Array, arrive: Array) -> Journey:
    """Latency and path from the first moment of ``begin`` to the next one of ``arrive``.

    The path of an episode that does not arrive goes to its end.

    Source: Morris 1984, Developments of a water-maze procedure for studying spatial learning in
    the rat: escape latency and path length.

    Args:
        trace: with ``position``, ``displacement`` and ``seconds``.
        begin: (moments,) bool, where it may begin.
        arrive: (moments,) bool, where it has arrived.
    """
    rows = []
    for first, last in spans(trace):
        starts = np.flatnonzero(begin[first:last])
        if not starts.size:
            rows.append((np.nan, np.nan, np.nan))
            continue
        a = first + starts[0]
        ends = np.flatnonzero(arrive[a:last])
        b = a + ends[0] if ends.size else last - 1
        latency = trace["seconds"][b] - trace["seconds"][a] if ends.size else np.nan
        walked = float(trace["displacement"][a + 1 : b + 1].sum())
        way = trace["position"][b] - trace["position"][a]
        rows.append((latency, walked, float(np.hypot(*way))))
    return Journey(*np.array(rows, np.float64).reshape(-1, 3).T)


def spans(trace: Trace) -> list[tuple[int, int]]:
    """First row of each episode, and the one after its last."""
    bounds = trace.bounds.tolist()
    return list(pairwise(bounds))


def homing_error(trace: Trace, home: Array) -> Float:
    """Distance from home where each episode ended, (E,) metres.

    Against the length of the path walked before (`curve` makes bins of it) it tells how errors
    add up on the way.

    Source: Müller & Wehner 1988, Path integration in desert ants, Cataglyphis fortis; Etienne &
    Jeffery 2004, Path integration in mammals.

    Args:
        trace: with ``position``.
        home: (2,) or (E, 2), metres.
    """
    away = np.asarray(trace["position"][trace.bounds[1:] - 1] - home, np.float64)
    return np.asarray(np.hypot(*away.T))


# ------------------------------------------------------------------------------------- remembering


def delay_curve(delay: npt.ArrayLike, right: npt.ArrayLike, edges: npt.ArrayLike) -> Curve:
    """Fraction right as a function of the delay over which something had to be kept.

    Source: White 1985, Characteristics of forgetting functions in delayed matching to sample.

    Args:
        delay: (trials,) seconds or steps.
        right: (trials,) bool.
        edges: of the bins.
    """
    return curve(delay, np.asarray(right, np.float64), edges)


# ---------------------------------------------------------------------------------------- adapting


class Adaptation(NamedTuple):
    """Reaching across switches of a rotation.

    Attributes:
        hit_rate: fraction of all trials that hit.
        error_after_switch: mean absolute error of the first trial after a switch, radians.
        error_before_switch: of the last trial before one, radians.
        trials_to_readapt: mean number of trials after a switch until the absolute error is first
            at or below the criterion; a block that never gets there counts in full.
        after_effect: mean signed error of the first trial after a switch, in radians, in the
            direction that holding on to the former rotation predicts; 0 for one who never
            adapted, the size of the change for one who had adapted fully.
        switches: how many there were.
    """

    hit_rate: float
    error_after_switch: float
    error_before_switch: float
    trials_to_readapt: float
    after_effect: float
    switches: int


def adaptation(
    episode: npt.ArrayLike,
    rotation: npt.ArrayLike,
    error: npt.ArrayLike,
    hit: npt.ArrayLike,
    criterion: float = float(np.deg2rad(15.0)),
) -> Adaptation:
    """Hit rate, error after a switch, trials to re-adapt and after-effect.

    Source: Krakauer et al. 2000, Learning of visuomotor transformations for vectorial planning of
    reaching trajectories; Martin et al. 1996, Throwing while looking through prisms.

    Args:
        episode: (trials,) which episode; trials of one follow each other.
        rotation: (trials,) radians by which the seen movement is turned, counter-clockwise.
        error: (trials,) radians from the target to the seen movement, counter-clockwise. One who
            still corrects for the former rotation errs by rotation - former rotation.
        hit: (trials,) bool.
        criterion: radians, at or below which a reach counts as adapted.

    Raises:
        ValueError: the arrays have other lengths.
    """
    which, turn = np.asarray(episode), np.asarray(rotation, np.float64)
    off = np.asarray(error, np.float64)
    if not which.shape == turn.shape == off.shape == np.shape(hit):
        raise ValueError("episode, rotation, error and hit have one entry a trial each")
    same = which[1:] == which[:-1]
    changed = wrapped(turn[1:] - turn[:-1])
    at = 1 + np.flatnonzero(same & (np.abs(changed) > 1e-9))
    blocks = np.append(1 + np.flatnonzero(~same | (np.abs(changed) > 1e-9)), which.size)
    lengths = []
    for first in at:
        block = np.abs(wrapped(off[first : blocks[blocks > first][0]]))
        good = np.flatnonzero(block <= criterion)
        lengths.append(good[0] if good.size else block.size)

    def mean(values: Float) -> float:
        return float(values.mean()) if values.size else float("nan")

    return Adaptation(
        hit_rate=mean(np.asarray(hit, np.float64)),
        error_after_switch=mean(np.abs(wrapped(off[at]))),
        error_before_switch=mean(np.abs(wrapped(off[at - 1]))),
        trials_to_readapt=mean(np.asarray(lengths, np.float64)),
        after_effect=mean(wrapped(off[at]) * np.sign(changed[at - 1])),
        switches=at.size,
    )


def wrapped(angle: npt.ArrayLike) -> Float:
    """Angles in [-pi, pi), radians."""
    turn = np.asarray(angle, np.float64) / (2 * np.pi)
    return (turn - np.floor(turn + 0.5)) * 2 * np.pi


# ----------------------------------------------------------------------------------------- looking


LOOKED_AT = (
    *("position", "heading", "light", "wall"),
    *("shape_position", "shape_radius", "shape_visible"),
)
"""Arrays that `looked_at` reads."""


def looked_at(trace: Trace, rays: int = 24) -> npt.NDArray[np.int64]:
    """Which shape each ray meets, (moments, rays); -1 for none or a wall.

    Reckoned from places and sizes, not from what was sensed, so that shapes of one colour are told
    apart; in the dark nothing is met.

    Args:
        trace: with the shapes; with ``wall`` where the task has walls.
        rays: how many, at equal steps counter-clockwise from the heading.
    """
    out = np.full((len(trace["step"]), rays), -1)
    for first in range(0, len(out), CHUNK):
        part = slice(first, first + CHUNK)
        angle = trace["heading"][part, None] + np.arange(rays) * (2 * np.pi / rays)
        way = np.stack([np.cos(angle), np.sin(angle)], -1)  # (moments, rays, 2)
        to = trace["shape_position"][part] - trace["position"][part, None]
        along = np.einsum("lrc,lsc->lrs", way, to)
        miss = (to**2).sum(-1)[:, None] - along**2
        half = trace["shape_radius"][part, None] ** 2 - miss
        chord = np.sqrt(np.maximum(half, 0.0))
        met = (half > 0) & (along + chord > 0) & trace["shape_visible"][part, None]
        met &= (trace["light"][part] > 0)[:, None, None]
        far = np.where(met, np.maximum(along - chord, 0.0), np.inf)
        limit = np.full(far.shape[:2], float(RANGE))
        if "wall" in trace and trace["wall"].shape[1]:
            walls = to_walls(
                way, trace["wall"][part] - np.tile(trace["position"][part], 2)[:, None]
            )
            limit = np.minimum(limit, walls.min(-1))
        if far.shape[-1]:
            out[part] = np.where(far.min(-1) < limit, far.argmin(-1), -1)
    return out


def to_walls(way: Array, wall: Array) -> Float:
    """Distance along rays (L, R, 2) from the origin to walls (L, W, 4), (L, R, W); inf for none."""
    start, span = wall[:, None, :, :2], wall[:, None, :, 2:] - wall[:, None, :, :2]
    ray = way[:, :, None]
    cross = ray[..., 0] * span[..., 1] - ray[..., 1] * span[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        far = (start[..., 0] * span[..., 1] - start[..., 1] * span[..., 0]) / cross
        part = (start[..., 0] * ray[..., 1] - start[..., 1] * ray[..., 0]) / cross
        # No ray slips between two walls that share a corner, whatever the rounding.
        met = (cross != 0) & (far >= 0) & (part >= -1e-6) & (part <= 1 + 1e-6)
    return np.where(met, far, np.inf)


def looking_share(trace: Trace, rays: int = 24, where: Array | None = None) -> Float:
    """Share of each shape (S,) among the rays that meet a shape; they add up to 1.

    Source: Fantz 1961, The origin of form perception: preferential looking.

    Args:
        trace: see `looked_at`.
        rays: how many.
        where: (moments,) bool, moments to count; None counts all.
    """
    met = looked_at(trace, rays)
    met = met if where is None else met[where]
    count = np.bincount(met[met >= 0], minlength=trace["shape_radius"].shape[1])
    return np.asarray(count / max(count.sum(), 1), np.float64)


# ----------------------------------------------------------------------------------------- needing


def drive(level: npt.ArrayLike, setpoint: npt.ArrayLike, exponent: float = 2.0) -> Float:
    """Distance of the needs from their setpoints, sum over needs of |setpoint - level|^exponent.

    Source: Keramati & Gutkin 2014, Homeostatic reinforcement learning for integrating reward
    collection and physiological stability, equation 1 (without its outer root).

    Args:
        level: (moments, needs).
        setpoint: of each need.
        exponent: of the distance.
    """
    gap = np.abs(np.asarray(setpoint, np.float64) - np.asarray(level, np.float64))
    return np.asarray((gap**exponent).sum(-1), np.float64)


def time_at_setpoint(level: npt.ArrayLike, setpoint: npt.ArrayLike, within: float = 0.1) -> Float:
    """Share of the moments at which each need (needs,) is at most ``within`` off its setpoint."""
    gap = np.abs(np.asarray(setpoint, np.float64) - np.asarray(level, np.float64))
    return np.asarray((gap <= within).mean(0), np.float64)


# --------------------------------------------------------------------------------------- following


class Pursuit(NamedTuple):
    """Mean absolute angle (radians) between heading and target, and distance (metres) to it."""

    hidden_angle: float
    seen_angle: float
    hidden_distance: float
    seen_distance: float


def pursuit_error(trace: Trace, target: Array, hidden: Array) -> Pursuit:
    """How well the body follows a target while it is hidden, beside while it is seen.

    Source: Barnes 2008, Cognitive processes involved in smooth pursuit eye movements: pursuit
    through occlusion. One who faces anywhere errs by pi / 2 on average.

    Args:
        trace: with ``position`` and ``heading``.
        target: (moments, 2), metres.
        hidden: (moments,) bool.
    """
    way = np.asarray(target - trace["position"], np.float64)
    angle = np.abs(wrapped(np.arctan2(way[:, 1], way[:, 0]) - trace["heading"]))
    distance = np.hypot(*way.T)

    def mean(values: Float, where: Array) -> float:
        return float(values[where].mean()) if where.any() else float("nan")

    hidden = np.asarray(hidden, np.bool_)
    return Pursuit(*(mean(v, w) for v in (angle, distance) for w in (hidden, ~hidden)))


class Detection(NamedTuple):
    """How well a detector does.

    Attributes:
        precision: the part of what was found that was there; NaN where nothing was found.
        recall: the part of what was there that was found; NaN where nothing was there.
    """

    precision: float
    recall: float


def precision_recall(found: npt.ArrayLike, there: npt.ArrayLike) -> Detection:
    """Precision and recall of a detector; for hands, on still frames where no motion tells them.

    Source: Ullman, Harari & Dorfman 2012, From simple innate biases to complex visual concepts.

    Args:
        found: bool, any shape.
        there: bool, of the same shape.

    Raises:
        ValueError: they have other shapes.
    """
    mine, truth = np.asarray(found, np.bool_), np.asarray(there, np.bool_)
    if mine.shape != truth.shape:
        raise ValueError(f"found has shape {mine.shape}, there has {truth.shape}")
    both = float((mine & truth).sum())
    nan = float("nan")
    return Detection(
        both / mine.sum() if mine.any() else nan, both / truth.sum() if truth.any() else nan
    )


# ------------------------------------------------------------------------------------------- units


class RateMap(NamedTuple):
    """Mean activity by place.

    Attributes:
        rate: (rows, columns), NaN where the body never was; row 0 has the lowest y.
        occupancy: seconds spent in each bin.
        x, y: edges of the bins, metres.
    """

    rate: Float
    occupancy: Float
    x: Float
    y: Float


def rate_map(
    position: npt.ArrayLike,
    activity: npt.ArrayLike,
    bin: float = 0.25,
    smooth: float = 0.0,
    dt: float = 0.25,
) -> RateMap:
    """Mean activity of a unit in each bin of place.

    Source: O'Keefe & Dostrovsky 1971, The hippocampus as a spatial map; smoothing activity and
    occupancy alike, before the division, as Skaggs et al. 1996 do.

    Args:
        position: (moments, 2), metres; relative to anything, such as home.
        activity: (moments,).
        bin: side of a bin, metres.
        smooth: standard deviation of the Gaussian over both, in bins; 0 for none.
        dt: seconds a moment.

    Raises:
        ValueError: position and activity have other lengths.
    """
    place, unit = np.asarray(position, np.float64), np.asarray(activity, np.float64)
    if place.shape != (unit.size, 2) or unit.ndim != 1:
        raise ValueError(
            f"position {place.shape} and activity {unit.shape} must be (T, 2) and (T,)"
        )
    low, high = np.floor(place.min(0) / bin), np.floor(place.max(0) / bin) + 1
    x, y = (bin * np.arange(low[i], high[i] + 1) for i in (0, 1))
    edges = [y, x]
    occupancy, *_ = np.histogram2d(place[:, 1], place[:, 0], edges)
    total, *_ = np.histogram2d(place[:, 1], place[:, 0], edges, weights=unit)
    visited = occupancy > 0
    if smooth:
        from scipy.ndimage import gaussian_filter

        occupancy, total = (gaussian_filter(m, smooth, mode="constant") for m in (occupancy, total))
    rate = np.full(occupancy.shape, np.nan)
    rate[visited] = total[visited] / occupancy[visited]
    return RateMap(rate, occupancy * dt, x, y)


def spatial_information(made: RateMap) -> float:
    """Bits about place in one spike (or one unit of activity): sum p (r / mean) log2(r / mean).

    Source: Skaggs, McNaughton, Gothard & Markus 1993, An information-theoretic approach to
    deciphering the hippocampal code.

    Raises:
        ValueError: a rate is negative: shift or rectify the activity, and say so.
    """
    visited = np.isfinite(made.rate)
    rate, time = made.rate[visited], made.occupancy[visited]
    if (rate < 0).any():
        raise ValueError(
            "spatial information is defined for rates, which are not negative: shift or rectify "
            "the activity first, such as activity - activity.min()"
        )
    share = time / time.sum()
    mean = float((share * rate).sum())
    if mean == 0.0:
        return 0.0
    ratio = rate / mean
    fired = ratio > 0
    return float((share[fired] * ratio[fired] * np.log2(ratio[fired])).sum())
