"""GateMaze: gated working memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs import senses
from motley.envs.streams import Bools, Floats, Ints, Streams
from motley.envs.task import Level, Task
from motley.envs.tasks.gate_maze_policies import HEURISTICS, OF_SEVERAL, Gater
from motley.envs.world import World

SIGNS = "123ABCXY"
"""The signs by number; each is one of the cue's eight numbers."""
ONE, TWO, THREE, A, B, C, X, Y = range(8)
BLANK = 8


@dataclass(frozen=True)
class Corridor(Level):
    """A level.

    Attributes:
        pairs: how many open with A, and as many with B and with C.
        nesting: how many pairs lie within one another, besides the outermost.
    """

    pairs: int
    nesting: int


class GateMaze(Task):
    """Keep what counts, in the light of what came before, and let the rest pass.

    Goal:
        Be carried down a corridor past a row of signs, and turn at its fork as they say.

    Picture:
        A corridor with walls leads to a fork with an end to the right and one to the left. The
        body is carried along its middle, headed straight on, 0.2 m a step; each step shows one
        sign. The first is a context, 1, 2 or 3. Pairs follow: each opens with A, B or C and closes
        with X or Y. Under 1, pairs that open with A count, under 2 those with B, under 3 those
        with C; no other does. After 4 steps with no sign the body is at the fork and free to walk:
        right if the pair that counted and closed last closed with X, left if with Y.

    Actions:
        ====== ========================== ===================================================
        number range                      effect in a step of 0.25 s
        ====== ========================== ===================================================
        0      [-1, 1], below 0 is 0      forward speed: 1 is 0.4 m, walked after the turn
        1      [-1, 1]                    turn: 1 is 60 degrees to the left
        ====== ========================== ===================================================

        Out of range is clipped. A body that is carried can neither turn nor swerve nor stop.

    Senses:
        ========= ======= ======= ==========================================================
        name      shape   range   unit
        ========= ======= ======= ==========================================================
        vision    (96,)   [0, 1]  24 rays x [1 - distance / 8 m, red, green, blue]: walls, and
                                  the ends of the fork's arms
        egomotion (3,)    [-1, 1] [forward / 0.8 m, sine, cosine of the turn] of the last step,
                                  exact; being carried is not felt
        touch     (1,)    [0, 1]  1 in a step in which a wall or an end was touched
        cue       (8,)    [-1, 1] 1 at the sign's place among 1, 2, 3, A, B, C, X, Y, else 0
        go        (1,)    [0, 1]  1 at the fork, 0 while the body is carried
        ========= ======= ======= ==========================================================

        smell (8,), interoception (8,) and proprioception (4,) read zero.

    Reward:
        1 for contact with the end of the right arm of the fork, -1 for the wrong one, and -1 when
        the time is up without either, so that going to any arm is better than to none.

    Termination:
        At the first contact with an end, or after 8 steps at the fork.

    Score:
        1 for the right arm, 0 for the wrong one or none; the oracle's is 0.95 or more.

    Levels:
        ===== ====================== ======= ===== ======
        level pairs of A, of B, of C nesting signs chance
        ===== ====================== ======= ===== ======
        0     1 of each              0       7     0.75
        1     2 of each              0       13    0.75
        2     4 of each              0       25    0.69
        3     4 of each              1       25    0.69
        4     5 of each              2       31    0.69
        ===== ====================== ======= ===== ======

        The default is level 1. Nesting 1 puts each second pair around the one before (C A X Y: the
        A-X closes first), nesting 2 each third around two. From level 1 on, and at level 0 out of
        distribution, a pair that counts can replace one that counted before.

    Out of distribution:
        Three times the delay before the fork, and twice the pairs.

    Problem:
        Gated working memory: the context is held to the end; a pair's opening is held until it
        closes; what a pair says is held until the next that counts, while others pass. What a sign
        does to the memory depends on what is in it. One that holds what each opening closed with
        last, three bits in place of one, can leave the context until the fork.

    Shortcuts:
        Heading and side are given, so that the body holds nothing. Context, the order of the
        openings and each closing are drawn apart, so that no sign tells of another: whoever does
        not know which pair counted is right in half of the episodes, and in all of those in which
        what it has is that pair or agrees with it. Measured, each with the context known and with
        the best answer to what it has, tabulated over 4,000 episodes: the last sign and the
        last pair, which is the one that counts in a third; the first pair; every count, of which
        the one asked for is a part (0.75 of three pairs, 0.66 of six). Also: one arm at random; the
        rule as if the context were always 1; the last pair whatever the context; and where several
        count, the first of them, and the closing that most of them have (0.75 of two, 0.69 of four
        or five), which needs all of the memory but what overwrites. Chance is the best of these.

    Source:
        O'Reilly & Frank 2006, Making working memory work: a computational model of learning in
        the prefrontal cortex and basal ganglia (the 1-2-AX task, which this differs from in that
        three openings take turns to count, and in one closing that is asked for in all); Todd, Niv
        & Cohen 2008, Learning to use working memory in partially observable environments through
        dopaminergic reinforcement.
    """

    problem: ClassVar[str] = "gated working memory"
    levels: ClassVar[tuple[Corridor, ...]] = (
        Corridor(chance=0.75, pairs=1, nesting=0),
        Corridor(chance=0.75, pairs=2, nesting=0),
        Corridor(chance=0.69, pairs=4, nesting=0),
        Corridor(chance=0.69, pairs=4, nesting=1),
        Corridor(chance=0.69, pairs=5, nesting=2),
    )
    default_level = 1
    reward_range = (-1.0, 1.0)
    observer_policy = Gater

    delay, fork_steps = 4, 8
    pace = 0.2
    """Metres that the body is carried in a step."""
    half_width, arm, end_radius = 0.5, 0.8, 0.3
    """Metres: of the corridor, from the fork to an end, of an end."""

    def __init__(self, level: int | None = None, ood: bool = False) -> None:
        super().__init__(level, ood)
        setting = self.levels[self.level]
        self.pairs = setting.pairs * (2 if ood else 1)
        delay = self.delay * (3 if ood else 1)
        # Where one pair counts there is no other to be taken for it.
        self.shortcuts = HEURISTICS | (OF_SEVERAL if self.pairs > 1 else {})
        self.openings = np.repeat([A, B, C], self.pairs)
        # Pairs are in the order in which they close; in a nest they open in the reverse of it.
        nest = setting.nesting + 1
        group, place = np.divmod(np.arange(len(self.openings)), nest)
        self.opens = 1 + 2 * nest * group + nest - 1 - place
        self.closes = 1 + 2 * nest * group + nest + place
        self.signs = 1 + 2 * len(self.opens)
        self.walk = self.signs + delay
        self.horizon = self.walk + self.fork_steps
        self.fork = self.pace * self.walk
        self.n_shapes = 2
        self.walls = self._walls()
        self.n_walls = len(self.walls)
        self.cues = np.eye(BLANK + 1, BLANK, dtype=np.float32)
        self.colors = senses.hue(np.array([30.0, 210.0]))

    def _walls(self) -> Floats:
        """Ends of each wall, (8, 4) metres: the corridor's, then those of the fork."""
        side, far, stop = self.half_width, self.arm + self.half_width, self.fork
        near, ahead = stop - side, stop + side
        corridor = [(-side, -side, -side, side)]
        corridor += [(-side, y, near, y) for y in (-side, side)]
        fork = [(near, y, near, y * far / side) for y in (-side, side)]
        fork += [(near, y, ahead, y) for y in (-far, far)]
        return np.array([*corridor, *fork, (ahead, -far, ahead, far)], np.float32)

    def fields(self) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """What is shown when, and what it means.

        sign: at each step before the fork, by number; BLANK in the delay. right: the right arm is
        the right one. answer: 1 right, -1 wrong or too late, 0 none yet.
        """
        return {
            "sign": ((self.walk + 1,), np.int64),
            "right": ((), np.bool_),
            "answer": ((), np.int64),
        }

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """Corridor and fork, and a row of signs."""
        world.shape_position[which] = [[self.fork, -self.arm], [self.fork, self.arm]]
        world.shape_radius[which] = self.end_radius
        world.shape_color[which] = self.colors
        world.shape_visible[which] = world.shape_touchable[which] = True
        world.wall[which] = self.walls
        world.wall_color[which] = 0.5
        pairs = len(self.openings)
        context = rng.integers(ONE, THREE + 1)
        opening = self.openings[rng.permutation(pairs)]
        closing = rng.integers(X, Y + 1, (pairs,))
        # Openings are numbered as the contexts under which they count.
        counts = opening - A == (context - ONE)[:, None]
        last = pairs - 1 - counts[:, ::-1].argmax(1)
        signs = np.full((which.size, self.walk + 1), BLANK)
        signs[:, 0] = context
        signs[:, self.opens] = opening
        signs[:, self.closes] = closing
        world.sign[which] = signs
        world.right[which] = closing[np.arange(which.size), last] == X
        world.cue[which] = self.cues[context]
        world.free[which] = False

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        """Carry the body to the fork; there, contact with an end is the answer."""
        reward = np.zeros(world.n)
        rows = np.flatnonzero(world.elapsed <= self.walk)
        if rows.size:
            now = world.elapsed[rows]
            world.position[rows, 0] = self.pace * now
            world.cue[rows] = self.cues[world.sign[rows, now]]
            world.free[rows] = now == self.walk
        rows = np.flatnonzero((world.contact[:, 0] | world.contact[:, 1]) & (world.answer == 0))
        if rows.size:
            right = world.contact[rows, 0] == world.right[rows]
            reward[rows] = world.answer[rows] = np.where(right, 1, -1)
        late = (world.elapsed == self.horizon) & (world.answer == 0)
        reward[late] = world.answer[late] = -1
        return reward, world.answer != 0

    def score(self, world: World) -> npt.NDArray[Any]:
        """1 for the right arm, else 0."""
        return np.asarray(world.answer > 0, np.float64)

    def oracle(self, world: World) -> Floats:
        """Straight to the right end."""
        action = self.toward(world, world.shape_position[world.rows, 1 - world.right])
        action[~world.free] = 0.0
        return action

    def scene(self, world: World, index: int) -> dict[str, Any]:
        """The context and the present sign, or the phase."""
        caption = f"under context {SIGNS[world.sign[index, 0]]}"
        hints: dict[str, Any] = {"target": int(not world.right[index])}
        sign = int(world.sign[index, min(int(world.elapsed[index]), self.walk)])
        if world.free[index]:
            caption = "at the fork"
        elif sign < BLANK:
            hints["cue_label"] = SIGNS[sign]
        else:
            caption += ", no sign"
        return hints | {"caption": caption}
