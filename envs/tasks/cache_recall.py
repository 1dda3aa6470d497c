"""CacheRecall: episodic memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs import senses
from motley.envs.streams import Bools, Floats, Ints, Streams, unit
from motley.envs.task import Level, Task
from motley.envs.tasks.cache_recall_policies import HEURISTICS, Recaller
from motley.envs.world import World


@dataclass(frozen=True)
class Caches(Level):
    """A level: number of sites, and whether the items are the same in all episodes."""

    sites: int
    fixed: bool


class CacheRecall(Task):
    """Remember which item was cached at which site.

    Goal:
        See one item at each of K sites, once; then, shown an item, go to its site.

    Picture:
        K discs of different colours stand in a ring round the body. While the body is held, one
        site after another lights up, in random order, each for 2 steps, with its item as the
        cue; the others are then out of sight. After that all sites are in view, an item is the
        cue, and the body is free. At the first contact with a site, or after 10 steps, the body
        is back in the middle, headed as at the start, and the next of 4 items is asked for.

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
                                  exact; without being carried back
        touch     (1,)    [0, 1]  1 in the step in which a site was touched, right or wrong
        cue       (8,)    [-1, 1] the item of the lit site, or the item that is asked for
        go        (1,)    [0, 1]  1 while the body is free, 0 while it is held
        ========= ======= ======= ==========================================================

        smell (8,), interoception (8,) and proprioception (4,) read zero.

    Reward:
        1 for contact with the site of the item asked for; nothing else. A body that touches two
        sites in one step has touched the nearer one.

    Termination:
        After the fourth query, which is after 2 K + 40 steps at the latest.

    Score:
        The fraction of the 4 queries that were right; the oracle's is 0.95 or more. Success is
        a score of 1.

    Levels:
        ===== ======= ======================================== ======
        level K sites items                                    chance
        ===== ======= ======================================== ======
        0     4       the same four in every episode           0.25
        1     2       fresh: eight numbers, uniform in [-1, 1] 0.50
        2     4       fresh                                    0.25
        3     6       fresh                                    0.17
        4     10      fresh                                    0.10
        ===== ======= ======================================== ======

        The default is level 2. Which item lies where, which colour stands where, and the order
        of showing are drawn anew in every episode, at level 0 too. Sites have K
        equally spaced hues. Up to 6 stand 1.5 to 2 m away, with a radius of 0.4 m and bearings
        jittered by a fifth of the spacing; more, so that they do not hide each other and the
        same body can reach each, 1.7 to 1.8 m away, with a radius of 0.28 m and a tenth.

    Out of distribution:
        Four more sites (chance is 1 / (K + 4)), and items of eight signs, each -1 or 1.

    Problem:
        Episodic memory: bind an item to a colour on one showing, several times over, and find
        the one by the other later.

    Shortcuts:
        Chance is going to any site: 1 / K. Queries are drawn with replacement, so that leaving
        out sites visited before does not pay; the body is held while it is shown the items and
        carried back after each query, so that it cannot lean towards one; the lit site is all
        that is in view, and all sites are in view alike later. Measured: a site at random, the
        nearest, the one ahead (leaning towards each lit one while held), the first and the last
        one lit, elimination, and a fixed reading of cue and view (no memory).
        What these leave open is learning from the reward of earlier queries, with no regard to
        what was shown. It takes the same memory, of one's own choices, and is worth more the
        fewer the sites: 0.87 at K = 2, 0.42 at K = 4, 0.24 at K = 6, 0.13 at K = 10.

    Source:
        Clayton & Dickinson 1998, Episodic-like memory during cache recovery by scrub jays;
        Wayne et al. 2018, Unsupervised predictive memory in a goal-directed agent (MERLIN);
        Ritter et al. 2018, Been there, done that: meta-learning with episodic recall.
    """

    problem: ClassVar[str] = "episodic memory"
    levels: ClassVar[tuple[Caches, ...]] = (
        Caches(chance=0.25, sites=4, fixed=True),
        Caches(chance=0.50, sites=2, fixed=False),
        Caches(chance=0.25, sites=4, fixed=False),
        Caches(chance=1 / 6, sites=6, fixed=False),
        Caches(chance=0.10, sites=10, fixed=False),
    )
    default_level = 2
    observer_policy = Recaller
    shortcuts = HEURISTICS

    item_size = 8
    lit_steps = 2
    queries = 4
    query_steps = 10
    wide_ring, narrow_ring = (1.5, 2.0, 0.2, 0.4), (1.7, 1.8, 0.1, 0.28)
    """Nearest and farthest site (m), jitter of bearing (part of spacing), radius of a site (m)."""
    most_on_wide_ring = 6
    ood_sites = 4
    fixed_items = np.array(
        [
            [0.9, 0.3, -0.6, 0.7, -0.2, -0.8, 0.5, 0.1],
            [-0.7, 0.8, 0.4, -0.3, -0.9, 0.2, -0.1, 0.6],
            [0.2, -0.9, 0.7, 0.5, 0.8, -0.4, -0.6, -0.3],
            [-0.4, -0.2, -0.8, -0.9, 0.3, 0.6, 0.7, -0.5],
        ],
        np.float32,
    )

    def __init__(self, level: int | None = None, ood: bool = False) -> None:
        super().__init__(level, ood)
        setting = self.levels[self.level]
        self.sites = self.n_shapes = setting.sites + (self.ood_sites if ood else 0)
        self.fixed = setting.fixed and not ood
        self.ring = self.wide_ring if self.sites <= self.most_on_wide_ring else self.narrow_ring
        self.horizon = self.lit_steps * self.sites + self.query_steps * self.queries
        self.colors = senses.hue(np.arange(self.sites) * (360.0 / self.sites))

    @property
    def chance(self) -> float:
        """What going to any site reaches."""
        return 1 / self.sites

    def fields(self) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """What is where, what is asked for when, and how it went.

        item: of each site. order: of showing. query: the sites asked for. target: the site asked
        for now. asked: queries done. right: queries answered rightly. due: step at which the
        showing goes on or the query ends. start: heading (rad).
        """
        return {
            "item": ((self.sites, self.item_size), np.float32),
            "order": ((self.sites,), np.int64),
            "query": ((self.queries,), np.int64),
            "target": ((), np.int64),
            "asked": ((), np.int64),
            "right": ((), np.int64),
            "due": ((), np.int64),
            "start": ((), np.float32),
        }

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """The sites in a ring round the origin, and what will be asked for."""
        near, far, jitter, radius = self.ring
        spacing = np.float32(2 * np.pi / self.sites)
        places = np.arange(self.sites) + rng.uniform(-jitter, jitter, (self.sites,))
        bearing = rng.uniform(-np.pi, np.pi)[:, None] + spacing * places.astype(np.float32)
        distance = rng.uniform(near, far, (self.sites,))
        world.shape_position[which] = distance[..., None] * unit(bearing)
        world.shape_radius[which] = radius
        world.shape_color[which] = self.colors[rng.permutation(self.sites)]
        world.shape_touchable[which] = True
        world.item[which] = self._items(rng)
        world.order[which] = rng.permutation(self.sites)
        world.query[which] = rng.integers(0, self.sites, (self.queries,))
        world.heading[which] = world.start[which] = rng.uniform(-np.pi, np.pi)
        world.free[which] = False
        self._show(world, which)

    def _items(self, rng: Streams) -> Floats:
        """An item for each site, (R, K, 8)."""
        if self.fixed:
            return self.fixed_items[rng.permutation(self.sites)]
        if not self.ood:
            return rng.uniform(-1.0, 1.0, (self.sites, self.item_size))
        return rng.patterns(self.sites, self.item_size)

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        """Contact with any site ends a query, and so does its last step."""
        reward = np.zeros(world.n)
        # A body that is held is in the middle, out of reach of all sites.
        event = np.logical_or.reduce(world.contact, axis=1)
        event |= world.elapsed >= world.due
        if np.count_nonzero(event):
            rows = np.flatnonzero(event)
            free = world.free[rows]
            answered = rows[free]
            right = self.touched(world, answered, self.sites) == world.target[answered]
            reward[answered] = right
            world.right[answered] += right
            world.asked[answered] += 1
            shown = world.elapsed[rows] >= self.lit_steps * self.sites
            self._ask(world, rows[shown])
            self._show(world, rows[~shown])
        return reward, world.asked >= self.queries

    def _show(self, world: World, rows: Ints) -> None:
        """Light the site whose turn it is."""
        lit = world.order[rows, world.elapsed[rows] // self.lit_steps]
        world.shape_visible[rows] = False
        world.shape_visible[rows, lit] = True
        world.cue[rows] = world.item[rows, lit]
        world.due[rows] = world.elapsed[rows] + self.lit_steps

    def _ask(self, world: World, rows: Ints) -> None:
        """Back to the middle for the next query; held there when none is left."""
        world.position[rows] = 0.0
        world.heading[rows] = world.start[rows]
        world.shape_visible[rows] = True
        world.due[rows] = world.elapsed[rows] + self.query_steps
        more = world.asked[rows] < self.queries
        world.free[rows] = more
        rows = rows[more]
        target = world.query[rows, world.asked[rows]]
        world.target[rows] = target
        world.cue[rows] = world.item[rows, target]

    def score(self, world: World) -> npt.NDArray[Any]:
        """Fraction of the queries that were right."""
        return np.asarray(world.right / self.queries, np.float64)

    def oracle(self, world: World) -> Floats:
        """Straight to the site asked for."""
        action = self.toward(world, world.shape_position[world.rows, world.target])
        action[~world.free] = 0.0
        return action

    def scene(self, world: World, index: int) -> dict[str, Any]:
        """The items, the site asked for, and the phase."""
        hints: dict[str, Any] = {"items": world.item[index]}
        if world.free[index]:
            hints["target"] = int(world.target[index])
            hints["caption"] = f"query {int(world.asked[index]) + 1} of {self.queries}"
        elif world.asked[index] < self.queries:
            turn = int(world.elapsed[index]) // self.lit_steps + 1
            hints["caption"] = f"showing {turn} of {self.sites}"
        else:
            hints["caption"] = "over"
        return hints
