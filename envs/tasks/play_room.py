"""PlayRoom: play before reward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs import senses
from motley.envs.streams import Bools, Floats, Ints, Streams, length, unit
from motley.envs.task import Level, Policy, Task
from motley.envs.tasks.play_room_policies import HEURISTICS, Bringer, Tryer, approach
from motley.envs.world import World

BALL, PENDULUM, BLOCK, SCREEN = range(4)
"""The shapes of a world, in their order."""


@dataclass(frozen=True)
class Toys(Level):
    """A level: how many things there are besides the screen."""

    things: int


class PlayRoom(Task):
    """Play with things that can be learnt, and use them when it counts.

    Goal:
        ``phase=1``: none; play. ``phase=2``: bring the ball or the pendulum, as the cue says, to a
        place.

    Picture:
        A room of 6 m with things of one size at one distance round the body: a ball that rolls on
        when pushed, a pendulum whose bob swings to and fro over its foot, a block that nothing
        moves, and (``screen=True``) a screen that shows another random colour at each step. What is
        pushed moves along the body's heading, or away from the body where it is touched with
        the side; the ball then rolls on, less the heavier it is, and a pendulum that is held
        does not swing. A kerb 1 m before the walls holds ball and pendulum. Things pass each
        other.

    Actions:
        ====== ========================== ===================================================
        number range                      effect in a step of 0.25 s
        ====== ========================== ===================================================
        0      [-1, 1], below 0 is 0      forward speed: 1 is 0.4 m, walked after the turn
        1      [-1, 1]                    turn: 1 is 60 degrees to the left
        ====== ========================== ===================================================

        Out of range is clipped. Motion is exact; walls, block and screen hold the body.

    Senses:
        ============== ======= ======= =====================================================
        name           shape   range   unit
        ============== ======= ======= =====================================================
        vision         (96,)   [0, 1]  24 rays x [1 - distance / 8 m, red, green, blue]
        egomotion      (3,)    [-1, 1] [forward / 0.8 m, sine, cosine of the turn] of the last
                                       step, exact
        touch          (1,)    [0, 1]  1 in a step with contact
        smell          (8,)    [0, 1]  0
        interoception  (8,)    [0, 1]  0
        proprioception (4,)    [-1, 1] 0
        cue            (8,)    [-1, 1] phase 2: 1 for the ball, 1 for the pendulum, the place's
                                       (ahead, left) / 8 m from the body; the rest, and all of
                                       it in phase 1, 0
        go             (1,)    [0, 1]  1
        ============== ======= ======= =====================================================

    Reward:
        Phase 1: nothing. Phase 2: 0.2 for the first contact with the thing asked for, and 0.8 when
        its middle (the pendulum's foot) is within 0.6 m of the place.

    Termination:
        Phase 2: when the thing is in its place, or the other one is. Else after 60 steps, at which
        an episode is truncated.

    Score:
        Phase 2: 1 for the thing brought. Phase 1, which asks for nothing: attention, the share
        of the second half of the episode in which the body is within 1.2 m of the middle of
        ball or pendulum, and no block or screen is nearer. The oracle's is 0.95 or more.

    Levels:
        ===== =============================== ======
        level things                          chance
        ===== =============================== ======
        0     ball or pendulum, drawn         0.50
        1     ball and pendulum               0.50
        2     ball, pendulum and block        0.50
        ===== =============================== ======

        The default is level 2, phase 2, no screen. Where what lies is drawn anew in every episode,
        and so are the ball's mass (1 to 2), the direction of the swing, what is asked for, and the
        place, 0.7 to 1 m from the middle and 1.1 m or more from every thing. In phase 1 chance
        is 1: no behaviour is wrong. ``shuffled=True`` is a control: ball, pendulum and block trade
        their colours in each episode, so that what was learnt of a thing by its looks is of no
        use, and it has to be tried.

    Out of distribution:
        A ball of mass 0.5, which rolls at least twice as far.

    Problem:
        Play before reward: what is learnt of things in a time without reward (how a ball rolls,
        how a pendulum swings) is to pay when reward comes, and a drive to play must not be
        caught by noise. Phases are switched by the agent's age: the task reads its attribute
        ``phase`` when a world is laid out, so that every episode that begins later is of the new
        phase. From a callback of SB3, at an age or by a schedule over age::

            class GrowUp(BaseCallback):
                phase = ramp(1, 2, begin=200_000, finish=200_000)  # motley.costs

                def _on_step(self):
                    task = self.training_env.get_attr("task")[0]
                    task.phase = int(self.phase.at(self.num_timesteps))
                    return True

        Levels, chance and score01 are those of the phase that the task was made with.

    Shortcuts:
        Chance in phase 2 is loving the ball (or the pendulum) whatever is asked for: one half.
        Bringing one after the other does not pay, since the wrong one ends the episode.
        Also measured: pushing the right thing straight ahead wherever the place is, bringing it
        to where the body began, bringing the nearest, staring at the screen or the block,
        standing still. All things are of one size, at one distance, in any order.

    Source:
        Haber, Mrowca, Wang, Fei-Fei & Yamins 2018, Learning to play with intrinsically-motivated,
        self-aware agents; Oudeyer, Kaplan & Hafner 2007, Intrinsic motivation systems for
        autonomous mental development; Burda et al. 2018, Large-scale study of curiosity-driven
        learning (the noisy screen).
    """

    problem: ClassVar[str] = "play"
    levels: ClassVar[tuple[Toys, ...]] = (
        Toys(chance=0.50, things=1),
        Toys(chance=0.50, things=2),
        Toys(chance=0.50, things=3),
    )
    default_level = 2
    variants = tuple(
        {"phase": phase, "screen": screen, "shuffled": shuffled}
        for shuffled in (False, True)
        for phase in (2, 1)
        for screen in (False, True)
    )

    half_room, kerb = 3.0, 2.0
    thing_radius, thing_distance, jitter = 0.35, np.float32(1.7), 0.08
    place_radius, place_distance = 0.6, (0.7, 1.0)
    masses, ood_mass = (1.0, 2.0), 0.5
    friction = 0.7
    swing, period = 0.25, 8
    attention_radius = 1.2
    contact_reward, place_reward = 0.2, 0.8
    colors = np.concatenate([senses.hue(np.array([20.0, 200.0, 110.0])), np.ones((1, 3))])
    wall_gray = 0.45

    def __init__(
        self,
        level: int | None = None,
        ood: bool = False,
        phase: int = 2,
        screen: bool = False,
        shuffled: bool = False,
    ) -> None:
        super().__init__(level, ood)
        if phase not in (1, 2):
            raise ValueError(f"PlayRoom has phase 1 (play) and 2 (reward), not {phase!r}")
        self.phase, self.screen, self.shuffled = int(phase), bool(screen), bool(shuffled)
        self.things = self.levels[self.level].things
        self.n_shapes, self.n_walls = 4, 4
        self.horizon = 60
        self.reach = self.thing_radius + self.body.radius

    @property
    def chance(self) -> float:
        """Of loving the ball; in phase 1 nothing is wrong."""
        return 1.0 if self.phase == 1 else super().chance

    @property
    def variant(self) -> dict[str, Any]:
        """The phase, whether there is a screen, and whether looks tell nothing."""
        return {"phase": self.phase, "screen": self.screen, "shuffled": self.shuffled}

    def fields(self) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """What rolls and swings, and what is asked for.

        present: of the four things. rolling: the ball's way (m a step). mass: the ball's. foot: of
        the pendulum (m). beat: cosine and sine of the swing's phase. along: the swing's direction,
        a unit vector. held: the body holds the pendulum. playing: phase 1. wanted: the thing asked
        for. place: where to (m). met: it was touched. brought: it is there. over: one of the two
        is. attended: steps of the second half near ball or pendulum.
        """
        pair, number = ((2,), np.float32), ((), np.float32)
        count, flag = ((), np.int64), ((), np.bool_)
        return {
            "present": ((4,), np.bool_),
            "rolling": pair,
            "mass": number,
            "foot": pair,
            "beat": pair,
            "along": pair,
            "held": flag,
            "playing": flag,
            "wanted": count,
            "place": pair,
            "met": flag,
            "brought": flag,
            "over": flag,
            "attended": count,
        }

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """The body in the middle, things round it in any order."""
        half = self.half_room
        corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
        world.wall[which] = np.concatenate([corners, np.roll(corners, -1, 0)], 1)
        world.wall_color[which] = self.wall_gray
        world.heading[which] = rng.uniform(-np.pi, np.pi)
        quarter = np.float32(np.pi / 2)
        north = rng.uniform(-np.pi, np.pi)
        spot = rng.permutation(4) + rng.uniform(-self.jitter, self.jitter, (4,))
        world.shape_position[which] = self.thing_distance * unit(north[:, None] + quarter * spot)
        between = unit(north + quarter * (rng.integers(0, 4) + np.float32(0.5)))
        world.place[which] = rng.uniform(*self.place_distance)[:, None] * between
        wanted = rng.integers(0, 2)
        present = np.zeros((which.size, 4), np.bool_)
        present[:, : self.things] = True
        if self.things == 1:
            present[:, :2] = np.arange(2) == wanted[:, None]
        present[:, SCREEN] = self.screen
        world.present[which] = world.shape_visible[which] = present
        world.shape_touchable[which] = present
        world.shape_solid[which, BLOCK:] = present[:, BLOCK:]
        world.shape_radius[which] = np.float32(self.thing_radius) * present
        world.shape_color[which] = self.colors
        if self.shuffled:
            world.shape_color[which, :SCREEN] = self.colors[rng.permutation(SCREEN)]
        mass = rng.uniform(*self.masses)
        world.mass[which] = self.ood_mass if self.ood else mass
        world.foot[which] = world.shape_position[which, PENDULUM]
        world.along[which] = rng.direction()
        world.beat[which] = rng.direction()
        world.playing[which] = self.phase == 1
        world.wanted[which] = wanted
        self._settle(world, which)
        self._tell(world, which)

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        """Things move by themselves, then by the body; then, whether one is in the place."""
        world.shape_position[:, BALL] += world.rolling
        world.rolling *= np.float32(self.friction)
        self._beat(world)
        self._settle(world, slice(None))
        away = world.shape_position - world.position[:, None]
        gap = length(away)
        gap[~world.present] = np.inf
        touched = gap[:, :BLOCK] < np.float32(self.reach)
        world.held[:] = touched[:, PENDULUM]
        if np.count_nonzero(touched):
            self._push(world, away, gap, *np.nonzero(touched))
            touched |= world.contact[:, :BLOCK]
            world.touched |= touched[:, BALL] | touched[:, PENDULUM]
        if self.screen:
            flicker = Streams(world.counters, world.rows).uniform(0.0, 1.0, (3,))
            world.shape_color[:, SCREEN] = flicker
        self._tell(world, slice(None))
        if np.count_nonzero(world.playing):
            attentive = (gap.argmin(1) < BLOCK) & (gap.min(1) < self.attention_radius)
            world.attended += attentive & (world.elapsed > self.horizon // 2)
        return self._earn(world, touched[world.rows, world.wanted])

    def _earn(self, world: World, touched: Bools) -> tuple[npt.NDArray[Any], Bools]:
        """Reward and end; ``touched`` (N,) is the thing asked for."""
        asked = ~world.playing & ~world.over
        first = touched & ~world.met & asked
        world.met |= first
        middles = np.stack([world.shape_position[:, BALL], world.foot], 1)
        there = length(middles - world.place[:, None]) < np.float32(self.place_radius)
        there &= world.present[:, :BLOCK] & asked[:, None]
        right = there[world.rows, world.wanted]
        world.brought |= right
        world.over |= there[:, BALL] | there[:, PENDULUM]
        return self.contact_reward * first + self.place_reward * right, world.over.copy()

    def _beat(self, world: World) -> None:
        """The swing goes on by one step, unless it is held."""
        cosine, sine = unit(2 * np.pi / self.period)
        x, y = world.beat.T
        beat = np.stack([cosine * x - sine * y, sine * x + cosine * y], 1)
        world.beat[:] = np.where(world.held[:, None], world.beat, beat)

    def _push(self, world: World, away: Floats, gap: Floats, rows: Ints, things: Ints) -> None:
        """Bodies ``rows`` (M,) overlap ``things`` (M,), which lie ``away`` at ``gap``."""
        away, gap = away[rows, things], gap[rows, things, None]
        heading = unit(world.heading[rows])
        ahead = (away[:, :1] * heading[:, :1]) + (away[:, 1:] * heading[:, 1:])
        room = np.float32(self.reach**2) - gap * gap
        onward = heading * (np.sqrt(ahead * ahead + room) - ahead)
        aside = away * ((np.float32(self.reach) - gap) / np.maximum(gap, np.float32(1e-6)))
        shift = np.where(2 * ahead >= gap, onward, aside)
        ball, pendulum = things == BALL, things == PENDULUM
        world.shape_position[rows[ball], BALL] += shift[ball]
        world.rolling[rows[ball]] = shift[ball] / world.mass[rows[ball], None]
        world.foot[rows[pendulum]] += shift[pendulum]
        self._settle(world, rows)

    def _settle(self, world: World, rows: Ints | slice) -> None:
        """The kerb holds ball and pendulum, and the bob is where its foot and swing have it."""
        ball = world.shape_position[rows, BALL]
        inside = np.clip(ball, -self.kerb, self.kerb)
        world.rolling[rows] *= ball == inside
        world.shape_position[rows, BALL] = inside
        foot = np.clip(world.foot[rows], -self.kerb, self.kerb)
        world.foot[rows] = foot
        bob = foot + np.float32(self.swing) * world.beat[rows, 1:] * world.along[rows]
        world.shape_position[rows, PENDULUM] = bob

    def _tell(self, world: World, rows: Ints | slice) -> None:
        """What is asked for, and where the place is from the body; nothing in play."""
        asked, wanted = ~world.playing[rows], world.wanted[rows]
        x, y = (world.place[rows] - world.position[rows]).T
        cosine, sine = unit(world.heading[rows]).T
        cue = [wanted == BALL, wanted == PENDULUM, cosine * x + sine * y, cosine * y - sine * x]
        scale = np.array([1, 1, 0.125, 0.125], np.float32)
        world.cue[rows, :4] = np.stack(cue, 1) * scale * asked[:, None]

    def score(self, world: World) -> npt.NDArray[Any]:
        """1 for the thing brought; in play, attention to what can be learnt."""
        attention = world.attended / (self.horizon - self.horizon // 2)
        return np.asarray(np.where(world.playing, attention, world.brought), np.float64)

    def oracle(self, world: World) -> Floats:
        """Behind the thing asked for, and on to the place; in play, beside it."""
        ball = world.wanted[:, None] == BALL
        thing = np.where(ball, world.shape_position[:, BALL], world.foot) - world.position
        goal = approach(thing, world.place - world.position - thing, self.reach)
        goal = world.position + np.where(world.playing[:, None], thing, goal)
        action = self.toward(world, goal)
        close = length(thing) < np.float32(self.reach + 0.3)
        action[world.playing & close] = 0.0
        return action

    def observer(self) -> Policy:
        """Looks for the thing by its colour, and keeps where it was by dead reckoning.

        Where colours tell nothing it tries the things first.
        """
        return Tryer(self) if self.shuffled else Bringer(self)

    def heuristics(self) -> dict[str, Callable[[], Policy]]:
        """Ways to push that do not ask what is wanted, or where."""
        made: dict[str, Callable[[], Policy]] = {
            name: partial(make, self) for name, make in HEURISTICS.items()
        }
        if self.things == 1:
            made.pop("nearest")  # there it is the thing asked for
        return made

    def scene(self, world: World, index: int) -> dict[str, Any]:
        """The place, the pendulum's rod, and what is asked for."""
        names = ("ball", "pendulum", "block", "screen")
        labels = {k: names[k] for k in range(4) if world.present[index, k]}
        hints: dict[str, Any] = {"caption": "play", "labels": labels}
        if world.present[index, PENDULUM]:
            foot, bob = world.foot[index], world.shape_position[index, PENDULUM]
            ends = (float(foot[0]), float(foot[1])), (float(bob[0]), float(bob[1]))
            hints["lines"] = [(*ends, (0.35, 0.35, 0.4), 0.08)]
        if not world.playing[index]:
            wanted = int(world.wanted[index])
            place = world.place[index]
            hints["markers"] = [("place", float(place[0]), float(place[1]), self.place_radius)]
            hints |= {"caption": f"bring the {names[wanted]}", "target": wanted}
        return hints
