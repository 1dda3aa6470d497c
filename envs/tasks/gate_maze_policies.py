"""GateMaze's reference policies: the observer, and the shortcuts that must not pay.

All of them walk into an arm at the fork; they differ in how they choose it. Each knows the
task's constants (the signs, which of them open and close, where they stand) and reads the senses
alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats, Ints
from motley.envs.world import World

if TYPE_CHECKING:
    from motley.envs.tasks.gate_maze import GateMaze

ONE, TWO, THREE, A, B, C, X, Y, BLANK = range(9)
TURN = np.array([[1.0, 1.0], [1.0, 0.5], [1.0, 0.0]], np.float32)
"""Actions [forward, turn] of the first steps into the left arm; the last is repeated."""
SAMPLE, SAMPLE_SEED = 4_000, 3_000_000
"""Episodes that a table is made from, and the seed of the first."""


class Chooser:
    """Walks into an arm chosen at the fork; here, either at random.

    State, one row a world: ``signs`` (N, T) seen so far by number, BLANK where none was,
    ``seen`` (N,) how many, ``steps`` (N,) at the fork, ``right`` (N,) the arm chosen.
    """

    def __init__(self, task: GateMaze) -> None:
        self.task = task

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        self.random = np.random.default_rng(0)
        self.signs = np.full((n, self.task.walk), BLANK)
        self.seen = np.zeros(n, np.int64)
        self.steps = np.zeros(n, np.int64)
        self.right = np.zeros(n, np.bool_)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        self.signs[episode_start] = BLANK
        self.seen[episode_start] = self.steps[episode_start] = 0
        cue, go = observation["cue"], observation["go"][:, 0] > 0.5
        rows = np.flatnonzero(~go & (self.seen < self.task.walk))
        sign = np.where(cue[rows].max(1) > 0.5, cue[rows].argmax(1), BLANK)
        self.signs[rows, self.seen[rows]] = sign
        self.seen[rows] += 1
        rows = np.flatnonzero(go & (self.steps == 0))
        if rows.size:
            self.right[rows] = self.choose(self.signs[rows, : self.task.signs])
        action = TURN[np.minimum(self.steps, len(TURN) - 1)]
        action[self.right, 1] *= -1.0
        action[~go] = 0.0
        self.steps += go
        return action

    def choose(self, signs: Ints) -> Bools:
        """Whether to turn right, (R,), given the signs (R, S) of an episode."""
        return self.random.random(len(signs)) < 0.5


class Gater(Chooser):
    """The observer: holds the context, each pair's opening until it closes, and the verdict."""

    def choose(self, signs: Ints) -> Bools:
        """Go through the signs in the order in which they came."""
        rows = np.arange(len(signs))
        context = np.full(len(signs), BLANK)
        opened = np.full((len(signs), signs.shape[1] + 1), BLANK)
        depth = np.zeros(len(signs), np.int64)
        verdict = np.zeros(len(signs), np.bool_)
        for sign in signs.T:
            context = np.where(sign <= THREE, sign, context)
            opens, closes = (sign >= A) & (sign <= C), (sign >= X) & (sign <= Y)
            depth[opens] += 1
            opened[rows[opens], depth[opens]] = sign[opens]
            counts = closes & self.counts(opened[rows, depth], context)
            verdict[counts] = sign[counts] == X
            depth[closes] -= 1
        return verdict

    def counts(self, opening: Ints, context: Ints) -> Bools:
        """Whether pairs count that begin with ``opening`` (R,) under ``context`` (R,)."""
        counts: Bools = opening - A == context - ONE
        return counts


class Deaf(Gater):
    """The rule as if the context were always 1."""

    def counts(self, opening: Ints, context: Ints) -> Bools:
        """Pairs of A."""
        counts: Bools = opening == A
        return counts


class Ungated(Gater):
    """The last pair, whatever the context."""

    def counts(self, opening: Ints, context: Ints) -> Bools:
        """All pairs."""
        return np.ones_like(opening, np.bool_)


class OfSeveral(Chooser, ABC):
    """Goes by the pairs that count as if none could replace another."""

    def choose(self, signs: Ints) -> Bools:
        """Look at those pairs alone."""
        opening, closing = signs[:, self.task.opens], signs[:, self.task.closes]
        return self.judge(opening - A == signs[:, :1] - ONE, closing == X)

    @abstractmethod
    def judge(self, counts: Bools, with_x: Bools) -> Bools:
        """Whether to turn right, (R,), given which pairs (R, P) count, and close with X."""


class First(OfSeveral):
    """The first pair that counted."""

    def judge(self, counts: Bools, with_x: Bools) -> Bools:
        """What it closed with."""
        right: Bools = with_x[np.arange(len(counts)), counts.argmax(1)]
        return right


class Most(OfSeveral):
    """What most pairs that counted closed with."""

    def judge(self, counts: Bools, with_x: Bools) -> Bools:
        """Ties are tossed up."""
        excess = np.where(counts, np.where(with_x, 1, -1), 0).sum(1)
        right: Bools = excess + self.random.uniform(-0.5, 0.5, len(excess)) > 0
        return right


class Tabulated(Chooser, ABC):
    """The best answer to the context and a statistic of the signs, as 4,000 episodes tell it."""

    def reset(self, n: int) -> None:
        """Forget everything, and make the table if there is none."""
        super().reset(n)
        if not hasattr(self, "table"):
            world = World(self.task, SAMPLE)
            world.seed(SAMPLE_SEED + np.arange(SAMPLE))
            world.reset()
            keys, index = np.unique(
                self.key(world.sign[:, : self.task.signs]), axis=0, return_inverse=True
            )
            balance = np.bincount(index.ravel(), np.where(world.right, 1.0, -1.0))
            self.table = {tuple(k): b > 0 for k, b in zip(keys.tolist(), balance, strict=True)}

    def choose(self, signs: Ints) -> Bools:
        """Look the statistic up; what was never met is left."""
        return np.array([self.table.get(tuple(k), False) for k in self.key(signs).tolist()])

    def key(self, signs: Ints) -> Ints:
        """The context, and the statistic: (R, k)."""
        return np.concatenate((signs[:, :1], self.statistic(signs)), 1)

    @abstractmethod
    def statistic(self, signs: Ints) -> Ints:
        """What it goes by, (R, k)."""


class LastSign(Tabulated):
    """The last sign."""

    def statistic(self, signs: Ints) -> Ints:
        """(R, 1)."""
        return signs[:, -1:]


class LastPair(Tabulated):
    """The pair that closed last."""

    def statistic(self, signs: Ints) -> Ints:
        """(R, 2)."""
        return signs[:, [self.task.opens[-1], self.task.closes[-1]]]


class FirstPair(Tabulated):
    """The pair that closed first."""

    def statistic(self, signs: Ints) -> Ints:
        """(R, 2)."""
        return signs[:, [self.task.opens[0], self.task.closes[0]]]


class Counts(Tabulated):
    """How often each sign was shown."""

    def statistic(self, signs: Ints) -> Ints:
        """(R, 8)."""
        return np.stack([(signs == sign).sum(1) for sign in range(BLANK)], 1)


HEURISTICS: dict[str, Callable[[GateMaze], Chooser]] = {
    "either_arm": Chooser,
    "context_and_last_sign": LastSign,
    "context_and_last_pair": LastPair,
    "context_and_first_pair": FirstPair,
    "context_and_counts": Counts,
    "context_ignored": Deaf,
    "ungated": Ungated,
}
"""The shortcuts by name."""
OF_SEVERAL: dict[str, Callable[[GateMaze], Chooser]] = {
    "first_that_counted": First,
    "most_that_counted": Most,
}
"""Where more than one pair counts; where one does, that is the solution."""
