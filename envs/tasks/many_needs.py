"""ManyNeeds: homeostasis with competing drives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs import senses, streams
from motley.envs.streams import Bools, Floats, Ints, Streams, length, unit
from motley.envs.task import Level, Shortcuts, Task
from motley.envs.tasks.foraging import ONE, Metabolism, Planner, total
from motley.envs.tasks.many_needs_policies import HEURISTICS, Forager, Observer
from motley.envs.world import World


@dataclass(frozen=True)
class Needs(Level):
    """A level: number of needs, share of the time that walking to ripe patches takes, and the ring.

    ``ring`` has the nearest and the farthest patch (m) and the jitter of bearing (part of spacing).
    """

    needs: int
    load: float
    ring: tuple[float, float, float]


class ManyNeeds(Task):
    """Keep several needs near their setpoints: competing drives.

    Goal:
        Stay alive, and keep every need as near to its best level as can be.

    Picture:
        A ring of patches round the start, one for each need, each of its own colour and odour. A
        patch is dim after it was eaten and brightens as it ripens. All are in view, but a
        distant one can slip between two rays for a moment.

    Actions:
        ====== ========================== ===================================================
        number range                      effect in a step of 0.25 s
        ====== ========================== ===================================================
        0      [-1, 1], below 0 is 0      forward speed: 1 is 0.4 m, walked after the turn
        1      [-1, 1]                    turn: 1 is 60 degrees to the left
        ====== ========================== ===================================================

        Out of range is clipped. Motion is exact. Touching a patch eats all that is ripe of it.

    Senses:
        ============== ===== ======= =====================================================
        name           shape range   unit
        ============== ===== ======= =====================================================
        vision         (96,) [0, 1]  24 rays x [1 - distance / 8 m, red, green, blue]; the
                                     colour x (0.3 + 0.7 of what the patch gives, ripe = 1)
        egomotion      (3,)  [-1, 1] [forward / 0.8 m, sine, cosine of the turn], exact
        touch          (1,)  [0, 1]  1 in a step in contact with a patch
        smell          (8,)  [0, 1]  1 / (1 + (distance / 1 m)^2) of the patch of each need
        interoception  (8,)  [0, 1]  level of each need: 0 is death, 1 is full
        proprioception (4,)  [-1, 1] zero
        cue            (8,)  [-1, 1] zero
        go             (1,)  [0, 1]  1
        ============== ===== ======= =====================================================

        Smell and interoception of needs beyond the level's read zero.

    Reward:
        What the drive fell by in the step, in [-1, 1]. The drive D is the mean over the needs
        of ((level - 0.8) / 0.8)^2, in [0, 1]; death makes it 1.

    Termination:
        Death: a need at 0. Truncated after 200 steps.

    Score:
        1 minus the mean drive over 200 steps; after death the drive counts as 1 to the end. The
        oracle's is 0.7 or more. Success is to be alive at the end.

    Levels:
        ===== ===== ==================== ================ ======
        level needs share of time walked ring             chance
        ===== ===== ==================== ================ ======
        0     2     0.46                 1.4 to 2.2 m     0.78
        1     4     0.72                 1.4 to 3.0 m     0.58
        2     6     0.62                 1.9 to 2.4 m     0.55
        3     8     0.57                 2.2 to 2.6 m     0.60
        ===== ===== ==================== ================ ======

        The default is level 1. In every episode each need gets a rate of its own, up to four
        times another's, and the places are dealt anew. The rates are scaled so that walking round
        the ring, from each patch to the next, would take the stated share of the time if every
        meal were ripe and were eaten once the need had lost as much. A patch gives 0.7 (t / T)^2,
        t steps after it was eaten and 0.7 from T on, where T is 1.1 to 1.5 times shorter than its
        need takes to sink by 0.7; what exceeds a full need is lost. Levels start in 0.5 to 0.8,
        patches in 0.3 to 1 of T. Patches have a radius of 0.4 m.

    Out of distribution:
        One need is full and does not sink, so that its drive should be left alone, and the
        others' rates differ by up to a factor of six.

    Problem:
        Homeostasis with competing drives. A meal eaten early gives little and starts the
        ripening anew; one eaten late lets a need run low; while the body walks to one patch
        the other needs sink. Levels, rates, distances and ripeness all have to be weighed.

    Shortcuts:
        Rules that leave most of these out: standing still, living off the nearest patch, the
        nearest patch whose need is below its setpoint, the lowest need (at every step, or until
        reached), the need that is empty first, round the ring, and the ripest patch. They eat
        the patches before these are ripe, and starve. Chance is about the best of these and of
        rules of two of the four, such as the lowest need whose patch is four fifths ripe, with
        waiting. At level 0 it comes near to the oracle, so that level 0 shows whether an agent
        learns to wait at all.

    Source:
        Keramati & Gutkin 2014, Homeostatic reinforcement learning for integrating reward
        collection and physiological stability; Dulberg et al. 2023, Having multiple selves helps
        learning agents explore and adapt in complex changing worlds; Charnov 1976, Optimal
        foraging, the marginal value theorem.
    """

    problem: ClassVar[str] = "competing drives"
    levels: ClassVar[tuple[Needs, ...]] = (
        Needs(chance=0.78, needs=2, load=0.46, ring=(1.4, 2.2, 0.2)),
        Needs(chance=0.58, needs=4, load=0.72, ring=(1.4, 3.0, 0.2)),
        Needs(chance=0.55, needs=6, load=0.62, ring=(1.9, 2.4, 0.15)),
        Needs(chance=0.60, needs=8, load=0.57, ring=(2.2, 2.6, 0.1)),
    )
    default_level = 1
    reward_range = (-1.0, 1.0)
    oracle_bar = 0.7
    observer_policy: ClassVar[type[Forager]] = Observer
    shortcuts: Shortcuts = HEURISTICS

    horizon = 200
    radius = 0.4
    metabolism = Metabolism()
    planner = Planner(metabolism)
    start = (0.5, 0.8)
    ripe = (0.3, 1.0)
    spread, ood_spread = 4.0, 6.0
    yields = (1.1, 1.5)
    dim = 0.3
    odour = 1.0
    berth = 0.15

    def __init__(self, level: int | None = None, ood: bool = False) -> None:
        super().__init__(level, ood)
        setting = self.levels[self.level]
        self.needs = self.n_shapes = setting.needs
        self.load, self.ring = setting.load, setting.ring
        self.colors = senses.hue(np.arange(self.needs) * 45.0)

    def fields(self) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """Levels, patches, and how it went.

        need: level of each. rate: what it loses in a step. age: since its patch was eaten (steps).
        ripens: time that its patch takes (steps). drive: now. burden: sum of the drive so far.
        dead: a need was at 0.
        """
        each = ((self.needs,), np.float32)
        return {
            "need": each,
            "rate": each,
            "age": each,
            "ripens": each,
            "drive": ((), np.float32),
            "burden": ((), np.float64),
            "dead": ((), np.bool_),
        }

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """Patches in a ring round the body, each need with a rate of its own."""
        n, (near, far, jitter) = self.needs, self.ring
        place = rng.permutation(n)
        angle = (place + rng.uniform(-jitter, jitter, (n,))) * np.float32(2 * np.pi / n)
        bearing = rng.uniform(-np.pi, np.pi)[:, None] + angle.astype(np.float32)
        spot = rng.uniform(near, far, (n,))[..., None] * unit(bearing)
        world.shape_position[which] = spot
        world.shape_radius[which] = self.radius
        world.shape_visible[which] = world.shape_touchable[which] = True
        world.heading[which] = rng.uniform(-np.pi, np.pi)
        share = streams.exp(
            rng.uniform(0.0, np.log(self.ood_spread if self.ood else self.spread), (n,))
        )
        round_trip = spot[np.arange(which.size)[:, None], place.argsort(1)]
        gap = length(round_trip - np.roll(round_trip, 1, 1))
        walk = total(self.walk(gap)) / np.float32(n)
        scale = np.float32(self.load * self.metabolism.meal) / (walk * total(share))
        world.rate[which] = rate = scale[:, None] * share
        meal = np.float32(self.metabolism.meal)
        world.ripens[which] = ripens = meal / (rate * rng.uniform(*self.yields, (n,)))
        world.age[which] = ripens * rng.uniform(*self.ripe, (n,))
        world.need[which] = rng.uniform(*self.start, (n,))
        if self.ood:
            full = which, rng.integers(0, n)
            world.rate[full], world.need[full] = 0.0, 1.0
        world.drive[which] = self.metabolism.drive(world.need[which])
        self._show(world, which)

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        """Needs sink, patches in contact are eaten, and the drive falls or rises."""
        self.metabolism.live(world.need, world.age, world.rate, world.ripens, world.contact)
        drive = self.metabolism.drive(world.need)
        dead = np.logical_or.reduce(world.need <= 0.0, axis=1)
        drive[dead] = 1.0
        reward = world.drive - drive
        world.drive[:] = drive
        world.burden += drive
        world.dead |= dead
        self._show(world, world.rows)
        return reward.astype(np.float64), dead

    def _show(self, world: World, rows: Ints) -> None:
        """What the body feels of its needs, sees of the patches' ripeness, and smells of them."""
        n = self.needs
        world.interoception[rows, :n] = world.need[rows]
        ripe = self.metabolism.gives(world.age[rows], world.ripens[rows])
        bright = np.float32(self.dim) + ripe * np.float32((1 - self.dim) / self.metabolism.meal)
        world.shape_color[rows] = self.colors * bright[..., None]
        gap = world.shape_position[rows] - world.position[rows, None]
        reach = np.float32(self.odour**2)
        world.smell[rows, :n] = reach / (reach + gap[..., 0] ** 2 + gap[..., 1] ** 2)

    def score(self, world: World) -> npt.NDArray[Any]:
        """1 minus the mean drive; after death it is the highest until the horizon."""
        steps = np.where(world.dead, self.horizon, np.maximum(world.elapsed, 1))
        lost = np.where(world.dead, self.horizon - world.elapsed, 0)
        return np.asarray(1.0 - (world.burden + lost) / steps, np.float64)

    def success(self, world: World) -> Bools:
        """Alive at the end."""
        alive: Bools = ~world.dead
        return alive

    def walk(self, gap: Floats) -> Floats:
        """Steps from the edge of one patch to another whose centres are ``gap`` (...) m apart."""
        way = np.maximum(gap - np.float32(self.radius + self.body.radius), 0.0)
        steps: Floats = np.ceil(way / np.float32(self.body.speed) + np.float32(0.7))
        return steps

    def as_seen(self, world: World, places: Floats) -> Floats:
        """Places (N, n, 2) in the body's frame: metres ahead and left."""
        gap, ahead = places - world.position[:, None], unit(world.heading)[:, None]
        along = gap[..., 0] * ahead[..., 0] + gap[..., 1] * ahead[..., 1]
        left = gap[..., 1] * ahead[..., 0] - gap[..., 0] * ahead[..., 1]
        return np.stack((along, left), -1)

    def head(
        self, spot: Floats, need: Floats, age: Floats, rate: Floats, ripens: Floats
    ) -> tuple[Ints, Floats]:
        """Plan, and walk: the patch (N,), and actions (N, 2).

        Args:
            spot: of each patch in the body's frame, (N, n, 2) metres, ahead and left.
            need: level of each, (N, n).
            age: steps since each patch was eaten, (N, n).
            rate: what each need loses in a step, (N, n).
            ripens: steps that each patch takes, (N, n).
        """
        aside = np.abs(streams.angle(spot)) * np.float32(3 / np.pi)
        way = np.maximum(length(spot) - np.float32(self.radius + self.body.radius), 0.0)
        turn = np.float32(0.7) * np.maximum(aside - ONE, 0.0) * (way > 0.0)
        first = np.ceil(way / np.float32(self.body.speed) + turn)
        between = self.walk(length(spot[:, :, None] - spot[:, None]))
        target, wait = self.planner.choose(need, age, rate, ripens, first, between)
        return target, self.approach(spot[np.arange(len(spot)), target], wait > 0.0)

    def approach(self, spot: Floats, wait: Bools) -> Floats:
        """Actions (N, 2) to ``spot`` (N, 2) in the body's frame; stays out of it to ``wait``."""
        way = length(spot) - np.float32(self.radius + self.body.radius + self.berth)
        out = wait & (way <= 0.0)
        here = np.zeros_like(spot)
        action = self.steer(here, here[:, 0], np.where(out[:, None], -spot, spot))
        room = np.minimum(np.abs(way) / np.float32(self.body.speed), ONE)
        action[:, 0] = np.where(wait, np.minimum(action[:, 0], room), action[:, 0])
        return action

    def oracle(self, world: World) -> Floats:
        """Simulates ways to go on, with the true rates and ripening times."""
        spot = self.as_seen(world, world.shape_position)
        return self.head(spot, world.need, world.age, world.rate, world.ripens)[1]

    def scene(self, world: World, index: int) -> dict[str, Any]:
        """Levels of the needs, and how ripe each patch is."""
        ripe = np.minimum(world.age[index] / world.ripens[index], 1.0)
        return {
            "needs": world.need[index],
            "need_colors": self.colors,
            "setpoint": self.metabolism.setpoint,
            "labels": {k: f"{part:.0%}" for k, part in enumerate(ripe)},
            "caption": "dead" if world.dead[index] else f"drive {world.drive[index]:.2f}",
        }
