"""Caregiver's reference policies: the observer, and the shortcuts that must not pay.

All of them walk to an object by dead reckoning; they differ in which. Each knows the task's
constants (where objects can lie, sizes, colours of hands and ball) and reads the senses alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from motley.envs import kernels, senses, streams
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats
from motley.envs.tasks.reckoning import reckon

if TYPE_CHECKING:
    from motley.envs.tasks.caregiver import Caregiver

Doubles = npt.NDArray[np.float64]


class Fetcher:
    """Walks to an object chosen when the body is set free; here, any.

    State, one row a world: ``goal`` (N, 2) where it walks to, ``position`` (N, 2) and ``heading``
    (N,) by dead reckoning in the frame of the start, ``views`` (N, 9, 24, 4) the steps of watching
    and the first free one, ``frame`` (N,) how many of them were seen, ``went`` (N,) whether it was
    free a step ago.
    """

    def __init__(self, task: Caregiver) -> None:
        self.task = task
        self.angles = senses.vision().angles.astype(np.float64)
        self.rays = np.stack((np.cos(self.angles), np.sin(self.angles)), -1)

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        self.random = np.random.default_rng(0)
        self.goal = np.zeros((n, 2), np.float32)
        self.position = np.zeros((n, 2), np.float32)
        self.heading = np.zeros(n, np.float32)
        self.views = np.zeros((n, self.task.held_steps + 1, len(self.rays), 4))
        self.frame = np.zeros(n, np.int64)
        self.went = np.zeros(n, np.bool_)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        rays = observation["vision"].reshape(len(episode_start), -1, 4)
        go = observation["go"][:, 0] > 0.5
        self.frame[episode_start | (self.went & ~go)] = 0
        fresh = go & (~self.went | episode_start)
        watched = np.flatnonzero(~go | fresh)
        self.views[watched, np.minimum(self.frame[watched], self.task.held_steps)] = rays[watched]
        self.frame[watched] += 1
        self.position[~go], self.heading[~go] = 0.0, 0.0
        rows = np.flatnonzero(fresh)
        if rows.size:
            views = self.views[rows]
            bearing = self.choose(views)
            # A place twice as far off as the objects, so that none is overshot.
            self.goal[rows] = 2 * self.task.ring * streams.unit(bearing)
        reckon(
            self.position, self.heading, observation["egomotion"], np.flatnonzero(go & self.went)
        )
        self.went = go
        action = self.task.steer(self.position, self.heading, self.goal)
        action[~go] = 0.0
        return action

    def points(self, view: Doubles) -> Doubles:
        """Where the middle of what the rays of ``view`` (R, 24, 4) meet is, (R, 24, 2) metres."""
        far = kernels.RANGE * (1 - view[..., :1]) + self.task.object_radius
        there: Doubles = far * self.rays
        return there

    def is_object(self, view: Doubles) -> Bools:
        """Which rays (R, 24, 4) show an object: as far off as they lie, and dark."""
        far = kernels.RANGE * (1 - view[..., 0]) + self.task.object_radius
        dark = view[..., 1:].max(-1) <= 0.66
        lies: Bools = dark & (far > self.task.ring - 0.1) & (far < self.task.ring + 0.6)
        return lies

    def nearest(self, view: Doubles, bearing: Doubles) -> Doubles:
        """The bearing (R,) of the ray on an object that is nearest to ``bearing`` (R,)."""
        apart = np.abs((self.angles - bearing[:, None] + np.pi) % (2 * np.pi) - np.pi)
        return self.best(view, apart)

    def best(self, view: Doubles, loss: Doubles) -> Doubles:
        """The bearing (R,) of the ray on an object with the least ``loss`` (R, 24)."""
        found: Doubles = self.angles[np.where(self.is_object(view), loss, np.inf).argmin(1)]
        return found

    def choose(self, views: Doubles) -> Doubles:
        """The bearings (R,) to walk to, given what was watched (R, 9, 24, 4)."""
        view = views[:, -1]
        return self.best(view, self.random.random(view.shape[:2]))


class GazeFollower(Fetcher):
    """The observer: the object nearest to the line on which the head looks."""

    def choose(self, views: Doubles) -> Doubles:
        """Read the angle off the hue of what is straight ahead."""
        view = views[:, -1]
        hue = (view[:, 0, 1:] - 0.5) @ np.exp(2j * np.pi * np.arange(3) / 3)
        # The line of sight from the head to the body points back along the heading.
        gaze = np.angle(hue) + np.pi
        head = kernels.RANGE * (1 - view[:, 0, :1]) + self.task.head_radius
        way = self.points(view) - head[:, None] * self.rays[0]
        seen = np.arctan2(way[..., 1], way[..., 0])
        return self.best(view, np.abs((seen - gaze[:, None] + np.pi) % (2 * np.pi) - np.pi))


class Nearest(Fetcher):
    """The nearest object."""

    def choose(self, views: Doubles) -> Doubles:
        """By the ray with the greatest nearness."""
        return self.best(views[:, -1], -views[:, -1, :, 0])


class SalientMotion(Fetcher):
    """The object nearest to where the view changed most while watching."""

    def choose(self, views: Doubles) -> Doubles:
        """By the sum of absolute differences, ray by ray."""
        change = np.abs(np.diff(views[:, :-1], axis=1)).sum((1, 3))
        return self.nearest(views[:, -1], self.angles[change.argmax(1)])


class Moved(Fetcher):
    """The object that was moved, where one was: its ray shows it farther off than at first."""

    def choose(self, views: Doubles) -> Doubles:
        """By how much a ray on the same colour lost in nearness."""
        first, last = views[:, 0], views[:, -1]
        same = np.abs(first[..., 1:] - last[..., 1:]).max(-1) < 0.02
        return self.best(last, np.where(same, last[..., 0] - first[..., 0], 1.0))


class NearHand(Fetcher):
    """The object nearest to the hand."""

    def choose(self, views: Doubles) -> Doubles:
        """By the ray whose colour is most like a hand's."""
        view, task = views[:, -1], self.task
        hands = task.ood_hand_colors if task.ood else task.hand_colors
        apart = np.abs(view[..., 1:] - hands.mean(0)).max(-1)
        return self.nearest(view, self.angles[apart.argmin(1)])


class Ahead(Fetcher):
    """The object nearest to the head's line of sight."""

    def choose(self, views: Doubles) -> Doubles:
        """By the angle to straight ahead."""
        return self.nearest(views[:, -1], np.zeros(len(views)))


HEURISTICS: dict[str, Callable[[Caregiver], Fetcher]] = {
    "any_object": Fetcher,
    "nearest_object": Nearest,
    "most_salient_motion": SalientMotion,
    "moved_object": Moved,
    "nearest_to_hand": NearHand,
    "nearest_to_head": Ahead,
}
"""The shortcuts by name."""
