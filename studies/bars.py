"""The bars that a task's reference policies have to reach, judged by what their episodes can tell.

Each is a mean over episodes of how far the bar is cleared: linear in the policies' scores, which
are of the same seeds, so that what the episodes share cancels out.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from motley.envs import Task
from motley.envs.calibration import Scores
from motley.studies.controls import Control
from motley.studies.statistics import Interval, bounded_interval, bounded_mean

OBSERVER, SHORTCUT = 0.9, 0.1
"""Bars: the observer's score01, and the shortcuts' score01 above chance's."""
MOST = 10_000_000
"""Episodes up to which it is looked how many decide a bar."""
SENSIBLE, NEAR = 20_000, 0.05
"""Where more episodes than this would be needed, and the margin is known to within so much of the
score to either side, a mean is as good as on its bar."""
ALIKE = 1e-12
"""Scores that differ by less do so by rounding."""

Verdict = Literal["holds", "fails", "undecided", "undecidable"]


class Bar(NamedTuple):
    """A bar, and by how much it is cleared.

    Attributes:
        text: what was measured and what it should be.
        cleared: by how much in each episode, (episodes,); below 0 where it is missed.
        low: the least that this can be in an episode.
        high: the most.
        less: a stored mean score to be taken off, with its 95% interval, which more episodes do
            not narrow.
    """

    text: str
    cleared: npt.NDArray[np.floating]
    low: float
    high: float
    less: Interval = Interval(0.0, 0.0, 0.0)

    @property
    def margin(self) -> Interval:
        """The mean by which the bar is cleared, with its 95% interval."""
        return self.after(len(self.cleared))

    def after(self, episodes: int) -> Interval:
        """The margin as it would be after so many episodes of the same mean and variance."""
        mean, low, high = bounded_mean(self.cleared, self.low, self.high, episodes)
        stored, least, most = self.less
        down, up = math.hypot(mean - low, most - stored), math.hypot(high - mean, stored - least)
        return Interval(mean - stored, mean - stored - down, mean - stored + up)

    @property
    def verdict(self) -> Verdict:
        """Whether all of the interval lies above the bar, or below it, or neither, or never will.

        Undecided is what more episodes would decide, undecidable what no number of them would.
        """
        found = judge(self.margin)
        return "undecidable" if found == "undecided" and (self.tied or self.too_rough) else found

    @property
    def tied(self) -> bool:
        """Whether every episode lies on the bar: no number of such episodes leaves it."""
        return bool(np.abs(self.cleared - self.less.estimate).max() <= ALIKE)

    @property
    def too_rough(self) -> bool:
        """Whether what is stored reaches the bar wherever in its interval the mean comes to lie.

        A mean on the bar is not enough for that: it is there by chance, and others move it.
        """
        _, low, high = bounded_mean(self.cleared, self.low, self.high)
        return self.less.low <= low and high <= self.less.high

    @property
    def near(self) -> bool:
        """Whether the mean is as good as on the bar: it is known well, and on neither side."""
        least, most = self.margin.low, self.margin.high
        return max(-least, most) <= NEAR and self.enough > SENSIBLE

    @property
    def enough(self) -> float:
        """How many episodes decide it, if mean and variance stay; infinite where `MOST` do not."""
        counts = range(len(self.cleared), MOST + 1)
        first = bisect_left(counts, True, key=lambda n: judge(self.after(n)) != "undecided")
        return counts[first] if first < len(counts) else math.inf


def judge(margin: Interval) -> Verdict:
    """Whether all of a margin lies above 0, or below it, or neither."""
    if margin.high < 0:
        return "fails"
    return "holds" if margin.low >= 0 else "undecided"


def bars(rules: Task, found: Scores, control: Control | None = None) -> Iterator[Bar]:
    """The bars of a level; of the oracle alone where it is no better than random.

    Args:
        rules: the task as it is set.
        found: the scores of its reference policies, which lie in [0, 1].
        control: the agent without a memory, where one was trained.
    """
    variant = "".join(f", {name}={value}" for name, value in rules.variant.items() if value)
    where = f"level {rules.level}{', out of distribution' if rules.ood else ''}{variant}: "
    oracle, random = found.oracle, found.random
    span, chance = oracle - random, rules.chance

    least = rules.oracle_bar
    text = f"the oracle scores {oracle.mean():.3f} (bar: {least} or more)"
    yield Bar(where + text, oracle - least, -least, 1 - least)
    unit = float(span.mean())  # of score01
    if unit <= ALIKE:  # then there is no score01 to judge anyone by
        text = f"the oracle scores {unit:.3f} more than random (bar: above 0)"
        yield Bar(where + text, span, -1.0, 1.0)
        return
    if found.observer is not None:
        score01 = (found.observer.mean() - random.mean()) / unit
        text = f"the observer's score01 is {score01:.3f} (bar: {OBSERVER} or more)"
        cleared = found.observer - random - OBSERVER * span
        yield Bar(where + text, cleared, -1.0, 1.0)
    allowed = chance + SHORTCUT * span  # as a raw score, in each episode
    ends = chance - SHORTCUT, chance + SHORTCUT

    def above(score: float) -> str:
        apart = (score - chance) / unit
        return (
            f"{score:.3f}, in score01 {abs(apart):.3f} {'below' if apart < 0 else 'above'} "
            f"chance's {chance:.2f} (bar: at most {SHORTCUT} above)"
        )

    for name, scores in found.heuristics.items():
        text = f"the shortcut {name} scores {above(scores.mean())}"
        yield Bar(where + text, allowed - scores, ends[0] - 1, ends[1])
    if control is not None:
        text = f"an agent without a memory (one training) scores {above(control.score)}"
        reach = chance - random.mean()
        if reach > SHORTCUT * unit and control.score < random.mean() + reach / 2:
            text += "; it learnt less than half of what can be had without one: it says little"
        yield Bar(where + text, allowed, *ends, stored_mean(control.score, control.episodes))


def stored_mean(score: float, episodes: int) -> Interval:
    """A stored mean of scores in [0, 1] and its 95% interval; they vary no more than shares do."""
    return bounded_interval(score, score * (1 - score), episodes, 0.0, 1.0)
