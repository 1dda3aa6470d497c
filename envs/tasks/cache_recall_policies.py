"""CacheRecall's reference policies: the observer, and the shortcuts that must not pay.

All of them walk to a site by its colour; they differ in the colour that they choose. Each knows
the task's constants (how many sites, their hues, the queries' length) and reads the senses
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from motley.envs import senses, streams
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats, Ints

if TYPE_CHECKING:
    from motley.envs.tasks.cache_recall import CacheRecall


class Seeker:
    """Walks to the site of a colour chosen as each query begins; here, any site.

    State, one row a world: ``choice`` (N,) index of the colour it walks to, ``steps`` (N,) in
    this query, ``shown`` (N,) steps of showing so far, ``lit`` (N, 2 K) colour at each of them,
    ``cues`` (N, 2 K, 8) cue at each of them, ``visited`` (N, K) colours walked to.
    """

    def __init__(self, task: CacheRecall) -> None:
        self.task = task
        self.angles = senses.vision().angles

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        task = self.task
        steps = task.lit_steps * task.sites
        self.random = np.random.default_rng(0)
        self.choice = np.zeros(n, np.int64)
        self.steps = np.zeros(n, np.int64)
        self.shown = np.zeros(n, np.int64)
        self.lit = np.zeros((n, steps), np.int64)
        self.cues = np.zeros((n, steps, task.item_size), np.float32)
        self.visited = np.zeros((n, task.sites), np.bool_)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        self.steps[episode_start] = self.shown[episode_start] = 0
        self.visited[episode_start] = False
        rays = observation["vision"].reshape(len(episode_start), -1, 4)
        go = observation["go"][:, 0] > 0.5
        self.remember(observation, rays, np.flatnonzero(~go & (self.shown < self.lit.shape[1])))
        self.steps[go] += 1
        touched = observation["touch"][:, 0] > 0.5
        fresh = go & ((self.steps == 1) | touched | (self.steps > self.task.query_steps))
        self.steps[fresh] = 1
        rows = np.flatnonzero(fresh)
        if rows.size:
            self.choice[rows] = self.choose(rows, observation["cue"][rows], rays[rows])
            self.visited[rows, self.choice[rows]] = True
        return self.walk(rays, go)

    def remember(self, observation: Observation, rays: Floats, rows: Ints) -> None:
        """Note the cue and the colour that is lit in worlds ``rows``."""
        now = self.shown[rows]
        brightest = rays[rows, rays[rows, :, 0].argmax(1), 1:]
        self.lit[rows, now] = self.color(brightest)
        self.cues[rows, now] = observation["cue"][rows]
        self.shown[rows] += 1

    def color(self, rgb: Floats) -> Ints:
        """Index of the colour nearest to ``rgb`` (..., 3)."""
        apart = rgb[..., None, :] - self.task.colors
        nearest: Ints = (apart * apart).sum(-1).argmin(-1)
        return nearest

    def walk(self, rays: Floats, go: Bools) -> Floats:
        """Actions (N, 2) towards the rays that show the chosen colour."""
        match = (rays[:, :, 0] > 0) & (self.color(rays[:, :, 1:]) == self.choice[:, None])
        bearing = np.arctan2(match @ np.sin(self.angles), match @ np.cos(self.angles))
        # A site can slip between two rays: turn by half their spacing and look again.
        bearing[~match.any(1)] = np.pi / rays.shape[1]
        return self.head(bearing.astype(np.float32))

    def head(self, bearing: Floats) -> Floats:
        """Actions (N, 2) to walk on at ``bearing`` (N,) radians to the heading."""
        n = len(bearing)
        ahead = np.float32(2.0) * streams.unit(bearing)
        here = np.zeros((n, 2), np.float32)
        return self.task.steer(here, here[:, 0], ahead)

    def choose(self, rows: Ints, cue: Floats, rays: Floats) -> Ints:
        """The colours to walk to in worlds ``rows`` (R,): cue (R, 8), rays (R, V, 4)."""
        return self.random.integers(0, self.task.sites, rows.size)


class Recaller(Seeker):
    """The observer: the colour that was lit with the cue most like this one."""

    def choose(self, rows: Ints, cue: Floats, rays: Floats) -> Ints:
        """Look the cue up."""
        apart = self.cues[rows] - cue[:, None]
        found: Ints = self.lit[rows, (apart * apart).sum(-1).argmin(-1)]
        return found


class Nearest(Seeker):
    """The nearest site."""

    def choose(self, rows: Ints, cue: Floats, rays: Floats) -> Ints:
        """The colour of the ray with the greatest nearness."""
        return self.color(rays[np.arange(rows.size), rays[:, :, 0].argmax(1), 1:])


class Leaner(Seeker):
    """Leans towards each lit site while held, then goes to the site that it faces."""

    def walk(self, rays: Floats, go: Bools) -> Floats:
        """As a seeker, and towards what is lit."""
        near = rays[:, :, 0]
        lit = np.arctan2(near @ np.sin(self.angles), near @ np.cos(self.angles))
        return np.where(go[:, None], super().walk(rays, go), self.head(lit.astype(np.float32)))

    def choose(self, rows: Ints, cue: Floats, rays: Floats) -> Ints:
        """The colour of the ray that is nearest to straight ahead, of those that meet a site."""
        aside = np.where(rays[:, :, 0] > 0, np.abs(self.angles), np.inf)
        return self.color(rays[np.arange(rows.size), aside.argmin(1), 1:])


class First(Seeker):
    """The site that was lit first."""

    def choose(self, rows: Ints, cue: Floats, rays: Floats) -> Ints:
        """The first colour noted."""
        first: Ints = self.lit[rows, 0]
        return first


class Last(Seeker):
    """The site that was lit last."""

    def choose(self, rows: Ints, cue: Floats, rays: Floats) -> Ints:
        """The last colour noted."""
        last: Ints = self.lit[rows, self.shown[rows] - 1]
        return last


class Eliminator(Seeker):
    """Any site not visited before in this episode."""

    def choose(self, rows: Ints, cue: Floats, rays: Floats) -> Ints:
        """A colour at random from those left; from all when none is left."""
        left = ~self.visited[rows]
        left[~left.any(1)] = True
        chosen: Ints = (self.random.random(left.shape) * left).argmax(1)
        return chosen


class Reader(Seeker):
    """A fixed reading of the present cue and view, without memory: each octant has a colour."""

    def choose(self, rows: Ints, cue: Floats, rays: Floats) -> Ints:
        """The signs of three of the cue's numbers, as a number, name the colour."""
        octant = (cue[:, :3] > 0) @ np.array([1, 2, 4])
        named: Ints = octant % self.task.sites
        return named


HEURISTICS: dict[str, Callable[[CacheRecall], Seeker]] = {
    "any_site": Seeker,
    "nearest_site": Nearest,
    "lean_and_go_ahead": Leaner,
    "first_lit": First,
    "last_lit": Last,
    "elimination": Eliminator,
    "fixed_reading": Reader,
}
"""The shortcuts by name."""
