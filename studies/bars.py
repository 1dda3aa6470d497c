"""The bars that a task's reference policies have to reach, judged by what their episodes can tell.

Each is a mean over episodes of how far the bar is cleared: linear in the policies' scores, which
are of the same seeds, so that what the episodes share cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from motley.envs import Task
from motley.envs.calibration import Scores
from motley.studies.controls import Control
from motley.studies.statistics import Interval, bounded_mean

OBSERVER, SHORTCUT = 0.9, 0.1
"""Bars: the observer's score01, and the shortcuts' score01 above chance's."""

Verdict = Literal["holds", "fails", "undecided"]


class Bar(NamedTuple):
    """A bar, and by how much it is cleared.

    Attributes:
        text: what was measured and what it should be.
        margin: by how much the bar is cleared, below 0 where it is missed, with a 95% interval.
        episodes: how many were played.
        fixed: the part of the interval's half-width that more of them do not narrow.
    """

    text: str
    margin: Interval
    episodes: int
    fixed: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """Whether all of the interval lies above the bar, or below it, or neither."""
        if self.margin.high < 0:
            return "fails"
        return "holds" if self.margin.low >= 0 else "undecided"

    @property
    def enough(self) -> float:
        """Roughly how many episodes would decide it, if the estimate stays; infinite where none."""
        reach, estimate = (self.margin.high - self.margin.low) / 2, abs(self.margin.estimate)
        if estimate <= self.fixed:
            return math.inf
        return self.episodes * (reach**2 - self.fixed**2) / (estimate**2 - self.fixed**2)


def bars(rules: Task, found: Scores, control: Control | None = None) -> Iterator[Bar]:
    """The bars of a level.

    Args:
        rules: the task as it is set.
        found: the scores of its reference policies, which lie in [0, 1].
        control: the agent without a memory, where one was trained.
    """
    variant = "".join(f", {name}={value}" for name, value in rules.variant.items() if value)
    where = f"level {rules.level}{', out of distribution' if rules.ood else ''}{variant}: "
    oracle, random, count = found.oracle, found.random, len(found.oracle)
    span, chance = oracle - random, rules.chance
    unit = max(float(span.mean()), 1e-9)  # of score01

    least = rules.oracle_bar
    text = f"the oracle scores {oracle.mean():.3f} (bar: {least} or more)"
    yield Bar(where + text, margin(oracle - least, -least, 1 - least), count)
    if found.observer is not None:
        score01 = (found.observer.mean() - random.mean()) / unit
        text = f"the observer's score01 is {score01:.3f} (bar: {OBSERVER} or more)"
        cleared = found.observer - random - OBSERVER * span
        yield Bar(where + text, margin(cleared, -1.0, 1.0), count)
    allowed = chance + SHORTCUT * span  # as a raw score, in each episode
    ends = chance - SHORTCUT, chance + SHORTCUT

    def above(score: float) -> str:
        apart = (score - chance) / unit
        return (
            f"{score:.3f}, in score01 {apart:.3f} above chance's {chance:.2f} (bar: {SHORTCUT} or "
            f"less)"
        )

    for name, scores in found.heuristics.items():
        text = f"the shortcut {name} scores {above(scores.mean())}"
        yield Bar(where + text, margin(allowed - scores, ends[0] - 1, ends[1]), count)
    if control is not None:
        text = f"an agent without a memory scores {above(control.score)}"
        room, fixed = margin(allowed, *ends), half_width(control.score, control.episodes)
        estimate = room.estimate - control.score
        low = estimate - math.hypot(room.estimate - room.low, fixed)
        high = estimate + math.hypot(room.high - room.estimate, fixed)
        yield Bar(where + text, Interval(estimate, low, high), count, fixed)


def margin(cleared: npt.NDArray[np.floating], low: float, high: float) -> Interval:
    """The mean by which a bar is cleared, with its 95% interval.

    Args:
        cleared: in each episode.
        low: the least that could be.
        high: the most that could be. Where it is 0, a bar at the end of the scale, one episode
            that misses it is enough: no other can make up for that.
    """
    if high <= 0:
        return Interval(*[float(cleared.mean())] * 3)
    return bounded_mean(cleared, low, high)


def half_width(score: float, episodes: int) -> float:
    """Of the 95% interval of a stored mean of scores in [0, 1], which vary no more than shares."""
    share = (score * episodes + 2) / (episodes + 4)
    return 1.96 * math.sqrt(share * (1 - share) / (episodes + 4))


def standard_error(scores: npt.NDArray[np.floating]) -> float:
    """Of the mean; NaN of a single score."""
    return float(np.std(scores, ddof=1) / np.sqrt(scores.size)) if scores.size > 1 else math.nan
