"""ManyNeeds' reference policies: the observer, and the rules that must not do.

All keep in mind where each patch is, how ripe it was when seen and how fast its need sinks; they
differ in which patch they choose. Each knows the task's constants and reads the senses alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from motley.envs import senses, streams
from motley.envs.kernels import FORWARD_SCALE, RANGE
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats, Ints, length

if TYPE_CHECKING:
    from motley.envs.tasks.many_needs import ManyNeeds


class Forager:
    """Goes to the patch of the lowest need; others choose by other rules.

    State, one row a world: ``spot`` (N, n, 2) of each patch in the body's frame, metres ahead and
    left; ``part`` (N, n) of its ripening time since it was eaten; ``ripens`` (N, n), that time in
    steps, ``known`` (N, n) or not; ``seen`` (N, n) in the last step; ``need`` (N, n) and ``rate``
    (N, n) of each need; ``target`` (N,) the patch it goes to, and ``done`` (N,), it got there.
    """

    def __init__(self, task: ManyNeeds) -> None:
        self.task = task
        self.rays = streams.unit(senses.vision().angles)
        self.tint = task.colors / np.sqrt((task.colors**2).sum(-1, keepdims=True))
        self.full = np.sqrt((task.colors**2).sum(-1))

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        needs = self.task.needs
        self.rows = np.arange(n)
        self.spot = np.zeros((n, needs, 2), np.float32)
        self.part, self.need, self.rate = np.zeros((3, n, needs), np.float32)
        self.ripens = np.ones((n, needs), np.float32)
        self.seen, self.known = np.zeros((2, n, needs), np.bool_)
        self.target = np.zeros(n, np.int64)
        self.done = np.ones(n, np.bool_)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        self._move(observation, episode_start)
        self._feel(observation, episode_start)
        self._look(observation["vision"].reshape(len(self.rows), -1, 4))
        reach = self.task.radius + self.task.body.radius
        there = length(self.spot[self.rows, self.target]) < reach + 0.05
        self.done = episode_start | there
        self.target = self.choose()
        return self.walk()

    def _move(self, observation: Observation, episode_start: Bools) -> None:
        """Turn and shift the patches against the body's motion."""
        forward, sin, cos = observation["egomotion"].T[..., None]
        along = cos * self.spot[..., 0] + sin * self.spot[..., 1]
        left = cos * self.spot[..., 1] - sin * self.spot[..., 0]
        self.spot = np.stack((along - forward * np.float32(FORWARD_SCALE), left), -1)

    def _feel(self, observation: Observation, episode_start: Bools) -> None:
        """Levels, and the rates that follow."""
        now = observation["interoception"][:, : self.task.needs]
        fresh = episode_start[:, None]
        # A meal hides what was lost in its step.
        self.rate = np.where(fresh, 0.0, np.maximum(self.rate, self.need - now))
        self.need = now.copy()
        # Until it is seen to grow, a patch is taken to ripen as is usual for its need's rate.
        mean = 0.5 * sum(self.task.yields) / self.task.metabolism.meal
        usual = 1.0 / (mean * np.maximum(self.rate, 1e-3))
        self.known &= ~fresh
        self.ripens = np.where(self.known, self.ripens, usual)

    def _look(self, rays: Floats) -> None:
        """Where each patch in view is, and how ripe."""
        size = np.sqrt((rays[..., 1:] ** 2).sum(-1))
        which = (rays[..., 1:] @ self.tint.T).argmax(-1)
        far = (1.0 - rays[..., 0]) * RANGE
        for k in range(self.task.needs):
            hit = (rays[..., 0] > 0.0) & (which == k)
            nearest = np.where(hit, far, np.inf).argmin(1)
            seen = hit.any(1)
            middle = hit @ self.rays
            middle /= np.maximum(length(middle), 1e-6)[:, None]
            spot = middle * (far[self.rows, nearest] + self.task.radius)[:, None]
            # From inside a patch, every ray ends at once.
            outside = seen & (far[self.rows, nearest] > 0.0)
            self.spot[outside, k] = spot[outside]
            bright = (size[self.rows, nearest] / self.full[k] - self.task.dim) / (1 - self.task.dim)
            part = np.sqrt(np.clip(bright, 0.0, 1.0))
            grew = part - self.part[:, k]
            sure = seen & self.seen[:, k] & (grew > 1e-3) & (part < 1.0)
            self.ripens[sure, k] = 1.0 / grew[sure]
            self.known[sure, k] = True
            self.part[:, k] = np.where(
                seen, part, np.minimum(self.part[:, k] + 1.0 / self.ripens[:, k], 1.0)
            )
            self.seen[:, k] = seen

    def walk(self) -> Floats:
        """Actions (N, 2) towards the patch chosen."""
        wait = np.zeros(len(self.rows), np.bool_)
        return self.task.approach(self.spot[self.rows, self.target], wait)

    def choose(self) -> Ints:
        """The lowest need's patch."""
        lowest: Ints = self.need.argmin(1)
        return lowest

    def best(self, price: Floats) -> Ints:
        """The patch of the least ``price`` (N, n), kept until reached, and then another."""
        price = price.copy()
        price[self.rows, self.target] += np.where(self.done, np.float32(1e6), np.float32(0.0))
        return np.where(self.done, price.argmin(1), self.target)


class Observer(Forager):
    """Plans as the oracle does, on what it has seen and felt."""

    def walk(self) -> Floats:
        """Actions (N, 2) of the plan."""
        age = self.part * self.ripens
        self.target, action = self.task.head(self.spot, self.need, age, self.rate, self.ripens)
        return action


class Stay(Forager):
    """Never moves."""

    def walk(self) -> Floats:
        """Zeros (N, 2)."""
        return np.zeros((len(self.rows), 2), np.float32)


class OneSite(Forager):
    """Lives off the patch that is nearest at the start."""

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2); out of the patch while it is unripe."""
        self.fresh = episode_start
        return super().act(observation, episode_start)

    def choose(self) -> Ints:
        """The first one, for good."""
        return np.where(self.fresh, length(self.spot).argmin(1), self.target)


class LowestNext(Forager):
    """The lowest need's patch, and on arrival the next lowest."""

    def choose(self) -> Ints:
        """By level, to the end."""
        return self.best(self.need)


class Urgent(Forager):
    """The patch of the need that will be empty first."""

    def choose(self) -> Ints:
        """By level and rate."""
        soonest: Ints = (self.need / np.maximum(self.rate, 1e-4)).argmin(1)
        return soonest


class Nearest(Forager):
    """The nearest patch whose need is below its setpoint."""

    def choose(self) -> Ints:
        """By distance."""
        sated = self.need >= self.task.metabolism.setpoint
        return self.best(length(self.spot) + 50.0 * sated)


class RoundRobin(Forager):
    """Each patch in turn, round the ring."""

    def choose(self) -> Ints:
        """The next to the left, as seen from between the patches."""
        middle = self.spot.mean(1, keepdims=True)
        angle = streams.angle(self.spot - middle)
        ahead = angle - angle[self.rows, self.target][:, None]
        ahead = np.where(ahead <= 0.0, ahead + np.float32(2 * np.pi), ahead)
        return np.where(self.done, ahead.argmin(1), self.target)


class Ripest(Forager):
    """The ripest patch, whatever the needs."""

    def choose(self) -> Ints:
        """By stock."""
        return self.best(-self.part)


class LowestRipe(Forager):
    """The lowest need of those whose patch is four fifths ripe; waits where none is."""

    ripe = 0.8

    def choose(self) -> Ints:
        """By level and stock."""
        unripe = self.part < self.ripe
        self.done |= unripe[self.rows, self.target]
        return self.best(self.need + 10.0 * unripe)

    def walk(self) -> Floats:
        """Actions (N, 2); stops short of a patch that is not ripe."""
        unripe = self.part[self.rows, self.target] < self.ripe
        return self.task.approach(self.spot[self.rows, self.target], unripe)


HEURISTICS: dict[str, Callable[[ManyNeeds], Forager]] = {
    "stay": Stay,
    "one_site": OneSite,
    "nearest": Nearest,
    "lowest": Forager,
    "lowest_next": LowestNext,
    "soonest_empty": Urgent,
    "round_robin": RoundRobin,
    "ripest": Ripest,
    "lowest_ripe": LowestRipe,
}
"""The rules by name."""
