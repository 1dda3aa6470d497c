"""GateMaze: gated working memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs import senses
from motley.envs.streams import Bools, Floats, Ints, Streams
from motley.envs.task import Level, Task
from motley.envs.tasks.gate_maze_policies import HEURISTICS, Gater
from motley.envs.world import World

SIGNS = "12ABCXYZ"
"""The signs by number; each is one of the cue's eight numbers."""
ONE, TWO, A, B, C, X, Y, Z = range(8)
BLANK = 8


@dataclass(frozen=True)
class Corridor(Level):
    """A level.

    Attributes:
        pairs: how many begin with A, and as many with B.
        distractors: how many begin with C.
        nesting: how many pairs lie within one another, besides the outermost.
    """

    pairs: int
    distractors: int
    nesting: int


class GateMaze(Task):
    """Keep what counts, in the light of what came before, and let the rest pass.

    Goal:
        Be carried down a corridor past a row of signs, and turn at its fork as they say.

    Picture:
        A corridor with walls leads to a fork with an end to the right and one to the left. The
        body is carried along its middle, headed straight on, 0.2 m a step; each step shows one
        sign. The first is a context, 1 or 2. Pairs follow: each opens with A, B or C and closes
        with X, Y or Z. Under 1, pairs that open with A count, and A-X is a target; under 2, pairs
        that open with B count, and B-Y is a target. Nothing else counts. After 4 steps with no
        sign the body is at the fork and free to walk: right if the pair that counted and closed
        last was a target, left if it was not.

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
        cue       (8,)    [-1, 1] 1 at the sign's place among 1, 2, A, B, C, X, Y, Z, else 0
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
        ===== =============== ================ ======= =============== ======
        level pairs of A, B   pairs of C       nesting signs           chance
        ===== =============== ================ ======= =============== ======
        0     1 of each       2                0       9               0.50
        1     1 of each       4                0       13              0.50
        2     2 of each       8                0       25              0.50
        3     2 of each       8                1       25              0.50
        4     3 of each       9                2       31              0.50
        ===== =============== ================ ======= =============== ======

        The default is level 1. Nesting 1 puts each second pair around the one before (C A X Z: the
        A-X closes first), nesting 2 each third around two. From level 2 on, a pair that counts can
        replace one that counted before.

    Out of distribution:
        Three times the delay before the fork, and twice the pairs of C.

    Problem:
        Gated working memory: the context is held to the end; a pair's opening is held until it
        closes; what a pair says is held until the next that counts, while others pass. What a sign
        does to the memory depends on what is in it.

    Shortcuts:
        Heading and side are given, so that the body holds nothing. In each episode the last A
        pair and the last B pair would send the body to different arms, so that without the
        context every answer is as likely; each sign but the context and the last closes or opens
        as often in every episode, so that counts say nothing; and the last pair is one of C, drawn
        apart. Measured, each with the context known and with the best answer to what it has,
        tabulated over 4,000 episodes: the last sign, the last pair, every count. Also: one arm
        at random, the rule as if the context were always 1, and the last pair of A or B whatever
        the context. Where more than one pair counts, the first of them tells the last one in 0.57
        of the episodes, since targets are drawn without replacement.

    Source:
        O'Reilly & Frank 2006, Making working memory work: a computational model of learning in
        the prefrontal cortex and basal ganglia (the 1-2-AX task); Todd, Niv & Cohen 2008, Learning
        to use working memory in partially observable environments through dopaminergic
        reinforcement.
    """

    problem: ClassVar[str] = "gated working memory"
    levels: ClassVar[tuple[Corridor, ...]] = (
        Corridor(chance=0.50, pairs=1, distractors=2, nesting=0),
        Corridor(chance=0.50, pairs=1, distractors=4, nesting=0),
        Corridor(chance=0.50, pairs=2, distractors=8, nesting=0),
        Corridor(chance=0.50, pairs=2, distractors=8, nesting=1),
        Corridor(chance=0.50, pairs=3, distractors=9, nesting=2),
    )
    default_level = 1
    reward_range = (-1.0, 1.0)
    observer_policy = Gater
    shortcuts = HEURISTICS

    delay, fork_steps = 4, 8
    pace = 0.2
    """Metres that the body is carried in a step."""
    half_width, arm, end_radius = 0.5, 0.8, 0.3
    """Metres: of the corridor, from the fork to an end, of an end."""

    def __init__(self, level: int | None = None, ood: bool = False) -> None:
        super().__init__(level, ood)
        setting = self.levels[self.level]
        distractors = setting.distractors * (2 if ood else 1)
        delay = self.delay * (3 if ood else 1)
        openings = [A, B] * setting.pairs + [C] * (distractors - 1)
        targets = len(openings) // 3
        closings = [X, Y] * targets + [Z] * (len(openings) - 2 * targets)
        self.openings, self.closings = np.array(openings), np.array(closings)
        # Pairs are in the order in which they close; in a nest they open in the reverse of it.
        nest = setting.nesting + 1
        group, place = np.divmod(np.arange(len(openings) + 1), nest)
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
        opening, closing, first = self._pairs(rng)
        context = rng.integers(ONE, TWO + 1)
        signs = np.full((which.size, self.walk + 1), BLANK)
        signs[:, 0] = context
        signs[:, self.opens] = opening
        signs[:, self.closes] = closing
        world.sign[which] = signs
        world.right[which] = first == (context == ONE)
        world.cue[which] = self.cues[context]
        world.free[which] = False

    def _pairs(self, rng: Streams) -> tuple[Ints, Ints, Bools]:
        """Pairs in the order in which they close.

        Opening and closing (R, P), and whether the last A pair is a target (R,); where it is, the
        last B pair is none, and the other way round.
        """
        n, pairs = rng.rows.size, len(self.openings)
        opening, closing = np.full((n, pairs + 1), C), np.empty((n, pairs + 1), np.int64)
        is_target = np.empty(n, np.bool_)
        closing[:, -1] = rng.integers(X, Z + 1)
        left = np.arange(n)
        while left.size:
            order = Streams(rng.counters, rng.rows[left]).uniform(shape=(2, pairs)).argsort(-1)
            o, c = self.openings[order[:, 0]], self.closings[order[:, 1]]
            row, last = np.arange(left.size), pairs - 1
            a = c[row, last - (o == A)[:, ::-1].argmax(1)] == X
            b = c[row, last - (o == B)[:, ::-1].argmax(1)] == Y
            fits = a != b
            done = left[fits]
            opening[done, :-1], closing[done, :-1], is_target[done] = o[fits], c[fits], a[fits]
            left = left[~fits]
        return opening, closing, is_target

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
