"""OccluderHunt's reference policies: the observer, and the shortcuts that must not pay.

All of them walk into an alcove by dead reckoning; they differ in which. Each knows the task's
constants (the room's width, the prey's size and colour, the colour of the back wall) and reads
the senses alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from motley.envs import kernels, senses, streams
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats, Ints
from motley.envs.tasks.reckoning import reckon

if TYPE_CHECKING:
    from motley.envs.tasks.occluder_hunt import OccluderHunt


class Waiter:
    """Waits at an exit chosen when the body is set free; here, any.

    State, one row a world: ``choice`` (N,) index of the exit, ``position`` (N, 2) and ``heading``
    (N,) by dead reckoning, ``frame`` (N,) steps watched, ``met`` (N, 4, 24, 2) where the rays met
    the prey in each, NaN elsewhere, ``depth`` (N,) y of the back wall.
    """

    def __init__(self, task: OccluderHunt) -> None:
        self.task = task
        self.angles = senses.vision().angles
        # The body looks along y, so a ray to the left points to -x.
        self.rays = np.stack((-np.sin(self.angles), np.cos(self.angles)), -1)

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        self.random = np.random.default_rng(0)
        self.choice = np.zeros(n, np.int64)
        self.position = np.tile(self.task.start, (n, 1))
        self.heading = np.zeros(n, np.float32)
        self.frame = np.zeros(n, np.int64)
        self.met = np.zeros((n, self.task.shown_steps, len(self.rays), 2))
        self.depth = np.zeros(n)
        self.went = np.zeros(n, np.bool_)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        rays = observation["vision"].reshape(len(episode_start), -1, 4)
        go = observation["go"][:, 0] > 0.5
        starts = episode_start | (self.went & ~go)
        self.frame[starts] = 0
        self.depth[starts] = 0.0
        self.position[~go], self.heading[~go] = self.task.start, np.pi / 2
        self.watch(rays, np.flatnonzero(~go & (self.frame < self.task.shown_steps)))
        fresh = np.flatnonzero(go & ~self.went)
        self.went = go
        if fresh.size:
            self.choice[fresh] = self.choose(fresh)
        reckon(self.position, self.heading, observation["egomotion"], np.flatnonzero(go))
        self.look(rays, go)
        action = self.task.steer(self.position, self.heading, self.goal())
        action[~go] = 0.0
        return action

    def goal(self) -> Floats:
        """Where to walk now, (N, 2)."""
        return self.task.inside(self.task.exits[self.choice])

    def watch(self, rays: Floats, rows: Ints) -> None:
        """Note where the rays meet the prey and how far off the back wall is."""
        now, seen = self.frame[rows], rays[rows]
        distance = kernels.RANGE * (1 - seen[:, :, :1].astype(np.float64))
        point = self.task.start + distance * self.rays
        prey = self.is_prey(seen)[..., None]
        self.met[rows, now] = np.where(prey, point, np.nan)
        back = np.abs(seen[:, :, 1:] - np.array(self.task.back_color, np.float32)).max(-1) < 0.02
        farthest = np.where(back, point[..., 1], 0.0).max(1)
        self.depth[rows] = np.maximum(self.depth[rows], farthest)
        self.frame[rows] += 1

    def is_prey(self, rays: Floats) -> Bools:
        """Which rays (..., 4) show the prey."""
        match: Bools = (
            np.abs(rays[..., 1:] - np.array(self.task.prey_color, np.float32)).max(-1) < 0.02
        )
        return match

    def fit(self, rows: Ints) -> tuple[Floats, Floats]:
        """Place (R, 2) as the screen comes down, and velocity (R, 2): metres, and m a step.

        Gauss and Newton's least squares: each point that a ray met lies on the prey's circle.
        """
        met, radius = self.met[rows], self.task.prey_radius
        seen = np.isfinite(met[..., 0])
        time = np.arange(self.task.shown_steps) - float(self.task.shown_steps)
        # To begin with: the middle of what was met, a little farther on.
        count = seen.sum(2)
        middle = np.where(seen[..., None], met, 0.0).sum(2) / np.maximum(count, 1)[..., None]
        away = middle - self.task.start
        size = np.sqrt((away * away).sum(-1, keepdims=True)) + 1e-9
        center = middle + 0.8 * radius * away / size
        weight = (count > 0).astype(float)
        basis = np.stack((np.ones_like(time), time), -1)
        normal = np.einsum("rt,ti,tj->rij", weight, basis, basis) + 1e-9 * np.eye(2)
        line = np.linalg.solve(normal, np.einsum("rt,ti,rtc->ric", weight, basis, center))
        for _ in range(12):
            gap = np.where(seen[..., None], met - (basis @ line)[:, :, None], 1.0)
            far = np.sqrt((gap * gap).sum(-1))
            error = np.where(seen, far - radius, 0.0)
            # d(error) / d(line) = -(direction of the gap) x basis
            slope = -np.einsum("rtvc,ti->rtvic", np.where(seen[..., None], gap, 0.0), basis)
            slope = (slope / far[..., None, None]).reshape(len(rows), -1, 4)
            square = np.einsum("rmi,rmj->rij", slope, slope) + 1e-6 * np.eye(4)
            pull = np.einsum("rmi,rm->ri", slope, error.reshape(len(rows), -1))
            line -= np.linalg.solve(square, pull[..., None]).reshape(-1, 2, 2)
        return line[:, 0], line[:, 1]

    def look(self, rays: Floats, go: Bools) -> None:
        """React to what is seen while free; here, not."""

    def choose(self, rows: Ints) -> Ints:
        """The exits to wait at in worlds ``rows`` (R,)."""
        return self.random.integers(0, len(self.task.exits), rows.size)

    def nearest(self, x: Floats) -> Ints:
        """The exits nearest to ``x`` (R,) metres."""
        found: Ints = np.abs(x[:, None] - self.task.exits).argmin(1)
        return found


class Predictor(Waiter):
    """The observer: runs the prey on in the room until it is back at the screen."""

    def choose(self, rows: Ints) -> Ints:
        """The exit nearest to where the bounced way comes back."""
        task = self.task
        place, velocity = self.fit(rows)
        room = self.depth[rows] - task.prey_radius - task.hidden_at
        steps = np.rint(2 * room / np.maximum(velocity[:, 1], 0.05))
        return self.nearest(task.fold(place[:, 0] + velocity[:, 0] * steps))


class Middle(Waiter):
    """The middle exit."""

    def choose(self, rows: Ints) -> Ints:
        """The second of three."""
        return np.ones(rows.size, np.int64)


class LastSeen(Waiter):
    """The exit nearest to where the prey went out of sight."""

    def choose(self, rows: Ints) -> Ints:
        """By the place of the fit."""
        return self.nearest(self.fit(rows)[0][:, 0])


class Straight(Waiter):
    """The exit nearest to where a straight way ends: after ten steps, or at the room's side."""

    def choose(self, rows: Ints) -> Ints:
        """By the last seen velocity."""
        place, velocity = self.fit(rows)
        side = self.task.side
        return self.nearest(np.clip(place[:, 0] + 10 * velocity[:, 0], -side, side))


class SameSide(Waiter):
    """The exit on the side to which the prey ran."""

    sign = 1

    def choose(self, rows: Ints) -> Ints:
        """By the velocity's sign."""
        way = self.sign * np.sign(self.fit(rows)[1][:, 0])
        return (1 + way).astype(np.int64)


class OtherSide(SameSide):
    """The exit on the other side, as after one bounce."""

    sign = -1


class Chaser(Waiter):
    """Stands before the wall between two alcoves, and goes for the prey where it sees it."""

    def reset(self, n: int) -> None:
        """As a waiter; sees nothing yet."""
        super().reset(n)
        self.sees = np.zeros(n, np.bool_)
        self.place = np.zeros((n, 2), np.float32)

    def look(self, rays: Floats, go: Bools) -> None:
        """Note where the prey is."""
        prey = self.is_prey(rays) & go[:, None]
        self.sees[:] = prey.any(1)
        rows = np.flatnonzero(self.sees)
        ray = prey[rows].argmax(1)
        far = kernels.RANGE * (1 - rays[rows, ray, 0]) + self.task.prey_radius
        way = streams.unit(self.heading[rows] + self.angles[ray])
        self.place[rows] = self.position[rows] + far[:, None] * way

    def goal(self) -> Floats:
        """The prey, or the post between the middle and the right alcove."""
        post = np.array([0.5, self.task.alcove - self.task.body.radius], np.float32)
        return np.where(self.sees[:, None], self.place, post)


HEURISTICS: dict[str, Callable[[OccluderHunt], Waiter]] = {
    "wait_at_any_exit": Waiter,
    "wait_at_middle_exit": Middle,
    "chase_what_comes_out": Chaser,
    "last_seen_place": LastSeen,
    "straight_extrapolation": Straight,
    "side_it_ran_to": SameSide,
    "other_side": OtherSide,
}
"""The shortcuts by name."""
