"""Caregiver: bootstrapping by an innate detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs import senses
from motley.envs.streams import Bools, Floats, Ints, Streams, length, unit
from motley.envs.task import Level, Task
from motley.envs.tasks.caregiver_policies import HEURISTICS, GazeFollower
from motley.envs.world import World

HUES = unit(np.deg2rad(np.array([0, 120, 240])))
"""(3, 2) directions of pure red, green and blue on the circle of hues."""


@dataclass(frozen=True)
class Clutter(Level):
    """A level: how many objects lie about beside three."""

    clutter: int


def toward(here: Floats, there: Floats) -> Floats:
    """Unit vectors from ``here`` (R, 2) to ``there`` (R, 2)."""
    way = there - here
    size: Floats = np.maximum(length(way), np.float32(1e-6))
    way /= size[:, None]
    return way


class Caregiver(Task):
    """Find out from a caregiver's hands what its gaze means, and fetch what it looks at.

    Goal:
        Watch a caregiver move an object by hand; then go to the object that it looks at.

    Picture:
        The body faces a caregiver's head, 1.35 m away. Objects of different dark colours lie round
        the body at 1.6 m, at 28, 63 and 100 degrees to either side. While the body is held, for 8
        steps, a hand comes from the side, passes in front of what lies there, pushes one object
        0.3 m outward and withdraws; the head looks at the hand all the while. A ball runs across
        the scene, faster than the hand, moves nothing, and comes to rest. Then the body is free and
        the head looks at one of the objects. At the first contact with an object, or after 10
        steps, the body is back in the middle, headed as at the start, the objects are back in
        their places, and the next of 4 trials begins.

    Actions:
        ====== ========================== ===================================================
        number range                      effect in a step of 0.25 s
        ====== ========================== ===================================================
        0      [-1, 1], below 0 is 0      forward speed: 1 is 0.4 m, walked after the turn
        1      [-1, 1]                    turn: 1 is 60 degrees to the left
        ====== ========================== ===================================================

        Out of range is clipped; a body that is held does not move. Motion is exact. Head, hand
        and ball do not hold the body and are not felt.

    Senses:
        ============== ======= ======= =======================================================
        name           shape   range   unit
        ============== ======= ======= =======================================================
        vision         (96,)   [0, 1]  24 rays x [1 - distance / 8 m, red, green, blue]; the
                                       head's hue is the angle from the line of sight, head to
                                       body, to its gaze, counter-clockwise
        egomotion      (3,)    [-1, 1] [forward / 0.8 m, sine, cosine of the turn] of the last
                                       step, exact; without being carried back
        touch          (1,)    [0, 1]  1 in the step in which an object was touched
        smell          (8,)    [0, 1]  not used: 0
        interoception  (8,)    [0, 1]  not used: 0
        proprioception (4,)    [-1, 1] not used: 0
        cue            (8,)    [-1, 1] not used: 0
        go             (1,)    [0, 1]  1 while the body is free, 0 while it is held
        ============== ======= ======= =======================================================

    Reward:
        1 for contact with the object that the caregiver looks at, which it then hands over;
        nothing else. A body that touches two objects in one step has touched the nearer one.

    Termination:
        After the fourth trial, which is after 72 steps at the latest.

    Score:
        The fraction of the 4 trials in which the object was handed over; the oracle's is 0.95 or
        more. Success is a score of 1.

    Levels:
        ===== ======= ======= ======
        level clutter objects chance
        ===== ======= ======= ======
        0     0       3       0.33
        1     1       4       0.25
        2     2       5       0.20
        3     3       6       0.17
        ===== ======= ======= ======

        The default is level 1. Drawn anew in each episode are the objects' places (of six, with a
        jitter of 1.5 degrees), their hues, the head's place within 5 cm and 2 degrees, the hand's
        colour; in each trial the object that is moved, the one that is looked at
        (independent of each other), and the ways of hand and ball.

    Out of distribution:
        Unseen hands (paler than any before) on still frames: hand and ball lie still in each
        trial, and no object is moved.

    Problem:
        Bootstrapping: what gaze points at can be learnt without anyone who names it. An innate
        rule for mover events (motion that sets another thing moving) teaches what a hand
        looks like, and the hand, which the head looks at, teaches what gaze means.

    Shortcuts:
        The object looked at is drawn without regard to places, to the object moved, to hand and to
        ball. Measured: any object, the nearest, the one with the most salient motion before
        it, the one that was moved, the one nearest to the hand, and the one nearest to the head's
        line of sight. A trial ends at the first contact, so that elimination does not pay.
        What these leave open is learning what gaze means from reward alone: the control that
        a bootstrapped learner is to be held against.

    Source:
        Ullman, Harari & Dorfman 2012, From simple innate biases to complex visual concepts (mover
        events, hands, gaze); Triesch et al. 2006 (gaze following from reward alone).
    """

    problem: ClassVar[str] = "bootstrapping"
    levels: ClassVar[tuple[Clutter, ...]] = tuple(
        Clutter(chance=1 / (3 + clutter), clutter=clutter) for clutter in range(4)
    )
    default_level = 1
    observer_policy = GazeFollower
    shortcuts = HEURISTICS

    trials = 4
    held_steps, free_steps = 8, 10
    ring, head_distance = 1.6, 1.35
    """Metres from the body at the start to the objects and to the head."""
    places = np.deg2rad(np.array([-100, -63, -28, 28, 63, 100], np.float32))
    """Bearings of the objects at the start (rad)."""
    place_jitter, head_jitter = np.deg2rad(np.array([3, 4], np.float32))
    """Widths of what is added to the bearings of an object and of the head (rad)."""
    distance_jitter = 0.1
    """Width of what is added to the distance of the head (m)."""
    aside = float(np.deg2rad(16))
    """From an object's bearing to where a hand or a ball may rest beside it (rad)."""
    wide = np.deg2rad(np.float32(35))
    """How much farther aside half of the hands come from (rad)."""
    roll = (25, 15)
    """Slowest turn of a rolling ball, and how much faster it may be (degrees a step)."""
    object_radius, head_radius, hand_radius, ball_radius = 0.3, 0.35, 0.18, 0.15
    ball_distance = 0.95
    ball_color = (0.2, 0.95, 0.95)
    hand_colors = np.array([[0.9, 0.55, 0.35], [1.0, 0.75, 0.55]], np.float32)
    ood_hand_colors = np.array([[0.95, 0.85, 0.75], [1.0, 0.95, 0.9]], np.float32)
    """Lowest and highest red, green and blue of a hand."""
    still_from = 7
    """Step of a trial from which hand and ball lie still."""
    comes = np.array([1, 2 / 3, 1 / 3, 0, 0, 0, 0, 0], np.float32)
    goes = np.array([0, 0, 0, 0, 0, 0, 0.5, 1], np.float32)
    """Shares of the hand's angle to its object before and after, by step."""
    hand_distance = np.array([1.15, 1.15, 1.15, 1.15, 1.3, 1.45, 1.3, 1.15], np.float32)
    pushed = np.array([0, 0, 0, 0, 0.15, 0.3, 0.3, 0.3], np.float32)
    """Metres: of the hand from the body, and by which the object was moved, by step."""
    rolls = np.array([5, 4, 3, 2, 1, 0, 0, 0], np.float32)
    """Steps that the ball has yet to roll, by step."""

    def __init__(self, level: int | None = None, ood: bool = False) -> None:
        super().__init__(level, ood)
        self.objects = 3 + self.levels[self.level].clutter
        self.head, self.hand, self.ball = self.objects, self.objects + 1, self.objects + 2
        """Indices of these among the shapes; the objects come first."""
        self.n_shapes = self.objects + 3
        others = (self.head_radius, self.hand_radius, self.ball_radius)
        self.radii = np.array((*(self.object_radius,) * self.objects, *others), np.float32)
        self.horizon = self.trials * (self.held_steps + self.free_steps)

    def fields(self) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """What is where, what happens in each trial, and how far the present one is.

        bearing: of each object (rad). target: the object that is looked at. moved: the one that is
        pushed. comes_from, goes_to: hand's angle to it before and after (rad). ball_rests: bearing
        (rad). ball_turn: of its bearing (rad a step). trial: the present one. clock: steps in it.
        right: trials won. start: heading (rad). way: from the start to each object, a unit vector.
        gaze: where the head looks, a unit vector in the world.
        """
        n = (self.trials,)
        return {
            "bearing": ((self.objects,), np.float32),
            "target": (n, np.int64),
            "moved": (n, np.int64),
            "comes_from": (n, np.float32),
            "goes_to": (n, np.float32),
            "ball_rests": (n, np.float32),
            "ball_turn": (n, np.float32),
            "trial": ((), np.int64),
            "clock": ((), np.int64),
            "right": ((), np.int64),
            "start": ((), np.float32),
            "way": ((self.objects, 2), np.float32),
            "gaze": ((2,), np.float32),
        }

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """Place the objects and the head; draw all trials."""
        trials, k = self.trials, self.objects
        bearing = self.places[rng.permutation(len(self.places))[:, :k]]
        # All in one draw, since each costs a batch of few worlds dear.
        one = rng.uniform(shape=(k + 7 + 9 * trials,))
        own, each = one[:, : k + 7], one[:, k + 7 :].reshape(-1, 9, trials)
        bearing = bearing + self.place_jitter * (own[:, :k] - np.float32(0.5))
        world.bearing[which] = bearing
        which_object = (each[:, :3] * k).astype(np.int64)
        world.target[which], world.moved[which] = which_object[:, 0], which_object[:, 1]
        way = np.where(each[:, 3:7] < 0.5, np.float32(-1), np.float32(1))
        far = np.where(each[:, 7] < 0.5, np.float32(0), self.wide)
        world.comes_from[which] = way[:, 0] * (np.float32(self.aside) + far)
        world.goes_to[which] = way[:, 1] * np.float32(self.aside)
        beside = np.take_along_axis(bearing, which_object[:, 2], 1)
        world.ball_rests[which] = beside + way[:, 2] * np.float32(self.aside)
        slowest, more = self.roll
        turn = np.deg2rad(slowest + more * each[:, 8])
        world.ball_turn[which] = turn * way[:, 3]
        world.heading[which] = world.start[which] = 2 * np.float32(np.pi) * (own[:, k] - 0.5)
        world.way[which] = unit(world.start[which, None] + bearing)
        world.shape_position[which, :k] = np.float32(self.ring) * world.way[which]

        hues = 360 * own[:, k + 1, None] + 360.0 / k * rng.permutation(k)
        world.shape_color[which, :k] = 0.15 + 0.5 * senses.hue(hues)
        low, high = self.ood_hand_colors if self.ood else self.hand_colors
        world.shape_color[which, self.hand] = low + (high - low) * own[:, k + 2 : k + 5]
        world.shape_color[which, self.ball] = self.ball_color
        world.shape_radius[which] = self.radii
        world.shape_visible[which] = True
        world.shape_touchable[which, :k] = True
        aside = self.head_jitter * (own[:, k + 5] - np.float32(0.5))
        nearest = np.float32(self.head_distance - self.distance_jitter / 2)
        distance = nearest + np.float32(self.distance_jitter) * own[:, k + 6]
        at = distance[:, None] * unit(world.start[which] + aside)
        world.shape_position[which, self.head] = at
        world.free[which] = False
        self._move(world, which)
        self._look(world, which)

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        """Hand, ball and gaze move; contact with any object ends a trial, and so does its time."""
        reward = np.zeros(world.n)
        world.clock += 1
        rows = np.flatnonzero(world.clock < self.held_steps)
        if rows.size:
            self._move(world, rows)
        world.free |= (world.clock >= self.held_steps) & (world.trial < self.trials)
        touched = np.logical_or.reduce(world.contact[:, : self.objects], axis=1)
        over = world.free & (touched | (world.clock >= self.held_steps + self.free_steps))
        # In the step in which it is set free it has not moved yet.
        over &= world.clock > self.held_steps
        if np.count_nonzero(over):
            rows = np.flatnonzero(over)
            right = self.touched(world, rows, self.objects) == world.target[rows, world.trial[rows]]
            reward[rows] = right
            world.right[rows] += right
            world.trial[rows] += 1
            world.clock[rows] = 0
            world.position[rows] = 0.0
            world.heading[rows] = world.start[rows]
            world.free[rows] = False
            world.shape_position[rows, : self.objects] = np.float32(self.ring) * world.way[rows]
            self._move(world, rows)
        self._look(world)
        return reward, world.trial >= self.trials

    def _move(self, world: World, rows: Ints) -> None:
        """Put objects, hand and ball where they are at this step of the trial."""
        trial = np.minimum(world.trial[rows], self.trials - 1)
        step = np.full(rows.size, self.still_from) if self.ood else world.clock[rows]
        start, moved = world.start[rows], world.moved[rows, trial]
        if not self.ood:
            distance = np.float32(self.ring) + self.pushed[step]
            world.shape_position[rows, moved] = distance[:, None] * world.way[rows, moved]
        hand = start + world.bearing[rows, moved]
        hand += self.comes[step] * world.comes_from[rows, trial]
        hand += self.goes[step] * world.goes_to[rows, trial]
        at = self.hand_distance[step][:, None] * unit(hand)
        world.shape_position[rows, self.hand] = at
        ball = world.ball_rests[rows, trial] - self.rolls[step] * world.ball_turn[rows, trial]
        at = np.float32(self.ball_distance) * unit(start + ball)
        world.shape_position[rows, self.ball] = at

    def _look(self, world: World, which: Ints | slice = slice(None)) -> None:
        """Turn the head: to the hand while the body is held, to the target after; colour it."""
        rows = world.rows[which]
        trial = np.minimum(world.trial[which], self.trials - 1)
        seen = np.where(world.free[which], world.target[rows, trial], self.hand)
        head = world.shape_position[which, self.head]
        gaze = toward(head, world.shape_position[rows, seen])
        sight = toward(head, world.position[which])
        world.gaze[which] = gaze
        # Cosine and sine of the angle from the line of sight to the gaze, and its hue.
        turn = np.empty_like(gaze)
        turn[:, 0] = gaze[:, 0] * sight[:, 0] + gaze[:, 1] * sight[:, 1]
        turn[:, 1] = sight[:, 0] * gaze[:, 1] - sight[:, 1] * gaze[:, 0]
        x, y = np.float32(0.5) * turn[:, :1], np.float32(0.5) * turn[:, 1:]
        hue = np.float32(0.5) + x * HUES[:, 0] + y * HUES[:, 1]
        world.shape_color[which, self.head] = np.clip(hue, 0, 1)

    def score(self, world: World) -> npt.NDArray[Any]:
        """Fraction of the trials in which the object was handed over."""
        return np.asarray(world.right / self.trials, np.float64)

    def oracle(self, world: World) -> Floats:
        """Straight to the object that is looked at."""
        trial = np.minimum(world.trial, self.trials - 1)
        target = world.target[world.rows, trial]
        action = self.toward(world, world.shape_position[world.rows, target])
        action[~world.free] = 0.0
        return action

    def scene(self, world: World, index: int) -> dict[str, Any]:
        """The head's gaze, the object looked at, and the phase."""
        trial = int(world.trial[index])
        if trial >= self.trials:
            return {"caption": "over"}
        phase = "fetch" if world.free[index] else "watch"
        x, y = (float(v) for v in world.shape_position[index, self.head])
        dx, dy = (float(v) for v in world.gaze[index])
        radius = float(world.shape_radius[index, self.head])
        nose = (x + radius * dx, y + radius * dy)
        hints: dict[str, Any] = {
            "caption": f"trial {trial + 1} of {self.trials}: {phase}",
            "lines": [(nose, (nose[0] + 0.3 * dx, nose[1] + 0.3 * dy), (0.1, 0.1, 0.1), 0.06)],
            "labels": {self.head: "head", self.hand: "hand", self.ball: "ball"},
        }
        if world.free[index]:
            hints["target"] = int(world.target[index, trial])
        return hints
