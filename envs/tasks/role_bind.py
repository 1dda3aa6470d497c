"""RoleBind: variable binding."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs import senses
from motley.envs.streams import Bools, Floats, Ints, Streams, length, unit
from motley.envs.task import Level, Task
from motley.envs.tasks.role_bind_policies import HEURISTICS, IGNORING, Binder
from motley.envs.world import World

RELATIONS = ("same", "opposite", "other")
SAME, OPPOSITE, OTHER = range(3)


def fillers() -> Floats:
    """Every symbol, (64, 2, 8): eight signs with an even number of -1, and the same turned round.

    Symbols of two pairs differ in two to six of the eight signs. The order is shuffled, once and
    for all: the first pairs are for training, the rest are held out.
    """
    signs = np.array([(1, *rest) for rest in product((1, -1), repeat=7)], np.float32)
    even = signs[np.prod(signs, 1) > 0]
    one = even[np.random.default_rng(8).permutation(len(even))]
    return np.stack((one, -one), 1)


@dataclass(frozen=True)
class Lock(Level):
    """A level.

    Attributes:
        rule: the relation that the right chest has to the lock; "example" shows it.
        chests: how many.
    """

    rule: str
    chests: int


class RoleBind(Task):
    """Open the chest that stands in the right relation to the lock, whatever the symbols are.

    Goal:
        See the lock's symbol, look at the chests' symbols one by one, and open the right chest.

    Picture:
        The body stands in the middle and is held. A yellow lock ahead of it lights up for 2 steps
        and shows its symbol, eight signs; then it goes dark, for 2 steps. At the default level
        two blue tablets, to the left and to the right, have shown a symbol each before, for 2
        steps each. Then the body is free, and red chests that look all alike stand around it,
        0.9 m away, turned anyhow. A chest shows its symbol while the body faces it, within 30
        degrees; one step forward from the middle touches the chest that is faced, and the first
        touched opens.

    Actions:
        ====== ========================== ===================================================
        number range                      effect in a step of 0.25 s
        ====== ========================== ===================================================
        0      [-1, 1], below 0 is 0      forward speed: 1 is 0.4 m, walked after the turn
        1      [-1, 1]                    turn: 1 is 60 degrees to the left
        ====== ========================== ===================================================

        Out of range is clipped; a body that is held does not move. Motion is exact.

    Senses:
        ========= ======= ======= ==========================================================
        name      shape   range   unit
        ========= ======= ======= ==========================================================
        vision    (96,)   [0, 1]  24 rays x [1 - distance / 8 m, red, green, blue]
        egomotion (3,)    [-1, 1] [forward / 0.8 m, sine, cosine of the turn] of the last step,
                                  exact
        touch     (1,)    [0, 1]  1 in the step in which a chest was opened, right or wrong
        cue       (8,)    [-1, 1] the symbol of what is lit or faced; zero where there is none
        go        (1,)    [0, 1]  1 while the body is free, 0 while it is held
        ========= ======= ======= ==========================================================

        smell (8,), interoception (8,) and proprioception (4,) read zero.

    Reward:
        1 for opening the right chest; nothing else.

    Termination:
        When a chest is opened. Truncated 16 steps after the body is free.

    Score:
        1 for the right chest, 0 for a wrong one or none; the oracle's is 0.95 or more.

    Levels:
        ===== ====== ===================================================== ======
        level chests the right one has                                     chance
        ===== ====== ===================================================== ======
        0     4      the lock's symbol; the others have other ones         0.25
        1     2      another symbol than the lock, which the other one has 0.50
        2     4      the relation to the lock that the second tablet has   0.33
                     to the first: same, opposite or other
        ===== ====== ===================================================== ======

        The default is level 2. A symbol is opposite to the one with all signs turned round; other
        symbols differ in two to six signs. At level 2 the chests are two pairs of opposites, of
        which one is the lock's: one chest is the same as the lock, one is opposite, and either of
        the two others will do where "other" is asked for. There are 64 pairs of opposite symbols;
        16 of the pairs are used. Those of an episode, of the lock, of the tablets and of the other
        chests, are drawn anew and are different pairs.

    Out of distribution:
        The 48 pairs of symbols that are not used otherwise.

    Problem:
        Variable binding: lock, tablet and chest are roles, and the rule holds between whatever
        fills them. One who has learnt the rule as such is as good with symbols never met before.

    Shortcuts:
        Nothing is on view together with what it must be compared to, so that no dot product of
        what is seen can tell. Chance is any chest; at level 2, one in four or, where "other" is
        asked for, two. Each chest has its opposite beside it there, so that what chests are to each
        other does not tell which of them is like the lock. Measured: the first chest faced, the
        second, a chest by a fixed reading of its symbol; and where tablets show the relation,
        each of the three relations without regard to them, that relation to the first chest faced
        instead of the lock, and likeness to the second tablet instead of the lock.

    Source:
        Webb, Sinha & Cohen 2021, Emergent symbols through binding in external memory (same or
        different, relational match to sample); Marcus 2001, The algebraic mind; Premack 1983, The
        codes of man and beasts.
    """

    problem: ClassVar[str] = "variable binding"
    levels: ClassVar[tuple[Lock, ...]] = (
        Lock(chance=0.25, rule="same", chests=4),
        Lock(chance=0.50, rule="other", chests=2),
        Lock(chance=1 / 3, rule="example", chests=4),
    )
    default_level = 2
    observer_policy = Binder

    show_steps, dark_steps, free_steps = 2, 2, 16
    training_pairs = 16
    distance, lock_distance, radius = 0.9, 2.0, 0.35
    """Metres: of chests from the middle, of lock and tablets from it, and the size of all."""
    facing = float(np.sqrt(3) / 2)
    """Cosine of the angle within which a chest is faced."""
    tablet_angle = float(np.pi / 4)
    """Radians from straight ahead."""

    def __init__(self, level: int | None = None, ood: bool = False) -> None:
        super().__init__(level, ood)
        setting = self.levels[self.level]
        self.rule, self.chests = setting.rule, setting.chests
        self.shortcuts = HEURISTICS | (IGNORING if self.rule == "example" else {})
        symbols = fillers()
        self.symbols = symbols[self.training_pairs :] if ood else symbols[: self.training_pairs]
        # Shapes: the lock, the chests, and the tablets.
        tablets = 2 if self.rule == "example" else 0
        self.n_shapes = 1 + self.chests + tablets
        self.order = np.array([*range(1 + self.chests, self.n_shapes), 0])
        self.held = self.show_steps * len(self.order) + self.dark_steps
        self.horizon = self.held + self.free_steps
        self.colors = np.concatenate(
            (
                senses.hue(np.array([50.0])),
                np.repeat(senses.hue(np.array([20.0])), self.chests, 0),
                np.repeat(senses.hue(np.array([200.0])), tablets, 0),
            )
        )

    def fields(self) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """What is what.

        symbol: of each shape. relation: that is asked for, an index of RELATIONS. right: which
        shapes are a right chest. opened: the shape of the chest that was opened, 0 for none.
        """
        return {
            "symbol": ((self.n_shapes, 8), np.float32),
            "relation": ((), np.int64),
            "right": ((self.n_shapes,), np.bool_),
            "opened": ((), np.int64),
        }

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """Places and symbols of lock, chests and tablets."""
        n, k = which.size, self.chests
        heading = rng.uniform(-np.pi, np.pi)
        turned = rng.uniform(-np.pi, np.pi, (1,)) + np.arange(k) * np.float32(2 * np.pi / k)
        angle = np.repeat(heading[:, None], self.n_shapes, 1)
        angle[:, 1 : 1 + k] = turned
        angle[:, 1 + k :] += np.array([1, -1])[: self.n_shapes - 1 - k] * self.tablet_angle
        away = np.full((self.n_shapes, 1), self.lock_distance, np.float32)
        away[1 : 1 + k] = self.distance
        world.shape_position[which] = away * unit(angle)
        world.shape_radius[which] = self.radius
        world.shape_color[which] = self.colors
        world.heading[which] = heading
        world.free[which] = False

        pairs = rng.permutation(len(self.symbols))
        signs = rng.integers(0, 2, (4,))
        drawn = self.symbols[pairs[:, :4], signs]
        kind = rng.integers(0, 3) if self.rule == "example" else RELATIONS.index(self.rule)
        relation = np.broadcast_to(kind, n)
        lock, other = drawn[:, 0], drawn[:, 1]
        if self.rule == "example":
            chests = np.stack((lock, -lock, other, -other), 1)
            relations = np.array([SAME, OPPOSITE, OTHER, OTHER])
        elif self.rule == "same":
            chests, relations = drawn, np.array([SAME, OTHER, OTHER, OTHER])
        else:
            chests, relations = drawn[:, :2], np.array([SAME, OTHER])
        place = 1 + rng.permutation(k)
        world.symbol[which, 0] = lock
        world.symbol[which[:, None], place] = chests
        world.right[which[:, None], place] = relations == relation[:, None]
        world.relation[which] = relation
        if self.rule == "example":
            first, another = drawn[:, 2], drawn[:, 3]
            second = np.stack((first, -first, another), 1)[np.arange(n), relation]
            world.symbol[which, 1 + k], world.symbol[which, 2 + k] = first, second
        self._show(world, which)

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        """Show what is to be shown; a chest that is touched opens."""
        reward = np.zeros(world.n)
        rows = np.flatnonzero(world.elapsed <= self.held)
        if rows.size:
            self._show(world, rows)
        contact = world.contact[:, 1 : 1 + self.chests]
        rows = np.flatnonzero(np.logical_or.reduce(contact, axis=1) & world.free)
        if rows.size:
            way = world.shape_position[rows, 1 : 1 + self.chests] - world.position[rows, None]
            gap = length(way)
            gap[~contact[rows]] = np.inf
            world.opened[rows] = 1 + gap.argmin(1)
            world.free[rows] = False
            reward[rows] = world.right[rows, world.opened[rows]]
        rows = np.flatnonzero(world.free)
        if rows.size:
            self._face(world, rows)
        return reward, world.opened > 0

    def _show(self, world: World, rows: Ints) -> None:
        """Light what has its turn; after that all is dark, and then the chests are there."""
        turn = world.elapsed[rows] // self.show_steps
        world.shape_visible[rows] = False
        world.cue[rows] = 0.0
        lit = rows[turn < len(self.order)]
        shown = self.order[turn[turn < len(self.order)]]
        world.shape_visible[lit, shown] = True
        world.cue[lit] = world.symbol[lit, shown]
        free = rows[world.elapsed[rows] == self.held]
        world.shape_visible[free, 1 : 1 + self.chests] = True
        world.shape_touchable[free, 1 : 1 + self.chests] = True
        world.free[free] = True

    def _face(self, world: World, rows: Ints) -> None:
        """The cue is the symbol of the chest that is faced, if one is."""
        way = world.shape_position[rows, 1 : 1 + self.chests] - world.position[rows, None]
        ahead = unit(world.heading[rows])[:, None]
        cosine = (way[..., 0] * ahead[..., 0] + way[..., 1] * ahead[..., 1]) / length(way)
        chest = cosine.argmax(1)
        faced = cosine[np.arange(rows.size), chest] >= self.facing
        world.cue[rows] = world.symbol[rows, 1 + chest] * faced[:, None]

    def score(self, world: World) -> npt.NDArray[Any]:
        """1 if a right chest was opened."""
        return np.asarray(world.right[world.rows, world.opened], np.float64)

    def oracle(self, world: World) -> Floats:
        """Straight to a right chest."""
        action = self.toward(world, world.shape_position[world.rows, world.right.argmax(1)])
        action[~world.free] = 0.0
        return action

    def scene(self, world: World, index: int) -> dict[str, Any]:
        """The symbols, the phase, and once the chests are there the one that the oracle takes."""
        tablets = range(1 + self.chests, self.n_shapes)
        names = {0: "lock"} | {tablet: f"tablet {k}" for k, tablet in enumerate(tablets, 1)}
        hints = {"items": world.symbol[index], "labels": names}
        if world.elapsed[index] >= self.held:
            wanted = RELATIONS[world.relation[index]]
            caption = f"wanted: {wanted}{' symbol' if wanted == 'other' else ''}"
            return hints | {"target": int(world.right[index].argmax()), "caption": caption}
        lit = np.flatnonzero(world.shape_visible[index])
        caption = f"shown: {names[int(lit[0])]}" if lit.size else "dark"
        return hints | {"absent": range(1, 1 + self.chests), "caption": caption}
