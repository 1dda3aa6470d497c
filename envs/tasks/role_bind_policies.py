"""RoleBind's reference policies: the observer, and the shortcuts that must not pay.

All of them turn from chest to chest and walk to one whose symbol they want; they differ in what
they want. Each knows the task's constants (the rule, when what is shown) and reads the senses
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats, Ints

if TYPE_CHECKING:
    from motley.envs.tasks.role_bind import RoleBind

SAME, OPPOSITE, OTHER = range(3)


def relation(one: Floats, other: Floats) -> Ints:
    """The relation of symbols (R, 8) to others (R, 8), an index of ``RELATIONS``, (R,)."""
    match = (one * other).sum(1) / 8
    return np.where(match > 0.9, SAME, np.where(match < -0.9, OPPOSITE, OTHER))


class Opener:
    """Turns until it faces a chest that it wants, and walks there; here, the first it faces.

    State, one row a world: ``seen`` (N,) steps of showing so far, ``shown`` (N, T, 8) cue at each
    of them, ``faced`` (N,) chests turned away from.
    """

    def __init__(self, task: RoleBind) -> None:
        self.task = task

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        self.seen = np.zeros(n, np.int64)
        self.shown = np.zeros((n, self.task.held, 8), np.float32)
        self.faced = np.zeros(n, np.int64)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        self.seen[episode_start] = self.faced[episode_start] = 0
        cue, go = observation["cue"], observation["go"][:, 0] > 0.5
        rows = np.flatnonzero(~go & (self.seen < self.task.held))
        self.shown[rows, self.seen[rows]] = cue[rows]
        self.seen[rows] += 1
        faces = np.abs(cue).max(1) > 0.5
        wanted = faces & self.wants(cue)
        action = np.zeros((len(cue), 2), np.float32)
        action[:, 0] = wanted
        # Sixty degrees to look past a chest, thirty to find one.
        action[:, 1] = np.where(wanted, 0.0, np.where(faces, 1.0, 0.5))
        action[~go] = 0.0
        self.faced += go & faces
        return action

    def at(self, place: int) -> Floats:
        """The symbol (N, 8) of what was shown as number ``place``, -1 being the lock."""
        number = range(len(self.task.order))[place]
        return self.shown[:, number * self.task.show_steps]

    def wants(self, cue: Floats) -> Bools:
        """Whether to open a chest with this symbol: cue (N, 8) -> (N,)."""
        return np.ones(len(cue), np.bool_)


class Binder(Opener):
    """The observer: the relation that the rule or the tablets tell, between chest and lock."""

    def wants(self, cue: Floats) -> Bools:
        """Compare it with the lock."""
        rule = self.task.rule
        if rule == "example":
            wanted = relation(self.at(0), self.at(1))
        else:
            wanted = np.full(len(cue), SAME if rule == "same" else OTHER)
        return np.equal(relation(self.at(-1), cue), wanted)


class Patient(Opener):
    """The second chest it faces."""

    def wants(self, cue: Floats) -> Bools:
        """Whether another was faced before."""
        wants: Bools = self.faced > 0
        return wants


class Reader(Opener):
    """A chest by a fixed reading of its symbol: its first number is positive."""

    def wants(self, cue: Floats) -> Bools:
        """Read it."""
        wants: Bools = cue[:, 0] > 0
        return wants


class Stubborn(Opener):
    """One relation to the lock, whatever the tablets say."""

    def __init__(self, task: RoleBind, wanted: int) -> None:
        super().__init__(task)
        self.wanted = wanted

    def wants(self, cue: Floats) -> Bools:
        """Compare it with the lock."""
        wants: Bools = relation(self.at(-1), cue) == self.wanted
        return wants


class Neighbourly(Opener):
    """Opens the chest in the tablets' relation to the first chest faced, as if that were the lock.

    The lock is not looked at. Where the same is asked for, that is the first chest it faces.

    State: ``first`` (N, 8) the symbol of the first chest faced, zero before.
    """

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        super().reset(n)
        self.first = np.zeros((n, 8), np.float32)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        self.first[episode_start] = 0.0
        return super().act(observation, episode_start)

    def wants(self, cue: Floats) -> Bools:
        """Compare it with the first."""
        free = (self.seen == self.task.held) & (np.abs(self.first).max(1) == 0)
        self.first[free] = cue[free]
        return np.equal(relation(self.first, cue), relation(self.at(0), self.at(1)))


class Tablet(Opener):
    """A chest that is more like the second tablet than not."""

    def wants(self, cue: Floats) -> Bools:
        """Compare it with the second tablet."""
        wants: Bools = (cue * self.at(1)).sum(1) >= 0
        return wants


HEURISTICS: dict[str, Callable[[RoleBind], Opener]] = {
    "first_faced": Opener,
    "second_faced": Patient,
    "fixed_reading": Reader,
}
"""The shortcuts by name."""
IGNORING: dict[str, Callable[[RoleBind], Opener]] = {
    "always_same": partial(Stubborn, wanted=SAME),
    "always_opposite": partial(Stubborn, wanted=OPPOSITE),
    "always_other": partial(Stubborn, wanted=OTHER),
    "relation_between_chests": Neighbourly,
    "like_the_tablet": Tablet,
}
"""The shortcuts where tablets show the relation."""
