"""OccluderHunt: object permanence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs.streams import Bools, Floats, Ints, Streams, length
from motley.envs.task import Level, Task
from motley.envs.tasks.occluder_hunt_policies import HEURISTICS, Predictor
from motley.envs.world import World


@dataclass(frozen=True)
class Hunt(Level):
    """A level: how often the hidden prey bounces off a side, and fewest and most steps hidden."""

    bounces: int
    hiding: tuple[int, int]


class OccluderHunt(Task):
    """Foresee where prey that went behind a screen will come out.

    Goal:
        See prey run into the back of a room before a screen comes down; be at the exit through
        which it comes out, when it does.

    Picture:
        The body stands in a room 3.2 m wide and looks at the back wall, whose distance differs
        from trial to trial. A disc, the prey, runs past it towards the back, straight and at
        constant speed, for 4 steps. Then a screen comes down across the room between the two, with
        three alcoves before it, parted by walls 1.4 m long. Behind the screen the prey runs on: it
        bounces off the sides of the room and once off the back wall. When it is back at the screen
        it darts out at the end of the left, the middle or the right alcove, stops there for one
        step, and is gone. After that the body is back at the start for the next of 4 trials.

    Actions:
        ====== ========================== ===================================================
        number range                      effect in a step of 0.25 s
        ====== ========================== ===================================================
        0      [-1, 1], below 0 is 0      forward speed: 1 is 0.4 m, walked after the turn
        1      [-1, 1]                    turn: 1 is 60 degrees to the left
        ====== ========================== ===================================================

        Out of range is clipped; a body that is held does not move. Motion is exact, and walls
        hold the body, which slides along them.

    Senses:
        ============== ======= ======= =======================================================
        name           shape   range   unit
        ============== ======= ======= =======================================================
        vision         (96,)   [0, 1]  24 rays x [1 - distance / 8 m, red, green, blue]
        egomotion      (3,)    [-1, 1] [forward / 0.8 m, sine, cosine of the turn] of the last
                                       step, exact; without being carried back
        touch          (1,)    [0, 1]  1 in a step in which a wall or the prey was touched
        smell          (8,)    [0, 1]  not used: 0
        interoception  (8,)    [0, 1]  not used: 0
        proprioception (4,)    [-1, 1] not used: 0
        cue            (8,)    [-1, 1] not used: 0
        go             (1,)    [0, 1]  1 while the body is free, which it is from the step on in
                                       which the screen is down; 0 while it is held
        ============== ======= ======= =======================================================

    Reward:
        1 for a catch: contact with the prey in the step in which it comes out or in the next, that
        is within 0.5 s. 0.005 less for each step in which the body is free.

    Termination:
        After the fourth trial. A trial ends with a catch, or one step after the prey came out.

    Score:
        The fraction of the 4 trials in which the prey was caught; the oracle's is 0.95 or more.
        Success is a score of 1.

    Levels:
        ===== ===================== ================== ======
        level bounces off the sides hidden for (steps) chance
        ===== ===================== ================== ======
        0     1                     7 to 17            0.33
        1     2                     7 to 17            0.33
        2     3                     10 to 17           0.33
        3     4                     13 to 17           0.33
        ===== ===================== ================== ======

        The default is level 0. One bounce off the back wall comes on top. Drawn anew in each trial
        are the exit (each as likely), the side from which the prey comes, where it starts, for how
        long it is hidden, and its speed into the room (0.44 to 0.53 m a step); its whole speed is
        above the body's 0.4 m a step. The depth of the room behind the screen (1.5 to 4.5 m for the
        prey's centre) follows from the last two.

    Out of distribution:
        Hidden for 19 to 22 steps, at other speeds: 0.41 to 0.425 m a step into the room.

    Problem:
        Object permanence: keep what is out of sight in mind and move it on by its own motion,
        among surfaces that are out of sight, too.

    Shortcuts:
        The exits are equally likely, whichever way the prey ran, so that waiting at one is worth a
        third. Who sees the prey come out has one step left: an alcove is too long, and the wall
        between two of them too, to get at it in a step from a place that serves two exits.
        The body is held until the prey is hidden, so that it cannot lean towards it. Straight
        on from where it was last seen, as far as the side of the room, is no better than any
        exit, since at least one bounce reverses it. Measured: waiting at any exit and at the middle
        one, chasing what comes out from between two alcoves, the exit nearest to where the
        prey was last seen, straight extrapolation (with place and velocity estimated as well as the
        observer does), the side to which it ran, and the other side.
        The side walls always stand in the same place; what varies and must be kept is the depth of
        the room, since it says for how long the prey stays away. What these leave open is a
        coarse answer of the problem's own kind: a table, fitted to the level, from the velocity
        across the room to the exit, without regard to the depth, gets 0.65, 0.53, 0.54 and 0.59.

    Source:
        Baillargeon, Spelke & Wasserman 1985 and Spelke et al. 1992 (infants expect a hidden
        thing to go on on its way and to be stopped by surfaces seen before); Bremner et al. 2015
        for the field; Burke 1952, Michotte et al. 1964 (the tunnel effect).
    """

    problem: ClassVar[str] = "object permanence"
    levels: ClassVar[tuple[Hunt, ...]] = tuple(
        Hunt(chance=1 / 3, bounces=bounces, hiding=hiding)
        for bounces, hiding in enumerate(((7, 17), (7, 17), (10, 17), (13, 17)), 1)
    )
    reward_range: ClassVar[tuple[float, float]] = (-0.005, 1.0)
    observer_policy = Predictor
    shortcuts = HEURISTICS

    trials = 4
    shown_steps = 4
    window = 1
    """Steps after the one in which the prey comes out in which a catch still counts."""
    time_cost = 0.005
    half_width = 1.6
    front = -1.6
    screen = 1.7
    alcove = 0.3
    """Metres: half the room's width; y of the wall behind the body, of the screen, and of the
    alcoves' mouths."""
    exits = np.array([-1.0, 0.0, 1.0], np.float32)
    """x of the alcoves, metres."""
    start = np.array([0.0, -0.8], np.float32)
    prey_radius = 0.4
    prey_color = (1.0, 0.6, 0.1)
    side_color, back_color, screen_color = (0.45, 0.45, 0.5), (0.3, 0.5, 0.75), (0.5, 0.35, 0.3)
    speeds, ood_speeds = (0.44, 0.53), (0.41, 0.425)
    """Into the room (m a step)."""
    ood_hiding = (19, 22)

    def __init__(self, level: int | None = None, ood: bool = False) -> None:
        super().__init__(level, ood)
        self.n_shapes, self.n_walls = 1, 7
        setting = self.levels[self.level]
        self.bounces = setting.bounces
        self.speed = self.ood_speeds if ood else self.speeds
        self.hiding = self.ood_hiding if ood else setting.hiding
        self.side = self.half_width - self.prey_radius
        """Where the prey's centre bounces (m from the middle)."""
        self.hidden_at = self.screen + self.prey_radius + 0.01
        """y at which the prey's disc is all behind the screen, and nothing of it sticks out."""
        self.reach = np.float32(self.prey_radius + self.body.radius)
        self.horizon = self.trials * (self.shown_steps + self.hiding[1] + self.window)

    def fields(self) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """What happens in each trial, and how far the present one is.

        exit: index of the exit. side: 1 where the prey first runs to the right, -1 to the left.
        begins: x, seen along its way, at which it starts (m). room: depth (m). hiding: steps out of
        sight. velocity: across and into the room (m a step). trial: the present one.
        clock: steps in it. caught: trials won. hidden: whether the prey is out of sight now. run:
        side, begins, velocity, room, x of the exit and step of coming out of the present trial
        (various).
        """
        n = (self.trials,)
        return {
            "exit": (n, np.int64),
            "side": (n, np.float32),
            "begins": (n, np.float32),
            "room": (n, np.float32),
            "hiding": (n, np.int64),
            "velocity": ((*n, 2), np.float32),
            "trial": ((), np.int64),
            "clock": ((), np.int64),
            "caught": ((), np.int64),
            "hidden": ((), np.bool_),
            "run": ((7,), np.float32),
        }

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """Draw all trials. The prey's way is unfolded: straight on to an image of the exit."""
        n = (self.trials,)
        out = rng.integers(0, len(self.exits), n)
        side = (2 * rng.integers(0, 2, n) - 1).astype(np.float32)
        begins = np.float32(-self.side) + rng.uniform(0.0, 0.3, n)
        mirrored = np.float32(-1.0 if self.bounces % 2 else 1.0)
        ends = np.float32(2 * self.side * self.bounces) + mirrored * side * self.exits[out]
        hiding = rng.integers(self.hiding[0], self.hiding[1] + 1, n)
        into = rng.uniform(*self.speed, n)
        world.exit[which], world.side[which], world.begins[which] = out, side, begins
        world.hiding[which] = hiding
        world.room[which] = into * hiding / 2
        world.velocity[which, :, 0] = (ends - begins) / (self.shown_steps + hiding)
        world.velocity[which, :, 1] = into
        world.shape_radius[which] = self.prey_radius
        world.shape_color[which] = self.prey_color
        world.shape_visible[which] = world.shape_touchable[which] = True
        world.wall_color[which, :3] = self.side_color
        world.wall_color[which, 3] = self.back_color
        world.wall_color[which, 4:] = self.screen_color
        self._begin(world, which)
        self._run(world, which)

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        """The prey runs, goes out of sight, comes out and is gone."""
        reward = world.free * -self.time_cost
        world.clock += 1
        self._run(world)
        out_for = world.clock - world.run[:, 6]
        event = (world.clock == self.shown_steps) | (out_for >= 0)
        rows = np.flatnonzero(event & (world.trial < self.trials))
        if rows.size:
            comes_out = out_for[rows] >= 0
            self._hide(world, rows[~comes_out])
            rows = rows[comes_out]
            world.hidden[rows] = False
            # It has just come to where it is; from then on contact is felt along the path.
            near = length(world.shape_position[rows, 0] - world.position[rows]) <= self.reach
            caught = near | (world.contact[rows, 0] & (out_for[rows] > 0))
            reward[rows] += caught
            world.caught[rows] += caught
            world.touched[rows] |= caught
            over = rows[caught | (out_for[rows] >= self.window)]
            world.trial[over] += 1
            self._begin(world, over)
            self._run(world, over)
        return reward, world.trial >= self.trials

    def _run(self, world: World, which: Ints | slice = slice(None)) -> None:
        """Put the prey of worlds ``which`` where it is at this step of the trial."""
        step = world.clock[which].astype(np.float32)
        side, begins, across, into, room, leaves_at, out_at = world.run[which].T
        out = step >= out_at
        x = side * self.fold(begins + across * step)
        y = np.float32(self.hidden_at) + room - np.abs(room - into * (step - self.shown_steps))
        mouth = np.float32(self.screen - self.prey_radius)
        world.shape_position[which, 0, 0] = np.where(out, leaves_at, x)
        world.shape_position[which, 0, 1] = np.where(out, mouth, y)

    def fold(self, across: Floats) -> Floats:
        """Where a straight way across the room is, bounced off its sides: a triangle wave."""
        side = np.float32(self.side)
        folded: Floats = np.abs(np.mod(across - side, 4 * side) - 2 * side) - side
        return folded

    def _begin(self, world: World, rows: Ints) -> None:
        """The body back at the start, held, and the screen away; this trial's room."""
        world.clock[rows] = 0
        world.position[rows] = self.start
        world.heading[rows] = np.pi / 2
        world.free[rows] = world.hidden[rows] = False
        left, right, front = -self.half_width, self.half_width, self.front
        trial = np.minimum(world.trial[rows], self.trials - 1)
        run = world.run[rows]
        run[:, 0], run[:, 1] = world.side[rows, trial], world.begins[rows, trial]
        run[:, 2:4], run[:, 4] = world.velocity[rows, trial], world.room[rows, trial]
        run[:, 5] = self.exits[world.exit[rows, trial]]
        run[:, 6] = self.shown_steps + world.hiding[rows, trial]
        world.run[rows] = run
        back = np.float32(self.hidden_at + self.prey_radius) + run[:, 4]
        world.wall[rows, 0] = (left, front, right, front)
        world.wall[rows, 1] = (left, front, left, front)
        world.wall[rows, 2] = (right, front, right, front)
        world.wall[rows, 3] = (left, front, right, front)
        world.wall[rows, 1:3, 3] = back[:, None]
        world.wall[rows, 3, 1] = world.wall[rows, 3, 3] = back
        world.wall[rows, 4:] = 0.0

    def _hide(self, world: World, rows: Ints) -> None:
        """The screen comes down, and the body is free."""
        world.free[rows] = world.hidden[rows] = True
        world.wall[rows, 4] = (-self.half_width, self.screen, self.half_width, self.screen)
        for wall, x in ((5, -0.5), (6, 0.5)):
            world.wall[rows, wall] = (x, self.alcove, x, self.screen)

    def score(self, world: World) -> npt.NDArray[Any]:
        """Fraction of the trials in which the prey was caught."""
        return np.asarray(world.caught / self.trials, np.float64)

    def oracle(self, world: World) -> Floats:
        """Into the alcove at whose end the prey will come out."""
        trial = np.minimum(world.trial, self.trials - 1)
        goal = self.inside(self.exits[world.exit[world.rows, trial]])
        action = self.toward(world, goal)
        action[~world.free] = 0.0
        return action

    def inside(self, x: Floats) -> Floats:
        """A place (N, 2) in the alcove at ``x`` (N,), to which the way from the start is free."""
        # Straight on into it, a little outward so as not to brush the wall between two.
        return np.stack((np.float32(1.1) * x, np.full_like(x, 0.7)), -1)

    def scene(self, world: World, index: int) -> dict[str, Any]:
        """The phase, the prey by name, and where it will come out."""
        trial = int(world.trial[index])
        if trial >= self.trials:
            return {"caption": "over"}
        hints: dict[str, Any] = {"caption": f"trial {trial + 1} of {self.trials}"}
        hints["labels"] = {0: "prey"}
        if world.hidden[index]:
            exit_x = float(self.exits[world.exit[index, trial]])
            hints["caption"] += ": hidden"
            hints["markers"] = [("", exit_x, self.screen - self.prey_radius, self.prey_radius)]
        return hints
