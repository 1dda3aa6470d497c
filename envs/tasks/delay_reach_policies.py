"""DelayReach's reference policies: the observer, and the shortcuts that must not pay.

All of them know the arm (its links, its lag) and the task's constants, and read the senses alone.
They differ in whether they predict where the hand is by now, and in whether they learn how the
seen hand is turned against the felt one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats, length

if TYPE_CHECKING:
    from motley.envs.tasks.delay_reach import DelayReach


class View:
    """What the senses say, of ``delay`` steps ago.

    Attributes:
        joint: (N, 2) radians. hand: (N, 2) metres from the middle, as felt. seen: as seen.
        target: (N, 2) metres from the middle. go: (N,) the arm is free now.
    """

    def __init__(self, task: DelayReach, observation: Observation) -> None:
        sine, cosine = observation["proprioception"].reshape(-1, 2, 2).transpose(2, 0, 1)
        self.joint = np.arctan2(sine, cosine)
        self.hand = task.arm.hand(self.joint) - task.middle
        self.seen = observation["cue"][:, 2:4]
        self.target = self.seen + observation["cue"][:, :2]
        self.go = observation["go"][:, 0] > 0.5

    def turn(self) -> tuple[Floats, Bools]:
        """Angle (N,) from the felt to the seen hand, and where both are away from the middle."""
        felt, seen = self.hand, self.seen
        across = felt[:, 0] * seen[:, 1] - felt[:, 1] * seen[:, 0]
        along = (felt * seen).sum(1)
        return np.arctan2(across, along), np.hypot(*felt.T) > 0.1


def rotate(vectors: Floats, angles: Floats) -> Floats:
    """Vectors (N, 2) turned by angles (N,)."""
    cosine, sine = np.cos(angles), np.sin(angles)
    x, y = vectors.T
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], 1)


def curled(way: Floats, push: Floats) -> Floats:
    """Ways (N, 2) of the hand in a force field (N,) that adds so much of them to their left."""
    x, y = way.T
    return np.stack([x - push * y, y + push * x], 1)


def aim(hand: Floats, goal: Floats, push: Floats) -> Floats:
    """Where to move the hand (N, 2) to, for the force field (N,) to bring it towards the goal.

    Not far ahead, so that it is within reach of the arm at the edge of its space, too.
    """
    way = goal - hand
    near = np.minimum(1.0, np.float32(0.3) / np.maximum(length(way), np.float32(1e-6)))
    return hand + curled(way * near[:, None], -push) / (1 + push * push)[:, None]


class Late:
    """Goes by what it senses as if it were now, turned by the angle from the felt to the seen hand.

    Args:
        task: the rules.
        gain: share of the way that is seen, covered in a step; below 1 / (e x delay) it does not
            overshoot.
    """

    def __init__(self, task: DelayReach, gain: float) -> None:
        self.task, self.gain = task, gain

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        self.angle = np.zeros(n, np.float32)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        self.angle[episode_start] = 0.0
        view, arm = View(self.task, observation), self.task.arm
        angle, known = view.turn()
        self.angle = np.where(known, angle, self.angle)
        way = rotate(view.target - view.seen, -self.angle)
        goal = arm.posture((self.task.middle + view.hand + way).astype(np.float32))
        return arm.commands(view.joint, np.zeros_like(goal), goal, self.gain)


class Predictor:
    """The observer: a Smith predictor that adapts (Miall et al. 1993).

    It runs the arm's own dynamics on its commands, corrects the result by what it felt late, and
    aims at where the hand has to be for the seen hand to meet the target.

    Without ``adapts`` it takes the seen hand for the felt one, and corrects the error that it sees
    at the end of a movement.

    State, one row a world: ``joint``, ``speed`` (N, 2) as simulated; ``simulated`` (d + 1, N, 2)
    joints of the steps before; ``angle`` (N,) of the rotation.
    """

    def __init__(self, task: DelayReach, adapts: bool = True) -> None:
        self.task, self.adapts = task, adapts

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        self.joint = np.tile(np.array(self.task.home_posture, np.float32), (n, 1))
        self.speed = np.zeros((n, 2), np.float32)
        self.simulated = np.tile(self.joint, (self.task.delay + 1, 1, 1))
        self.angle = np.zeros(n, np.float32)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        task, arm = self.task, self.task.arm
        view = View(task, observation)
        self.angle[episode_start] = 0.0
        held = ~view.go
        self.joint[held] = task.home_posture
        self.speed[held] = 0.0
        self.simulated = np.concatenate([self.simulated[1:], self.joint[None]])
        self.simulated[:, held] = self.joint[held]
        # What was felt late is compared with what was then simulated.
        joint = self.joint + np.where(view.go[:, None], view.joint - self.simulated[0], 0.0)
        if self.adapts:
            angle, known = view.turn()
            self.angle = np.where(known, angle, self.angle)
            goal = rotate(view.target, -self.angle)
        else:
            goal = view.target - view.seen + view.hand
        goal = arm.posture((task.middle + goal).astype(np.float32))
        action = arm.commands(joint, self.speed, goal)
        lag = np.float32(arm.response)
        self.speed += lag * (action * np.float32(arm.joint_speed) - self.speed)
        self.speed[held] = 0.0
        self.joint = self.joint + self.speed
        return action


class Pusher(Predictor):
    """The observer in a force field: a Smith predictor that learns how the hand is pushed aside.

    What a command did to the felt hand, seen late, is held against what it does in no field. Also
    in its state, one row a world: ``push`` (N,) the field; ``moved`` (d + 1, N, 2) the joints'
    speeds of the steps before; ``felt`` (N, 2) the joints as they were felt last.
    """

    trust, surprise = 0.3, 0.3
    """Share of an error that is learnt, and the error from which on all of it is: a switch."""

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""
        super().reset(n)
        self.push = np.zeros(n, np.float32)
        self.moved = np.zeros((self.task.delay + 1, n, 2), np.float32)
        self.felt = self.joint.copy()

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Actions (N, 2)."""
        task, arm = self.task, self.task.arm
        view = View(task, observation)
        self.push[episode_start] = 0.0
        held = ~view.go
        self.moved = np.concatenate([self.moved[1:], self.speed[None]])
        self._learn(view)
        self.joint[held] = task.home_posture
        self.speed[held] = 0.0
        self.simulated = np.concatenate([self.simulated[1:], self.joint[None]])
        self.simulated[:, held] = self.joint[held]
        joint = self.joint + np.where(view.go[:, None], view.joint - self.simulated[0], 0.0)
        hand = arm.hand(joint.astype(np.float32))
        goal = aim(hand, task.middle + view.target, self.push)
        action = arm.commands(joint, self.speed, arm.posture(goal.astype(np.float32)))
        lag = np.float32(arm.response)
        self.speed = self.speed + lag * (action * np.float32(arm.joint_speed) - self.speed)
        self.speed[held] = 0.0
        before = arm.hand(self.joint)
        way = arm.hand(self.joint + self.speed) - before
        self.joint = arm.posture((before + curled(way, self.push)).astype(np.float32))
        return action

    def _learn(self, view: View) -> None:
        """Compare the last step that was felt with what its command does in no field."""
        arm, home = self.task.arm, np.array(self.task.home_posture, np.float32)
        before = arm.hand(self.felt)
        alone, way = (
            arm.hand(self.felt + self.moved[0]) - before,
            view.hand + self.task.middle - before,
        )
        size = (alone * alone).sum(1)
        # Not where the hand was carried back to the middle.
        known = (size > 0.003) & (np.abs(view.joint - home).max(1) > 1e-3)
        aside = (alone[:, 0] * way[:, 1] - alone[:, 1] * way[:, 0]) / np.maximum(size, 0.003)
        error = np.where(known, aside - self.push, 0.0).astype(np.float32)
        self.push += np.where(np.abs(error) > self.surprise, 1.0, self.trust) * error
        self.felt = view.joint.astype(np.float32)


class Stay:
    """Never moves."""

    def reset(self, n: int) -> None:
        """``n`` worlds follow."""

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Zeros (N, 2)."""
        return np.zeros((len(episode_start), 2), np.float32)


GAINS = {"steady": 0.15, "careful": 0.1, "slow": 0.08}


def shortcuts(task: DelayReach) -> dict[str, Callable[[], Late | Predictor | Stay]]:
    """Policies by name that do not predict, or do not adapt where the level rotates."""
    made: dict[str, Callable[[], Late | Predictor | Stay]] = {"stay": Stay}
    made |= {name: partial(Late, task, gain) for name, gain in GAINS.items()}
    if task.levels[task.level].rotation:
        made["unadapted"] = partial(Predictor, task, adapts=False)
    return made
