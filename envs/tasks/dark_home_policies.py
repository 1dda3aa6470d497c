"""DarkHome's reference policies: the observer, and the shortcuts that must not pay.

All of them find the foods by sight; they differ in what they do in the dark. Each knows the
task's constants (how many foods, how fast the body is) and reads the senses alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from motley.envs import senses
from motley.envs.kernels import FORWARD_SCALE
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats

if TYPE_CHECKING:
    from motley.envs.tasks.dark_home import DarkHome


class Forager:
    """Walks to the food in view; in the dark it does as ``homing`` says, here nothing at all.

    State, one row a world: ``foods`` (N,) touched so far, ``dark_steps`` (N,) since the light
    went out, ``bearing`` (N,) of the food when last seen, radians to the heading of then.
    """

    def __init__(self, task: DarkHome) -> None:
        self.task = task
        self.angles = senses.vision().angles

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        self.foods = np.zeros(n, np.int64)
        self.dark_steps = np.zeros(n, np.int64)
        self.bearing = np.zeros(n, np.float32)
        self.action = np.zeros((n, 2), np.float32)

    def begin(self, which: Bools) -> None:
        """A new episode in the worlds of the mask ``which`` (N,)."""
        self.foods[which] = self.dark_steps[which] = 0

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        self.begin(episode_start)
        self.foods += observation["touch"][:, 0] > 0.5
        dark = self.foods >= self.task.foods
        self.dark_steps[dark] += 1
        near = observation["vision"].reshape(len(dark), -1, 4)[:, :, 0]
        bearing = np.arctan2(near @ np.sin(self.angles), near @ np.cos(self.angles))
        seen = near.max(1) > 0.0
        self.bearing[seen] = bearing[seen]
        # A disc far away can slip between two rays: turn by half their spacing and look again.
        aim = np.where(seen, bearing, np.float32(np.pi / near.shape[1]))
        speed = np.where(seen, np.float32(1.0), np.float32(0.0))
        foraging = self.go(aim, speed)
        self.action = np.where(dark[:, None], self.homing(observation), foraging)
        return self.action

    def go(self, bearing: Floats, speed: Floats | float = 1.0) -> Floats:
        """Actions (N, 2) towards ``bearing`` (N,) radians; walks once it roughly faces there."""
        turn = np.clip(bearing / np.float32(self.task.body.turn), -1.0, 1.0)
        rest = bearing - turn * np.float32(self.task.body.turn)
        return np.stack([speed * np.maximum(np.cos(rest), 0.0), turn], 1).astype(np.float32)

    def homing(self, observation: Observation) -> Floats:
        """What it does in the dark, (N, 2)."""
        return np.zeros_like(self.action)


class Stay(Forager):
    """Never moves."""

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Zeros (N, 2)."""
        return np.zeros((len(episode_start), 2), np.float32)


class StraightOn(Forager):
    """Goes on ahead in the dark."""

    def homing(self, observation: Observation) -> Floats:
        """Full speed ahead, (N, 2)."""
        return self.go(np.zeros(len(self.foods), np.float32))


class TurnBack(Forager):
    """Turns about in the dark, by three full turns of 60 degrees, and walks."""

    def homing(self, observation: Observation) -> Floats:
        """About, then ahead, (N, 2)."""
        about = self.dark_steps <= 3
        return np.stack([~about, about], 1).astype(np.float32)


class LastView(Forager):
    """Walks away from where it last saw the last food, and holds that course by felt turns."""

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        super().reset(n)
        self.course = np.zeros(n, np.float32)

    def homing(self, observation: Observation) -> Floats:
        """Towards the opposite of the last bearing, (N, 2)."""
        _, sin, cos = observation["egomotion"].T
        back = self.bearing + np.float32(np.pi)
        course = np.where(self.dark_steps <= 1, back, self.course) - np.arctan2(sin, cos)
        self.course = np.arctan2(np.sin(course), np.cos(course))
        return self.go(self.course)


class Spiral(Forager):
    """Walks an outward spiral, 0.9 m from arm to arm, as wide as home's radius lets it."""

    arm: ClassVar[float] = 0.9

    def homing(self, observation: Observation) -> Floats:
        """Ahead, and a turn that shrinks as the way grows, (N, 2)."""
        walked = self.task.body.speed * self.dark_steps
        radius = np.sqrt(walked * self.arm / np.pi) + 0.15
        turn = self.task.body.speed / radius / self.task.body.turn
        return np.stack([np.ones_like(turn), np.minimum(turn, 1.0)], 1).astype(np.float32)


class Reckoner(Forager):
    """The observer: adds up the egomotion that it feels, and walks back to where it began."""

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        super().reset(n)
        self.position = np.zeros((n, 2), np.float32)
        self.heading = np.zeros(n, np.float32)

    def begin(self, which: Bools) -> None:
        """Every episode begins at the nest, and the heading of then is called 0."""
        super().begin(which)
        self.position[which] = self.heading[which] = 0.0

    def motion(self, observation: Observation) -> tuple[Floats, Floats]:
        """Distance (N,) in metres and turn (N,) in radians of the last step, as felt."""
        forward, sin, cos = observation["egomotion"].T
        gain = self.task.gain_cue * observation["cue"][:, 0]
        return forward * np.float32(FORWARD_SCALE) / gain, np.arctan2(sin, cos)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Adds up the last step, then acts, (N, 2)."""
        distance, turn = self.motion(observation)
        moved = ~episode_start
        self.heading += turn * moved
        self.position[:, 0] += distance * np.cos(self.heading) * moved
        self.position[:, 1] += distance * np.sin(self.heading) * moved
        return super().act(observation, episode_start)

    def homing(self, observation: Observation) -> Floats:
        """Straight to the origin, (N, 2)."""
        action = self.task.steer(self.position, self.heading, np.zeros_like(self.position))
        if self.task.stop:
            action[np.hypot(*self.position.T) < self.task.stop_within] = 0.0
        return action


class Efference(Reckoner):
    """Adds up its own commands instead of the motion that it feels."""

    def motion(self, observation: Observation) -> tuple[Floats, Floats]:
        """Distance (N,) and turn (N,) as they were commanded."""
        body = self.task.body
        return np.float32(body.speed) * self.action[:, 0], np.float32(body.turn) * self.action[:, 1]


HEURISTICS: dict[str, Callable[[DarkHome], Forager]] = {
    "stay": Stay,
    "straight_on": StraightOn,
    "turn_back": TurnBack,
    "last_view": LastView,
    "spiral": Spiral,
    "efference_copy": Efference,
}
"""The shortcuts by name."""
