"""Homestead: several problems in one life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs import senses
from motley.envs.streams import Bools, Floats, Ints, Streams, length, unit
from motley.envs.task import Body, Level, Task
from motley.envs.tasks.homestead_policies import HEURISTICS, Settler
from motley.envs.tasks.many_needs import ManyNeeds
from motley.envs.world import World

SHOWING, DAY, NIGHT = 0, 1, 2


@dataclass(frozen=True)
class Life(Level):
    """A level: patches to live off, caches to remember, and whether there are nights."""

    patches: int
    caches: int
    nights: bool


class Homestead(ManyNeeds):
    """Live some days: recall caches, serve needs, and be home before night, in one life.

    Goal:
        Keep every day: stay alive, keep the drive low, and be home in time.

    Picture:
        A body on its nest, which it neither sees nor feels, amid a ring of sites whose middle lies
        elsewhere: patches that dim when eaten and ripen again, and caches. At dawn the body is
        held while one cache after another lights up, each for 2 steps, with its item as the cue.
        By day all sites are in view. At dusk the light goes out, and the body has to walk home
        in the dark, and sleeps there. A night outside is death; where there are no nights, the
        body is carried to the nest after the day.

    Actions:
        ====== ========================== ===================================================
        number range                      effect in a step of 0.25 s
        ====== ========================== ===================================================
        0      [-1, 1], below 0 is 0      forward speed: 1 is 0.4 m, walked after the turn
        1      [-1, 1]                    turn: 1 is 60 degrees to the left
        ====== ========================== ===================================================

        Out of range is clipped; a body that is held does not move. The motion realised differs
        from the command by a fifth of the distance and 0.25 rad at full command (standard
        deviations).

    Senses:
        ============== ===== ======= =====================================================
        name           shape range   unit
        ============== ===== ======= =====================================================
        vision         (96,) [0, 1]  24 rays x [1 - distance / 8 m, red, green, blue]; a
                                     patch's colour as in ManyNeeds; 0 in the dark
        egomotion      (3,)  [-1, 1] [forward / 0.8 m, sine, cosine of the turn]; noise of 1%
                                     and 0.0025 rad
        touch          (1,)  [0, 1]  1 in a step in contact with a site, by day
        smell          (8,)  [0, 1]  1 / (1 + (distance / 1 m)^2) of each patch; 0 in the dark
        interoception  (8,)  [0, 1]  level of each need, the patches' first, then the caches'
        proprioception (4,)  [-1, 1] zero
        cue            (8,)  [-1, 1] the item of the lit cache, or that which is asked for (six
                                     numbers); else zero
        go             (1,)  [0, 1]  1 while the body is free, 0 while it is held
        ============== ===== ======= =====================================================

    Reward:
        What the drive fell by, as in ManyNeeds, and 0.5 for home at night: the body's centre
        within 0.5 m of the nest. In [-1, 1.5].

    Termination:
        Death: a need at 0, or not home within 1.5 x the time of the straight line plus 4 steps
        from dusk. Truncated as the fourth day begins.

    Score:
        The share of the three days that were kept: lived through, nights included, with a mean
        drive of 0.13 or less. The oracle's is 0.75 or more; it is not the best there could be, and
        the observer, which waits near the nest while nothing is asked for, does a little better.
        Success is to keep all.

    Levels:
        ===== ======= ====== ====== =================================== ======
        level patches caches nights problems                            chance
        ===== ======= ====== ====== =================================== ======
        0     2       3      no     caches and needs                    0.65
        1     0       3      yes    caches and the way home             0.15
        2     3       0      yes    needs and the way home              0.56
        3     2       3      yes    all of them                         0.64
        ===== ======= ====== ====== =================================== ======

        The default is level 3. Each patch fills a need of its own, by the rules of ManyNeeds, and
        is ripe in the time in which its need sinks by 0.58 to 0.7; the caches together fill one
        more need. An item is asked for: contact with its cache gives a meal of 0.7, with another
        one nothing, and then none is asked for until two thirds of a meal are used up. Needs lose
        0.011 to 0.016 in a step, drawn for each episode, also in the 8 steps of sleep. A day has
        28 to 40 steps of light. The ring has a radius of 1.9 to 2.2 m and its middle is 0.9 to
        1.15 m from the nest. Items are six numbers, uniform in [-1, 1]; which cache has which is
        drawn for each episode, and so is all else.

    Out of distribution:
        A longer night, of 12 steps of sleep, and items of six signs, each -1 or 1.

    Problem:
        Several problems in one life: path integration, episodic memory and competing drives share
        one body, one memory and one day, so that what trains which area matters.

    Shortcuts:
        By day the sites are landmarks; in the dark nothing but the body's own motion tells where
        it is. Measured: staying in the nest; living off one site; going to the site of the lowest
        need, ripe or not; going to any cache; staying where night falls; and walking to the middle
        of the sites. Each does all else as the observer does, and each level has those that lack
        something it poses. Chance is near the best of them, within 0.06: serving the lowest need,
        and at level 1 going to any cache.

    Source:
        Clayton & Dickinson 1998, Episodic-like memory during cache recovery by scrub jays;
        Keramati & Gutkin 2014, Homeostatic reinforcement learning; Mittelstaedt & Mittelstaedt
        1980, Homing by path integration in a mammal; Marblestone, Wayne & Kording 2016, Toward
        an integration of deep learning and neuroscience.
    """

    problem: ClassVar[str] = "path integration + episodic memory + competing drives"
    levels: ClassVar[tuple[Life, ...]] = (  # type: ignore[assignment]
        Life(chance=0.65, patches=2, caches=3, nights=False),
        Life(chance=0.15, patches=0, caches=3, nights=True),
        Life(chance=0.56, patches=3, caches=0, nights=True),
        Life(chance=0.64, patches=2, caches=3, nights=True),
    )
    default_level = 3
    reward_range = (-1.0, 1.5)
    oracle_bar = 0.75
    observer_policy = Settler
    body = Body(motor_forward=0.2, motor_turn=0.25, egomotion_forward=0.01, egomotion_turn=0.0025)

    days = 3
    lit_steps = 2
    day_steps = (28, 41)
    night_steps = 28
    sleep, ood_sleep = 8, 12
    home_radius = 0.5
    home_reward = 0.5
    low = 0.13
    rates = (0.011, 0.016)
    cache_yield = 1.5
    item_size = 6
    queries = 24
    ring = (1.9, 2.2, 0.15)
    yields = (1.0, 1.2)
    off = (0.9, 1.15)

    def __init__(self, level: int | None = None, ood: bool = False) -> None:
        Task.__init__(self, level, ood)
        setting = self.levels[self.level]
        self.patches, self.caches, self.nights = setting.patches, setting.caches, setting.nights
        # A site that fills no need of its own has a place among the needs that reads zero.
        self.needs = self.n_shapes = self.patches + self.caches
        self.fed = self.patches + (self.caches > 0)
        longest = self.lit_steps * self.caches + self.day_steps[1] + self.nights * self.night_steps
        self.horizon = self.days * longest
        self.colors = senses.hue(np.arange(self.n_shapes) * (360.0 / self.n_shapes))
        poses = {"needs": self.fed > 1, "caches": self.caches > 0, "nights": self.nights}
        self.shortcuts = {name: make for name, (part, make) in HEURISTICS.items() if poses[part]}

    def fields(self) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """Needs and patches as in ManyNeeds; caches, what is asked of them, and the day.

        The last of the needs is the caches', whose ``age`` counts the steps since an answer.
        item: of each cache. order: of showing. query: the caches asked for. asked: answers so far.
        daylight: steps of each day. phase: showing, day or night. due: the step it ends. dawn:
        step at which this day began. day, kept: days over, and those of them that were kept.
        """
        each, whole = ((self.fed,), np.float32), ((), np.int64)
        return {
            "need": each, "rate": each, "age": each, "ripens": each,
            "drive": ((), np.float32), "burden": ((), np.float64), "dead": ((), np.bool_),
            "item": ((self.caches, self.item_size), np.float32),
            "order": ((self.caches,), np.int64),
            "query": ((self.queries,), np.int64), "asked": whole,
            "daylight": ((self.days,), np.int64),
            "phase": whole, "day": whole, "kept": whole,
            "dawn": whole, "due": ((), np.float32),
        }  # fmt: skip

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """A ring of sites about a middle off the nest, and what will be asked for."""
        n, (near, far, jitter) = self.n_shapes, self.ring
        place = rng.permutation(n) + rng.uniform(-jitter, jitter, (n,))
        angle = place.astype(np.float32) * np.float32(2 * np.pi / n)
        bearing = rng.uniform(-np.pi, np.pi)[:, None] + angle
        middle = rng.uniform(*self.off)[:, None] * rng.direction()
        spot = rng.uniform(near, far, (n,))[..., None] * unit(bearing)
        world.shape_position[which] = middle[:, None] + spot
        world.shape_radius[which] = self.radius
        world.shape_color[which] = self.colors
        world.rate[which] = rate = rng.uniform(*self.rates, (self.fed,))
        yields = rng.uniform(*self.yields, (self.fed,))
        if self.caches:
            yields[:, self.patches] = self.cache_yield
            world.item[which] = self._items(rng)
            world.order[which] = rng.permutation(self.caches)
            world.query[which] = rng.integers(0, self.caches, (self.queries,))
        world.ripens[which] = ripens = np.float32(self.metabolism.meal) / (rate * yields)
        world.age[which] = ripens
        world.need[which] = rng.uniform(*self.start, (self.fed,))
        world.daylight[which] = rng.integers(*self.day_steps, (self.days,))
        world.drive[which] = self.metabolism.drive(world.need[which])
        world.heading[which] = rng.uniform(-np.pi, np.pi)
        self._dawn(world, which)

    def _items(self, rng: Streams) -> Floats:
        """An item for each cache, (R, K, 6)."""
        if not self.ood:
            return rng.uniform(-1.0, 1.0, (self.caches, self.item_size))
        return rng.patterns(self.caches, self.item_size)

    def _dawn(self, world: World, rows: Ints) -> None:
        """A new day; the caches are shown, if there are any."""
        if not self.nights:
            world.position[rows] = 0.0
        world.light[rows] = 1.0
        world.dawn[rows] = world.elapsed[rows]
        world.burden[rows] = 0.0
        world.phase[rows] = SHOWING
        if self.caches:
            world.free[rows] = False
            self._light(world, rows)
        else:
            self._begin(world, rows)
        self._show(world, rows)

    def _light(self, world: World, rows: Ints) -> None:
        """Light the cache whose turn it is."""
        turn = (world.elapsed[rows] - world.dawn[rows]) // self.lit_steps
        lit = world.order[rows, turn]
        world.shape_visible[rows] = False
        world.shape_visible[rows, self.patches + lit] = True
        world.cue[rows, : self.item_size] = world.item[rows, lit]
        world.due[rows] = world.elapsed[rows] + self.lit_steps

    def _begin(self, world: World, rows: Ints) -> None:
        """Day breaks."""
        world.phase[rows] = DAY
        world.free[rows] = True
        world.shape_visible[rows] = world.shape_touchable[rows] = True
        # Time is up as the day after the last begins: no length of it is ever seen.
        steps = world.daylight[rows, world.day[rows] % self.days]
        world.due[rows] = world.elapsed[rows] + steps

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        """Needs sink while the body is up, sites are eaten by day, and dawn follows night."""
        p, day = self.patches, world.phase == DAY
        up = world.phase != SHOWING
        rate = world.rate * up[:, None]
        eats = world.contact[:, :p] & day[:, None]
        patches = world.need[:, :p], world.age[:, :p], rate[:, :p], world.ripens[:, :p], eats
        self.metabolism.live(*patches)
        if self.caches:
            self._cache(world, rate[:, p], day, up)
        reward = self._feel(world, up)
        lives = ~world.dead & (world.day < self.days)
        home = lives & (world.phase == NIGHT) & (length(world.position) <= self.home_radius)
        reward[home] += self.home_reward
        due = np.flatnonzero(lives & (home | (world.elapsed >= world.due)))
        if due.size:
            phase = world.phase[due]
            self._go_on_showing(world, due[phase == SHOWING])
            dusk = due[phase == DAY]
            if self.nights:
                self._dusk(world, dusk)
            over = due[phase == NIGHT] if self.nights else dusk
            reward[over] += self._end(world, over, home[over] | (not self.nights))
        self._show(world, world.rows)
        return reward, world.dead.copy()

    def timed_out(self, world: World) -> Bools:
        """The days are over; those who live have not died, so a value may go on from there."""
        return super().timed_out(world) | ((world.day >= self.days) & ~world.dead)  # type: ignore[no-any-return]

    def _cache(self, world: World, rate: Floats, day: Bools, up: Bools) -> None:
        """The caches' need sinks; contact with any of them answers what is asked."""
        p = self.patches
        touched = world.contact[:, p:]
        asks = day & (world.age[:, p] >= world.ripens[:, p])
        answers = asks & np.logical_or.reduce(touched, axis=1)
        right = answers & touched[world.rows, world.query[world.rows, world.asked]]
        level = world.need[:, p] - rate + np.float32(self.metabolism.meal) * right
        world.need[:, p] = np.maximum(np.minimum(level, np.float32(1.0)), np.float32(0.0))
        world.age[:, p] += up
        world.age[answers, p] = 0.0
        world.asked[answers] = (world.asked[answers] + 1) % self.queries

    def _feel(self, world: World, up: Bools) -> npt.NDArray[Any]:
        """What the drive fell by, (N,)."""
        drive = self.metabolism.drive(world.need)
        dead = np.logical_or.reduce(world.need <= 0.0, axis=1)
        drive[dead] = 1.0
        fell: npt.NDArray[Any] = (world.drive - drive).astype(np.float64)
        world.drive[:] = drive
        world.burden += drive * up
        world.dead |= dead
        return fell

    def _go_on_showing(self, world: World, rows: Ints) -> None:
        """The next cache lights up, or day breaks."""
        done = world.elapsed[rows] - world.dawn[rows] >= self.lit_steps * self.caches
        self._begin(world, rows[done])
        if self.caches:
            self._light(world, rows[~done])

    def _dusk(self, world: World, rows: Ints) -> None:
        """The light goes out, and the way home is due."""
        world.phase[rows] = NIGHT
        world.light[rows] = 0.0
        world.shape_visible[rows] = world.shape_touchable[rows] = False
        straight = length(world.position[rows]) / np.float32(self.body.speed)
        world.due[rows] = world.elapsed[rows] + np.floor(np.float32(1.5) * straight + 4)

    def _end(self, world: World, rows: Ints, home: Bools) -> npt.NDArray[Any]:
        """The day is over: the body sleeps, or dies outside. What the drive fell by, (R,)."""
        steps = world.elapsed[rows] - world.dawn[rows] - self.lit_steps * self.caches
        sleep = np.float32(self.ood_sleep if self.ood else self.sleep)
        within = world.burden[rows] <= self.low * steps
        world.day[rows] += 1
        world.need[rows] = np.maximum(world.need[rows] - sleep * world.rate[rows], 0.0)
        world.age[rows] += sleep
        before = world.drive[rows].astype(np.float64)
        dead = ~home | np.logical_or.reduce(world.need[rows] <= 0.0, axis=1)
        drive = np.where(dead, np.float32(1.0), self.metabolism.drive(world.need[rows]))
        world.drive[rows], world.dead[rows] = drive, dead
        world.kept[rows] += within & ~dead
        self._dawn(world, rows[~dead])
        fell: npt.NDArray[Any] = before - drive
        return fell

    def _show(self, world: World, rows: Ints) -> None:
        """Needs, odours and ripeness, and the item asked for by day."""
        p = self.patches
        world.interoception[rows, : self.fed] = world.need[rows]
        gap = world.shape_position[rows] - world.position[rows, None]
        reach = np.float32(self.odour**2)
        odour = reach / (reach + gap[..., 0] ** 2 + gap[..., 1] ** 2)
        # Two odours from places that are known from the nest would tell the way home by night.
        world.smell[rows, :p] = odour[:, :p] * world.light[rows, None]
        ripe = self.metabolism.gives(world.age[rows, :p], world.ripens[rows, :p])
        bright = np.float32(self.dim) + ripe * np.float32((1 - self.dim) / self.metabolism.meal)
        world.shape_color[rows, :p] = self.colors[:p] * bright[..., None]
        if self.caches:
            free = world.phase[rows] != SHOWING
            rows = rows[free]
            asks = (world.phase[rows] == DAY) & (world.age[rows, p] >= world.ripens[rows, p])
            item = world.item[rows, world.query[rows, world.asked[rows]]]
            world.cue[rows, : self.item_size] = item * asks[:, None]

    def score(self, world: World) -> npt.NDArray[Any]:
        """Share of the days that were kept."""
        return np.asarray(world.kept / self.days, np.float64)

    def success(self, world: World) -> Bools:
        """All days kept."""
        kept: Bools = world.kept == self.days
        return kept

    def oracle(self, world: World) -> Floats:
        """Plans by day with the true state, and walks straight home at night."""
        p = self.patches
        at = world.shape_position[:, :p]
        if self.caches:
            asked = world.shape_position[world.rows, p + world.query[world.rows, world.asked]]
            # No cache is as near to all the others as the nest is.
            asks = world.age[:, p] >= world.ripens[:, p]
            at = np.concatenate((at, (asked * asks[:, None])[:, None]), 1)
        spot = self.as_seen(world, at)
        action = self.head(spot, world.need, world.age, world.rate, world.ripens)[1]
        night = world.phase == NIGHT
        action[night] = self.toward(world, np.zeros_like(world.position))[night]
        action[~world.free] = 0.0
        return action

    def scene(self, world: World, index: int) -> dict[str, Any]:
        """The nest, the needs, the caches' items, and the day."""
        phase = ("dawn", "day", "night")[int(world.phase[index])]
        items = np.full((self.n_shapes, self.item_size), np.nan, np.float32)
        items[self.patches :] = world.item[index]
        day, caption = int(world.day[index]) + 1, "the days are over"
        if world.dead[index]:
            caption = "dead"
        elif day <= self.days:
            caption = f"day {day} of {self.days}: {phase}"
        hints: dict[str, Any] = {
            "markers": [("nest", 0.0, 0.0, self.home_radius)],
            "needs": world.need[index, : self.fed],
            # The caches share a need: it takes the colour of the first.
            "need_colors": self.colors[: self.fed],
            "setpoint": self.metabolism.setpoint,
            "items": items,
            "caption": caption,
        }
        if self.caches and phase == "day":
            hints["target"] = self.patches + int(world.query[index, world.asked[index]])
        return hints
