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
from motley.envs.probe import grade, ridge
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
        latency: seconds; NaN where it did not arrive. walked: metres, to the end where it did not
            arrive. straight: metres from its beginning to where it arrived or ended.
    """

    latency: Float
    walked: Float
    straight: Float

    @property
    def efficiency(self) -> Float:
        """Straight line over path, 1 for the shortest way and 0 for one that did not arrive.

        Source: Batschelet 1981, Circular statistics in biology (straightness index); weighted by
        success as in Anderson et al. 2018, On evaluation of embodied navigation agents, since who
        walks straight past the goal walks straight.
        """
        straight = self.straight / np.maximum(self.walked, 1e-9)
        return np.where(np.isnan(self.latency) & ~np.isnan(self.walked), 0.0, straight)


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


def homing_error(trace: Trace, home: Array, begin: Array, arrive: Array) -> Float:
    """Distance from home where a body has run the distance to it, (E,) metres.

    That is where an ant's straight run ends and its search begins. Against the length of the path
    walked before (`curve` makes bins of it) it tells how errors add up on the way. One who arrives
    has run less, since home is found from its edge: it is taken on along its heading. One who has
    run less by the end is taken where it ended.

    Source: Müller & Wehner 1988, Path integration in desert ants, Cataglyphis fortis; Etienne &
    Jeffery 2004, Path integration in mammals.

    Args:
        trace: with ``position``, ``displacement`` and ``heading``.
        home: (2,) metres.
        begin: (moments,) bool, where the way home may begin; NaN for episodes without it.
        arrive: (moments,) bool, where it has arrived.
    """
    found = []
    for first, last in spans(trace):
        starts = np.flatnonzero(begin[first:last])
        if not starts.size:
            found.append(np.nan)
            continue
        a = first + starts[0]
        place, heading = (trace[x][a:last].astype(np.float64) for x in ("position", "heading"))
        run = np.append(0.0, trace["displacement"][a + 1 : last].cumsum(dtype=np.float64))
        distance = float(np.hypot(*(home - place[0])))
        b = int((run < distance).sum())  # the first moment at which it has run so far
        over, b = b < len(run), min(b, len(run) - 1)
        left = distance - run[b] if over or arrive[a + b] else 0.0
        end = place[b] + left * np.array([np.cos(heading[b]), np.sin(heading[b])])
        found.append(float(np.hypot(*(end - home))))
    return np.array(found, np.float64)


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
        after_effect: compensation carried over to where there is nothing to compensate: mean error
            of the first trial after a rotation was taken away, radians, counted against that
            rotation's direction; 0 for one who never adapted (or sees the switch coming), the
            rotation's size for one who had adapted fully. NaN where none was taken away.
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
    reaching trajectories; Martin et al. 1996, Throwing while looking through prisms (the
    after-effect, when the prisms are off).

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
    off_again = at[np.abs(wrapped(turn[at])) <= 1e-9]

    def mean(values: Float) -> float:
        return float(values.mean()) if values.size else float("nan")

    return Adaptation(
        hit_rate=mean(np.asarray(hit, np.float64)),
        error_after_switch=mean(np.abs(wrapped(off[at]))),
        error_before_switch=mean(np.abs(wrapped(off[at - 1]))),
        trials_to_readapt=mean(np.asarray(lengths, np.float64)),
        after_effect=mean(wrapped(-off[off_again]) * np.sign(wrapped(turn[off_again - 1]))),
        switches=at.size,
    )


def per_minute(count: npt.ArrayLike, seconds: npt.ArrayLike) -> float:
    """Events a minute: all of them, over all of the time; NaN where there was none.

    Source: Skinner 1938, The behavior of organisms: rate of responding.

    Args:
        count: (episodes,) events.
        seconds: (episodes,) how long each lasted.
    """
    time = float(np.sum(seconds))
    return 60 * float(np.sum(count)) / time if time > 0 else float("nan")


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
    """Share of the moments at which each need (needs,) is at most ``within`` off its setpoint.

    Source: "time in range" of a regulated level: Battelino et al. 2019, Clinical targets for
    continuous glucose monitoring data interpretation.

    Args:
        level: (moments, needs).
        setpoint: of each need.
        within: of the level.
    """
    gap = np.abs(np.asarray(setpoint, np.float64) - np.asarray(level, np.float64))
    return np.asarray((gap <= within).mean(0), np.float64)


# ------------------------------------------------------------------------------------ anticipating


def anticipation(trace: Trace, place: Array, hidden: Array) -> Float:
    """Metres to where a hidden target comes out, just before it does, (R,) reappearances.

    It is asked at the last moment at which the target is hidden: what follows is seen. Where the
    target is until then does not count, since nobody can follow it behind a screen.

    Source: Gredebäck & von Hofsten 2004, Infants' evolving representations of object motion during
    occlusion; von Hofsten, Kochukhova & Rosander 2007, Predictive tracking over occlusions by
    4-month-old infants.

    Args:
        trace: with ``position``.
        place: (moments, 2) where the target will come out, metres; read while it is hidden.
        hidden: (moments,) bool.
    """
    unseen, episode = np.asarray(hidden, np.bool_), trace["episode"]
    last = np.flatnonzero(unseen[:-1] & ~unseen[1:] & (episode[:-1] == episode[1:]))
    way = np.asarray(place[last] - trace["position"][last], np.float64)
    return np.asarray(np.hypot(*way.T))


# ----------------------------------------------------------------------------------------- knowing


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


LEARNER_PENALTY = 300.0
"""So stiff that to have seen little of what is tested is seldom worse than to have seen nothing."""


def experience(trace: Trace, episodes: int | None = None) -> tuple[Float, Float]:
    """What `learner_r2` is given of each step (steps, G), and how the senses changed in it.

    Given are the senses before it, the action, and the senses times forward, turn and turn squared,
    since what a step does to a view depends on the action. The changes (steps, F) are those of
    vision and egomotion.

    Args:
        trace: with ``action``, ``sense/vision`` and ``sense/egomotion``.
        episodes: of how many, the first; None is all.
    """
    rows = np.flatnonzero(np.isfinite(trace["action"][:, 0]))
    rows = rows if episodes is None else rows[trace["episode"][rows] < episodes]
    senses = [trace[f"sense/{name}"] for name in ("vision", "egomotion")]
    now, then = (
        np.concatenate([x[at].astype(np.float64) for x in senses], 1) for at in (rows, rows + 1)
    )
    action = np.clip(trace["action"][rows].astype(np.float64), [0.0, -1.0], 1.0)
    forward, turn = action[:, :1], action[:, 1:]
    return np.concatenate([now, action, now * forward, now * turn, now * turn**2], 1), then - now


def learner_r2(made: tuple[Float, Float], held_out: tuple[Float, Float]) -> float:
    """How well a fixed learner foresees held-out steps, after what somebody's behaviour showed it.

    The learner is ridge regression; 1 is every change foreseen, 0 no more than the held-out mean.
    It tells how much the behaviour is worth to a learner, whoever chose it and for whatever reason.
    Compare equally many steps.

    Source: Haber, Mrowca, Wang, Fei-Fei & Yamins 2018, Learning to play with
    intrinsically-motivated, self-aware agents: a world model's loss on held-out sets.

    Args:
        made: see `experience`; what it learns from.
        held_out: in the same way, what it is tested on.
    """
    said = ridge(*made, held_out[0], penalty=LEARNER_PENALTY)
    return grade(said, held_out[1])


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
