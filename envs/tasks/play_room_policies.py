"""PlayRoom's reference policies: the observer, and the shortcuts that must not pay.

Each finds a thing by its colour and keeps where it was by the motion that it feels; they differ in
the thing that they choose and in what they do with it. All read the senses alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from motley.envs import senses
from motley.envs.kernels import FORWARD_SCALE
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats, Ints, length

if TYPE_CHECKING:
    from motley.envs.tasks.play_room import PlayRoom

BEHIND = 0.3
"""Metres off the line through thing and place within which a body is behind the thing."""
ROOM = 0.35
"""Metres between body and thing while the body goes round it."""


def approach(thing: Floats, way: Floats, reach: float) -> Floats:
    """Where to walk to push a thing along a way.

    Args:
        thing: (N, 2) metres from the body.
        way: (N, 2) that the thing is to go, in the same axes.
        reach: metres between body and thing in contact.

    Returns:
        (N, 2) metres from the body: along the way where the body is behind the thing, else round
        the thing to behind it.
    """
    gap = np.maximum(length(thing), np.float32(1e-6))
    onward = way / np.maximum(length(way), np.float32(1e-6))[:, None]
    ahead = thing[:, 0] * onward[:, 0] + thing[:, 1] * onward[:, 1]
    beside = thing[:, 1] * onward[:, 0] - thing[:, 0] * onward[:, 1]
    behind = (ahead > 0) & (np.abs(beside) < BEHIND)
    closing = np.minimum(np.maximum(gap - np.float32(reach), 0.0) / np.float32(reach), 1.0)
    push = thing * closing[:, None] + way
    # Round the thing by at most an eighth of a turn at a time, the shorter way.
    x, y = (-thing / gap[:, None]).T
    turn = np.where(beside > 0, -1, 1) * np.float32(np.sqrt(0.5))
    eighth = np.stack([np.sqrt(0.5) * x - turn * y, turn * x + np.sqrt(0.5) * y], 1)
    near = ahead > gap * np.float32(np.sqrt(0.5))
    spot = np.where(near[:, None], -onward, eighth)
    around = thing + spot * np.float32(reach + ROOM)
    return np.where(behind[:, None], push, around).astype(np.float32)


class Bringer:
    """The observer: finds the thing asked for, gets behind it, and brings it to the place.

    State, one row a world: ``known`` (N, 5, 2) where each thing was last, and where the body began,
    metres from the body in its own frame; ``seen`` (N, 4) whether a thing was ever in view.
    """

    def __init__(self, task: PlayRoom) -> None:
        self.task = task
        angles = senses.vision().angles
        self.rays = np.stack([np.cos(angles), np.sin(angles)], 1)

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        self.known = np.zeros((n, 5, 2), np.float32)
        self.seen = np.zeros((n, 4), np.bool_)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        self.seen[episode_start] = False
        self._look(observation, episode_start)
        cue = observation["cue"]
        choice = self.choose(cue)
        rows = np.arange(len(cue))
        thing, seen = self.known[rows, choice], self.seen[rows, choice]
        way = self.way(thing, np.float32(8.0) * cue[:, 2:4])
        goal = approach(thing, way, self.task.reach)
        play = cue[:, :2].max(1) == 0
        if play.any():
            goal = np.where(play[:, None], thing, goal)
        action = self.task.steer(np.zeros_like(goal), np.zeros(len(goal), np.float32), goal)
        close = length(thing) < np.float32(self.task.reach + 0.3)
        action[play & close] = 0.0
        action[~seen] = 0.0, 0.25
        return action

    def choose(self, cue: Floats) -> Ints:
        """The thing to go to, (N,): in play, what there is of ball and pendulum."""
        playing = np.where(self.seen[:, 0], 0, 1)
        asked = cue[:, :2].argmax(1)
        return np.where(cue[:, :2].max(1) > 0, asked, playing)

    def way(self, thing: Floats, place: Floats) -> Floats:
        """Which way the thing is to go, (N, 2)."""
        return place - thing

    def _look(self, observation: Observation, episode_start: Bools) -> None:
        """Note where things are, by sight, or else by where they were."""
        felt = observation["egomotion"]
        step, sine, cosine = felt[:, :1] * np.float32(FORWARD_SCALE), felt[:, 1:2], felt[:, 2:3]
        self.known[episode_start] = 0.0
        x, y = self.known[..., 0], self.known[..., 1]
        self.known = np.stack([cosine * x + sine * y - step, cosine * y - sine * x], -1)
        rays = observation["vision"].reshape(len(felt), -1, 4)
        distance = (1 - rays[..., 0]) * np.float32(8.0)
        gray = np.abs(rays[..., 1:] - np.float32(self.task.wall_gray)).max(-1) < 1e-3
        sure = np.zeros(rays.shape[:2], np.bool_)
        for k in (0, 1, 2, 3):
            off = np.abs(rays[..., 1:] - self.task.colors[k]).max(-1)
            match = (rays[..., 0] > 0) & ~gray & ((off < 1e-3) if k < 3 else ~sure)
            sure |= match
            weight = match[..., None] * self.rays
            bearing = weight.sum(1)
            bearing /= np.maximum(np.hypot(*bearing.T), 1e-6)[:, None]
            near = np.where(match, distance, np.inf).min(1) + np.float32(self.task.thing_radius)
            seen = match.any(1)
            self.known[seen, k] = bearing[seen] * near[seen, None]
            self.seen[:, k] |= seen


class Tryer(Bringer):
    """The observer where colours are shuffled: it finds out what each thing is.

    What moves while the body waits is the pendulum; of the others, what the body runs into and does
    not move is the block, and what is left is the ball.

    Also in its state, one row a world: ``age`` (N,) steps; ``moves`` (N, 3) how far each colour was
    seen to move; ``stuck`` (N, 3) steps in which it stood although the body met it; ``chosen``
    (N,) the colour that it last went for.
    """

    wait = 4
    """Steps of standing still, half a swing."""

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        super().reset(n)
        self.age, self.chosen = np.zeros((2, n), np.int64)
        self.moves, self.stuck = np.zeros((2, n, 3), np.float32)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        self.age[episode_start] = 0
        self.moves[episode_start] = self.stuck[episode_start] = 0.0
        self.met = observation["touch"][:, 0] > 0.5
        action = super().act(observation, episode_start)
        action[self.age < self.wait] = 0.0
        self.age += 1
        return action

    def _look(self, observation: Observation, episode_start: Bools) -> None:
        before, seen = self.known[:, :3], self.seen[:, :3].copy()
        felt = observation["egomotion"]
        step, sine, cosine = felt[:, :1] * np.float32(FORWARD_SCALE), felt[:, 1:2], felt[:, 2:3]
        x, y = before[..., 0], before[..., 1]
        there = np.stack([cosine * x + sine * y - step, cosine * y - sine * x], -1)
        super()._look(observation, episode_start)
        moved = length(self.known[:, :3] - there) * seen
        rows, waits = np.arange(len(felt)), self.age < self.wait
        self.moves += np.where(waits[:, None], moved, 0.0)
        stood = self.met & (moved[rows, self.chosen] < 0.02) & ~waits
        near = length(self.known[rows, self.chosen]) < np.float32(self.task.reach + 0.15)
        self.stuck[rows, self.chosen] += stood & near

    def choose(self, cue: Floats) -> Ints:
        """The colour to go to, (N,)."""
        there = self.seen[:, :3]
        swings = np.where(there, self.moves, -1.0)
        pendulum = swings.argmax(1)
        others = np.where(there, -self.stuck, np.float32(-np.inf))
        alone = there.sum(1) == 1
        others[np.arange(len(cue)), pendulum] = np.where(alone, 0.0, -np.inf)
        ball = cue[:, 0] > 0  # in play the pendulum will do
        self.chosen = np.where(ball, others.argmax(1), pendulum)
        return np.asarray(self.chosen, np.int64)


class Lover(Bringer):
    """Brings one thing whatever is asked for, here the ball."""

    thing = 0

    def choose(self, cue: Floats) -> Ints:
        """The same, (N,)."""
        return np.full(len(cue), self.thing)


class PendulumLover(Lover):
    """Brings the pendulum whatever is asked for."""

    thing = 1


class Pusher(Bringer):
    """Pushes the thing asked for straight ahead, wherever the place is."""

    def way(self, thing: Floats, place: Floats) -> Floats:
        """Away from the body, (N, 2)."""
        return thing


class Gatherer(Bringer):
    """Brings the thing asked for to where the body began."""

    def way(self, thing: Floats, place: Floats) -> Floats:
        """To the middle of the room, (N, 2)."""
        return self.known[:, 4] - thing


class Nearest(Bringer):
    """Brings the nearer of ball and pendulum."""

    def choose(self, cue: Floats) -> Ints:
        """The one at hand, (N,)."""
        gap = np.where(self.seen[:, :2], length(self.known[:, :2]), np.float32(np.inf))
        return np.asarray(gap.argmin(1), np.int64)


class Watcher(Bringer):
    """Stands before what is neither ball nor pendulum: the screen, or else the block."""

    def choose(self, cue: Floats) -> Ints:
        """The screen where there is one, (N,)."""
        return np.where(self.seen[:, 3], 3, 2)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Goes there and stays, (N, 2)."""
        blank = dict(observation)
        blank["cue"] = np.zeros_like(observation["cue"])
        return super().act(blank, episode_start)


class Stay(Bringer):
    """Never moves."""

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Zeros (N, 2)."""
        return np.zeros((len(episode_start), 2), np.float32)


HEURISTICS: dict[str, Callable[[PlayRoom], Bringer]] = {
    "loves_ball": Lover,
    "loves_pendulum": PendulumLover,
    "pushes_on": Pusher,
    "gathers": Gatherer,
    "nearest": Nearest,
    "watches": Watcher,
    "stay": Stay,
}
"""The shortcuts by name."""
