"""DelayReach: motor prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs import senses
from motley.envs.arm import Arm
from motley.envs.streams import Bools, Floats, Ints, Streams, length, unit
from motley.envs.task import Level, Policy, Task
from motley.envs.tasks.delay_reach_policies import Predictor, Pusher, aim, curled, shortcuts
from motley.envs.world import World


@dataclass(frozen=True)
class Late(Level):
    """A level: steps by which the senses come late, and size of the rotation in degrees."""

    delay: int
    rotation: float


class DelayReach(Task):
    """Reach by what is sensed late, while what is seen of the hand is turned.

    Goal:
        Bring the seen hand onto each of 24 targets and keep it there for 4 steps in a row, within
        9 steps.

    Picture:
        An arm of two links of 1 m (only ratios matter) reaches from its shoulder over a plane. A
        reach begins with the hand in the middle, held there until a target, 0.5 m away in a
        random direction, has come into view; then the arm is free. Hand and target are discs of
        0.2 m. At a hit, or after 9 steps,
        the hand is carried back to the middle for the next. Everything that the arm sees and
        feels of itself comes d steps late. The hand is seen turned about the middle by an angle,
        which changes once, without a sign of it (``field=True``: it is seen where it is, and pushed
        aside instead). A step stands for 0.05 s, so that d = 3 is 0.15 s.

    Actions:
        ====== ========= =====================================================================
        number range     effect in a step
        ====== ========= =====================================================================
        0      [-1, 1]   speed of the shoulder: 1 is 0.35 rad a step, counter-clockwise
        1      [-1, 1]   speed of the elbow, in the same way
        ====== ========= =====================================================================

        Out of range is clipped; an arm that is held does not move. A step brings the speed half
        of the way to the command (the lag of muscle). A command has noise of 5% of it.

    Senses:
        ============== ======= ======= =====================================================
        name           shape   range   unit
        ============== ======= ======= =====================================================
        vision         (96,)   [0, 1]  24 rays x [1 - distance / 8 m, red, green, blue] from
                                       the shoulder, d steps ago; the first through the middle
        egomotion      (3,)    [-1, 1] at rest: [0, 0, 1]
        touch          (1,)    [0, 1]  0
        smell          (8,)    [0, 1]  0
        interoception  (8,)    [0, 1]  0
        proprioception (4,)    [-1, 1] sine and cosine of the shoulder's angle, then of the
                                       elbow's, d steps ago
        cue            (8,)    [-1, 1] what the eyes give more finely than rays of 15 degrees, d
                                       steps ago: from the seen hand to the target (x, y),
                                       from the middle to the seen hand (x, y), metres,
                                       clipped beyond 1 m; then 0
        go             (1,)    [0, 1]  1 while the arm is free; of now, not late
        ============== ======= ======= =====================================================

    Reward:
        0.2 for each of the first 3 steps in a row on the target (within 0.1 m), once in a
        reach, and 0.4 for the fourth, the hit; less 0.005 times the sum of the joints' squared
        speeds, in units of full speed.

    Termination:
        After the last target, which is after 24 x (11 + d) steps at the latest.

    Score:
        The share of the 24 targets hit; the oracle's is 0.95 or more. Success is a share of 0.8.

    Levels:
        ===== ======= ============ ======
        level delay d rotation     chance
        ===== ======= ============ ======
        0     0       none         1.00
        1     3       none         0.25
        2     3       30 degrees   0.40
        3     5       60 degrees   0.40
        4     8       60 degrees   0.40
        ===== ======= ============ ======

        The default is level 2. The rotation before the switch and the one after it are two
        different ones of minus its size, none and plus its size, drawn anew in each episode; the
        switch comes after 8 to 16 reaches.

        With ``field=True`` a force field takes the rotation's place (the curl field of Shadmehr &
        Mussa-Ivaldi 1994): a hand that the arm moves is pushed aside by half of that way, to its
        left where the rotation would be above zero, to its right where below. What is felt
        deviates with what is seen.

    Out of distribution:
        The rotation is 20 degrees wider than the level's; a field pushes by 0.2 of the way more.

    Problem:
        Motor prediction: to know where the hand is by now from the commands that were sent (a
        forward model), to know which commands bring it elsewhere (an inverse model), and to
        keep both right when the world changes. Weights cannot hold the rotation, so that
        adapting runs through the agent's state.

    Shortcuts:
        Chance is about what the best of them reaches, or above: standing still; going by the
        late senses as if they were of now, at several speeds, with the rotation known;
        predicting with no regard to the rotation, which hits only while there is none. A slow,
        careful reach is stopped by the time limit, and a sweep across the target by the 4
        steps. The rotation shows only when the hand is away from the middle, so that it must be
        kept from one reach to the next. At level 0 there is nothing to predict, and the late
        senses are not late: it serves to see whether an agent learns to reach at all.

    Source:
        Miall, Weir, Wolpert & Stein 1993, Is the cerebellum a Smith predictor?; Wolpert, Miall &
        Kawato 1998, Internal models in the cerebellum; Krakauer et al. 2000, Learning of
        visuomotor transformations for vectorial planning of reaching trajectories; Shadmehr &
        Mussa-Ivaldi 1994, Adaptive representation of dynamics during learning of a motor task.
    """

    problem: ClassVar[str] = "motor prediction"
    levels: ClassVar[tuple[Late, ...]] = (
        Late(chance=1.00, delay=0, rotation=0.0),
        Late(chance=0.25, delay=3, rotation=0.0),
        Late(chance=0.40, delay=3, rotation=30.0),
        Late(chance=0.40, delay=5, rotation=60.0),
        Late(chance=0.40, delay=8, rotation=60.0),
    )
    default_level = 2
    variants = ({"field": False}, {"field": True})
    reward_range = (-0.02, 1.0)

    reaches = 24
    switch_after = (8, 17)
    reach_steps = 9
    hold_steps = 4
    target_distance, tolerance = 0.5, 0.1
    step_reward, hit_reward, effort = 0.2, 0.4, 0.005
    home_posture = (float(np.pi / 4), float(np.pi / 2))
    ood_rotation = 20.0
    curl, ood_curl = 0.5, 0.2
    """Of the force field, where the level has a rotation; and what is added out of distribution."""
    disc_radius = 0.2
    colors = senses.hue(np.array([200.0, 20.0]))
    """Of the hand and of the target."""

    def __init__(self, level: int | None = None, ood: bool = False, field: bool = False) -> None:
        super().__init__(level, ood)
        self.field = bool(field)
        setting = self.levels[self.level]
        self.delay = setting.delay
        self.rotation = setting.rotation + (self.ood_rotation if ood else 0.0)
        self.strength = self.curl * (setting.rotation > 0) + self.ood_curl * ood
        self.wait = self.delay + 2
        self.horizon = self.reaches * (self.reach_steps + self.wait)
        self.n_shapes = 2
        self.body = self.arm = Arm(joint_speed=0.35, motor_noise=0.05)
        self.middle = self.arm.hand(np.array(self.home_posture, np.float32))

    @property
    def variant(self) -> dict[str, Any]:
        """Whether a force field takes the place of the rotation."""
        return {"field": self.field}

    def fields(self) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """The arm's, and how far the reaches are.

        targets: of all reaches, from the middle (m). target: the present one, from the middle (m).
        degrees: rotation before and after the switch (deg). rotation: cosine and sine of the
        present one. push: share of its way by which the hand is now pushed to its left. switch:
        reaches before the switch. reach: reaches done. hit: of each. due: step at which the wait or
        the reach ends. inside: steps in a row on the target. most: the most steps in a row on the
        target in this reach. past: what the senses said in the last d + 1 steps, of places of hand
        and target, cue, proprioception (various).
        """
        return {
            **self.arm.fields(),
            "targets": ((self.reaches, 2), np.float32),
            "target": ((2,), np.float32),
            "degrees": ((2,), np.float32),
            "rotation": ((2,), np.float32),
            "push": ((), np.float32),
            "switch": ((), np.int64),
            "reach": ((), np.int64),
            "hit": ((self.reaches,), np.bool_),
            "due": ((), np.int64),
            "inside": ((), np.int64),
            "most": ((), np.int64),
            "past": ((self.delay + 1, 12), np.float32),
        }

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """The hand in the middle, targets around it, and what will be turned when."""
        world.heading[which] = np.pi / 2
        world.targets[which] = np.float32(self.target_distance) * rng.direction((self.reaches,))
        turns = (rng.permutation(3)[:, :2] - 1).astype(np.float32)
        world.degrees[which] = np.float32(self.rotation) * turns
        world.switch[which] = rng.integers(*self.switch_after)
        world.shape_radius[which] = self.disc_radius
        world.shape_color[which] = self.colors
        world.shape_visible[which] = True
        self._ready(world, which)
        now = self._senses(world)[which]
        world.past[which] = now[:, None]
        self._show(world, which, now)

    def _ready(self, world: World, rows: Ints) -> None:
        """Worlds ``rows`` await their next reach, with the hand in the middle."""
        reach = world.reach[rows]
        degrees = world.degrees[rows, (reach >= world.switch[rows]).astype(np.int64)]
        if self.field:
            world.push[rows] = np.float32(self.strength) * np.sign(degrees)
            degrees = np.zeros_like(degrees)
        world.rotation[rows] = unit(np.deg2rad(degrees))
        world.target[rows] = world.targets[rows, np.minimum(reach, self.reaches - 1)]
        world.inside[rows] = world.most[rows] = 0
        world.free[rows] = False
        world.due[rows] = world.elapsed[rows] + self.wait
        self.arm.rest(world, rows, self.home_posture)

    def seen(self, world: World) -> Floats:
        """Where the hand would be seen now, (N, 2) metres from the middle."""
        x, y = (world.hand - self.middle).T
        cosine, sine = world.rotation.T
        return np.stack([cosine * x - sine * y, sine * x + cosine * y], 1)

    def _senses(self, world: World) -> Floats:
        """What would be sensed now, (N, 12) in the order of ``past``."""
        seen = self.seen(world)
        way = np.concatenate([world.target - seen, seen], 1)
        places = self.middle + seen, self.middle + world.target
        return np.concatenate([*places, np.clip(way, -1.0, 1.0), world.felt], 1)

    def _show(self, world: World, rows: Ints | slice, past: Floats) -> None:
        """Let the senses of worlds ``rows`` say what was noted, (R, 12)."""
        world.shape_position[rows] = past[:, :4].reshape(-1, 2, 2)
        world.cue[rows, :4] = past[:, 4:8]
        world.proprioception[rows] = past[:, 8:]

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        """Whether the seen hand stays on the target; and what is seen and felt, of ago."""
        if self.field:
            self._push(world)
        now = self._senses(world)
        on = length(now[:, 2:4] - now[:, :2]) <= np.float32(self.tolerance)
        world.inside += 1
        world.inside *= on & world.free
        hit = world.inside >= self.hold_steps
        share = world.joint_speed / np.float32(self.arm.joint_speed)
        reward = -self.effort * (share[:, 0] ** 2 + share[:, 1] ** 2).astype(np.float64)
        reward += np.where(hit, self.hit_reward, self.step_reward) * (world.inside > world.most)
        np.maximum(world.most, world.inside, out=world.most)
        slots = world.past.reshape(-1, 12)
        slot = world.rows * (self.delay + 1) + world.elapsed % (self.delay + 1)
        slots[slot] = now
        event = hit | (world.elapsed >= world.due)
        if np.count_nonzero(event):
            rows = np.flatnonzero(event)
            over = world.free[rows]
            world.hit[rows[over], world.reach[rows[over]]] = hit[rows[over]]
            world.reach[rows[over]] += 1
            self._ready(world, rows[over])
            go = rows[~over & (world.reach[rows] < self.reaches)]
            world.free[go] = True
            world.due[go] = world.elapsed[go] + self.reach_steps
        oldest = world.rows * (self.delay + 1) + (world.elapsed + 1) % (self.delay + 1)
        self._show(world, slice(None), slots[oldest])
        return reward, world.reach >= self.reaches

    def _push(self, world: World) -> None:
        """The field moves the hand aside of where the arm has just brought it."""
        before = self.arm.hand(world.joint - world.joint_speed)
        hand = before + curled(world.hand - before, world.push)
        rows = np.flatnonzero(world.free & (world.push != 0))
        world.joint[rows] = self.arm.posture(hand[rows])
        directions = unit(world.joint[rows])
        world.felt[rows] = directions[..., ::-1].reshape(-1, 4)
        world.hand[rows] = self.arm.hand(world.joint[rows])

    def score(self, world: World) -> npt.NDArray[Any]:
        """Share of the targets hit."""
        return np.asarray(world.hit.sum(1) / self.reaches, np.float64)

    def success(self, world: World) -> Bools:
        """Whether at least four targets of five were hit."""
        return self.score(world) >= 0.8

    def oracle(self, world: World) -> Floats:
        """To where the hand must be for the seen hand to be on target, from the true posture."""
        (x, y), (cosine, sine) = world.target.T, world.rotation.T
        goal = self.middle + np.stack([cosine * x + sine * y, cosine * y - sine * x], 1)
        if self.field:
            goal = aim(world.hand, goal, world.push)
        return self.arm.commands(world.joint, world.joint_speed, self.arm.posture(goal))

    def observer(self) -> Policy:
        """A Smith predictor that adapts to the rotation, or to the field."""
        return Pusher(self) if self.field else Predictor(self)

    def heuristics(self) -> dict[str, Callable[[], Policy]]:
        """Reaching without prediction, and without adaptation."""
        return dict(shortcuts(self))

    def scene(self, world: World, index: int) -> dict[str, Any]:
        """The arm and the target as they are now; the discs are what is seen of them, late."""
        shoulder, hand = world.position[index], world.hand[index]
        elbow = shoulder + np.float32(self.arm.links[0]) * unit(world.joint[index, 0])
        points = [tuple(map(float, point)) for point in (shoulder, elbow, shoulder + hand)]
        reach = int(world.reach[index])
        late = reach >= world.switch[index]
        caption = f"{reach + 1} of {self.reaches}" if reach < self.reaches else "over"
        bone = (0.55, 0.55, 0.6)
        return {
            "caption": f"{caption}, turned {round(float(world.degrees[index, int(late)])):+d}",
            "lines": [(a, b, bone, 0.12) for a, b in pairwise(points)],
            "markers": [("", *points[-1], 0.1)],
            "target": 1,
        }
