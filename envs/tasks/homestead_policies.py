"""Homestead's reference policies: the observer, and lives that lack one of its parts.

All see, feel and plan as those of ManyNeeds do. Each knows the task's constants and reads the
senses alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from motley.envs.kernels import FORWARD_SCALE
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats, Ints
from motley.envs.tasks.many_needs_policies import Forager

if TYPE_CHECKING:
    from motley.envs.tasks.homestead import Homestead


class Settler(Forager):
    """The observer: plans by day with the cache that it recalls, and walks home by dead reckoning.

    State beyond a forager's, one row a world: ``home`` (N, 2) of the nest in the body's frame,
    metres; ``dark`` (N,) and ``held`` (N,), it was so in the last step; ``shown`` (N,) steps of
    this dawn's showing; ``lit`` (N, 2 K) and ``cues`` (N, 2 K, 6), what was lit with which item;
    ``open`` (N,), an item is asked for; ``asked`` (N,) the cache recalled; ``closed`` (N,) steps
    since a question was answered.
    """

    task: Homestead

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        super().reset(n)
        task = self.task
        steps = task.lit_steps * task.caches
        self.random = np.random.default_rng(0)
        self.home = np.zeros((n, 2), np.float32)
        self.shown, self.asked = np.zeros((2, n), np.int64)
        self.closed = np.zeros(n, np.float32)
        self.open = np.zeros(n, np.bool_)
        self.held, self.dark = np.zeros((2, n), np.bool_)
        self.lit = np.zeros((n, steps), np.int64)
        self.cues = np.zeros((n, steps, task.item_size), np.float32)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        task = self.task
        held = observation["go"][:, 0] < 0.5
        rays = observation["vision"].reshape(len(held), -1, 4)
        dark = (rays[..., 0].max(1) <= 0.0) & ~held
        # What was lost in sleep is no rate.
        morning = held | episode_start | (self.dark & ~dark)
        now = observation["interoception"][:, : task.needs]
        self.need[morning] = now[morning]
        self.dark = dark
        self._move(observation, episode_start)
        self._reckon(observation, episode_start)
        self._feel(observation, episode_start)
        self._look(rays)
        if task.caches:
            self._remember(observation["cue"][:, : task.item_size], rays, held)
        action = self.by_day()
        action[dark] = self.by_night()[dark]
        return action

    def _reckon(self, observation: Observation, episode_start: Bools) -> None:
        """Keep the way home, where the episode began."""
        forward, sin, cos = observation["egomotion"].T
        along = cos * self.home[:, 0] + sin * self.home[:, 1]
        left = cos * self.home[:, 1] - sin * self.home[:, 0]
        self.home = np.stack((along - forward * np.float32(FORWARD_SCALE), left), 1)
        self.home[episode_start] = 0.0

    def _remember(self, cue: Floats, rays: Floats, held: Bools) -> None:
        """Note what is lit with which item; recall the cache of the item asked for."""
        self.shown[held & ~self.held] = 0
        rows = np.flatnonzero(held & (self.shown < self.lit.shape[1]))
        near = rays[rows, rays[rows, :, 0].argmax(1), 1:]
        self.lit[rows, self.shown[rows]] = (near @ self.tint.T).argmax(1) - self.task.patches
        self.cues[rows, self.shown[rows]] = cue[rows]
        self.shown[rows] += 1
        self.held = held
        asks = ~held & cue.any(1)
        self.closed = np.where(asks | held, 0.0, self.closed + 1.0).astype(np.float32)
        fresh = np.flatnonzero(asks & ~self.open)
        self.asked[fresh] = self.recall(fresh, cue[fresh])
        self.open = asks

    def recall(self, rows: Ints, cue: Floats) -> Ints:
        """The caches (R,) of the items ``cue`` (R, 6) in worlds ``rows``."""
        apart = self.cues[rows] - cue[:, None]
        found: Ints = self.lit[rows, (apart * apart).sum(-1).argmin(-1)]
        return found

    def by_day(self) -> Floats:
        """Actions (N, 2) of the plan, in which the nest stands for a cache not yet asked for."""
        task, fed = self.task, self.task.fed
        ripens, spot = self.ripens[:, :fed].copy(), self.spot[:, :fed].copy()
        age = self.part[:, :fed] * ripens
        if task.caches:
            rate = np.maximum(self.rate[:, task.patches], 1e-3)
            pause = task.metabolism.meal / (task.cache_yield * rate)
            ripens[:, -1] = pause
            age[:, -1] = np.where(self.open, pause, np.minimum(self.closed, 0.95 * pause))
            asked = self.spot[self.rows, task.patches + self.asked]
            spot[:, -1] = np.where(self.open[:, None], asked, self.home)
        return task.head(spot, self.need[:, :fed], age, self.rate[:, :fed], ripens)[1]

    def by_night(self) -> Floats:
        """Actions (N, 2) home."""
        here = np.zeros_like(self.home)
        return self.task.steer(here, here[:, 0], self.home)


class Stay(Settler):
    """Never leaves the nest."""

    def by_day(self) -> Floats:
        """Zeros (N, 2)."""
        return np.zeros_like(self.home)


class AnyCache(Settler):
    """Goes to any cache when asked."""

    def recall(self, rows: Ints, cue: Floats) -> Ints:
        """At random."""
        return self.random.integers(0, self.task.caches, rows.size)


class OneSite(Settler):
    """Lives off one site, the first that it knows of; waits there until it is ripe."""

    def by_day(self) -> Floats:
        """Actions (N, 2)."""
        at = np.zeros(len(self.rows), np.int64)
        ripe = self.part[:, 0] > 0.8
        if not self.task.patches:
            at, ripe = self.asked, self.open
        return self.task.approach(self.spot[self.rows, at], ~ripe)


class LowestSite(Settler):
    """Goes to the site of the lowest need."""

    def by_day(self) -> Floats:
        """Actions (N, 2)."""
        task = self.task
        low = self.need[:, : task.fed].argmin(1)
        at = np.where(low < task.patches, low, task.patches + self.asked)
        at = np.minimum(at, task.needs - 1)
        return task.approach(self.spot[self.rows, at], np.zeros(len(at), np.bool_))


class ToTheMiddle(Settler):
    """Takes the middle between the sites for its home."""

    def _reckon(self, observation: Observation, episode_start: Bools) -> None:
        """The mean of the places of the sites."""
        self.home = self.spot.mean(1)


class Outdoors(ToTheMiddle):
    """Stays where the night finds it."""

    def by_night(self) -> Floats:
        """Zeros (N, 2)."""
        return np.zeros_like(self.home)


HEURISTICS: dict[str, tuple[str, Callable[[Homestead], Settler]]] = {
    "stay": ("nights", Stay),
    "one_site": ("needs", OneSite),
    "lowest_site": ("needs", LowestSite),
    "any_cache": ("caches", AnyCache),
    "outdoors": ("nights", Outdoors),
    "to_the_middle": ("nights", ToTheMiddle),
}
"""Lives that lack a part, by name: what they lack, and the policy."""
