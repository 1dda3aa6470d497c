"""DarkHome: path integration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs import senses
from motley.envs.streams import Bools, Floats, Ints, Streams, length
from motley.envs.task import Body, Level, Task
from motley.envs.tasks.dark_home_policies import HEURISTICS, Reckoner
from motley.envs.world import World


@dataclass(frozen=True)
class Bends(Level):
    """A level: number of foods, and noise of the egomotion reading (fraction, radians)."""

    foods: int
    noise_forward: float
    noise_turn: float


class DarkHome(Task):
    """Find home in the dark by adding up one's own motion.

    Goal:
        Leave the nest, touch the foods one after another, then return to the nest in the dark.

    Picture:
        An open field without walls. The body starts on its nest, which it neither sees nor
        feels. One green disc is in view, the next food; touched, it vanishes and the next one
        appears. With the last food the light goes out.

    Actions:
        ====== ========================== ===================================================
        number range                      effect in a step of 0.25 s
        ====== ========================== ===================================================
        0      [-1, 1], below 0 is 0      forward speed: 1 is 0.4 m, walked after the turn
        1      [-1, 1]                    turn: 1 is 60 degrees to the left
        ====== ========================== ===================================================

        Out of range is clipped. The motion realised differs from the command by a fifth of the
        distance and 0.25 rad at full command (standard deviations); a body at rest stays so.

    Senses:
        ========= ======= ======= ==========================================================
        name      shape   range   unit
        ========= ======= ======= ==========================================================
        vision    (96,)   [0, 1]  24 rays x [1 - distance / 8 m, red, green, blue]; 0 in the dark
        egomotion (3,)    [-1, 1] [forward / 0.8 m, sine, cosine of the turn] of the last step,
                                  noisy; forward is multiplied by the episode's gain
        touch     (1,)    [0, 1]  1 in the step in which a food was touched
        cue       (8,)    [-1, 1] [0]: the episode's gain / 2, the gain drawn from [0.8, 1.2]
        go        (1,)    [0, 1]  1: the body is always free
        ========= ======= ======= ==========================================================

        smell (8,), interoception (8,) and proprioception (4,) read zero.

    Reward:
        0.2 in all for the foods, in equal parts; 1 for home: the body's centre within 0.5 m of
        the nest (with ``stop=True`` it must stand still there).

    Termination:
        Home reached; or home not reached within 1.5 x the time of the straight line from where
        the light went out, plus 4 steps. Truncated after 24 steps a food, plus 16.

    Score:
        1 for home reached, else 0. The oracle reaches home in 0.95 of the episodes or more.

    Levels:
        ===== ===== ===================== ====================== ======
        level foods noise of forward, sd  noise of turn, sd      chance
        ===== ===== ===================== ====================== ======
        0     1     5% of it              0.010 rad              0.70
        1     2     4%                    0.008 rad              0.18
        2     3     3%                    0.006 rad              0.10
        3     5     2%                    0.004 rad              0.06
        4     8     1%                    0.0025 rad             0.06
        ===== ===== ===================== ====================== ======

        The default is level 2. The noise of the reading shrinks with the way, so that dead
        reckoning suffices at every level (the observer's score01 is 0.9 or more). A food lies
        1.2 to 2.5 m from the one before, in any direction that leaves it more than 1.5 m from
        the nest. Foods have a radius of 0.35 m.

    Out of distribution:
        Three times as many foods, and a gain of 1.5, which the cue announces.

    Problem:
        Path integration: turn and distance of every step have to be added up, along a way with
        bends, to know where home is.

    Shortcuts:
        Chance is what the best of them reaches: standing still, going straight on, turning
        back, walking away from where the last food was seen with the course held by felt turns,
        an outward spiral, and dead reckoning by one's own commands, which the motor noise
        spoils. No wall is in sight, and home gives no sign of itself. Level 0 has one leg, so
        that walking back along it is nearly the answer: it is no test of path integration, its
        chance says so, and it serves to see whether an agent learns to walk and to home at all.
        A distant food can slip between two rays for a moment (a disc of 0.35 m beyond 2.7 m);
        the last food is then not yet touched, and turning a little brings it back.

    Source:
        Mittelstaedt & Mittelstaedt 1980, Homing by path integration in a mammal; Etienne &
        Jeffery 2004, Path integration in mammals; Banino et al. 2018, Vector-based navigation
        using grid-like representations in artificial agents.
    """

    problem: ClassVar[str] = "path integration"
    levels: ClassVar[tuple[Bends, ...]] = (
        Bends(chance=0.70, foods=1, noise_forward=0.05, noise_turn=0.010),
        Bends(chance=0.18, foods=2, noise_forward=0.04, noise_turn=0.008),
        Bends(chance=0.10, foods=3, noise_forward=0.03, noise_turn=0.006),
        Bends(chance=0.06, foods=5, noise_forward=0.02, noise_turn=0.004),
        Bends(chance=0.06, foods=8, noise_forward=0.01, noise_turn=0.0025),
    )
    default_level = 2
    variants = ({"stop": False}, {"stop": True})
    observer_policy = Reckoner
    shortcuts = HEURISTICS

    food_radius = 0.35
    home_radius = 0.5
    food_step = (1.2, 2.5)
    food_from_nest = 1.5
    home_reward, foods_reward = 1.0, 0.2
    gains = (0.8, 1.2)
    ood_gain = 1.5
    ood_foods = 3
    gain_cue = 2.0
    motor_noise = (0.2, 0.25)
    stop_within = 0.35

    def __init__(self, level: int | None = None, ood: bool = False, stop: bool = False) -> None:
        super().__init__(level, ood)
        setting = self.levels[self.level]
        self.stop = bool(stop)
        self.foods = setting.foods * (self.ood_foods if ood else 1)
        self.n_shapes = self.foods + 1
        self.horizon = 24 * self.foods + 16
        self.body = Body(
            motor_forward=self.motor_noise[0],
            motor_turn=self.motor_noise[1],
            egomotion_forward=setting.noise_forward,
            egomotion_turn=setting.noise_turn,
        )

    @property
    def variant(self) -> dict[str, Any]:
        """Whether the body must stand still at home."""
        return {"stop": self.stop}

    def fields(self) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """How far the way is.

        goal: index of the shape to touch next (the nest is the last). limit: last step. home: it
        is reached.
        """
        return {"goal": ((), np.int64), "limit": ((), np.float32), "home": ((), np.bool_)}

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """The nest at the origin, the foods one after another from there."""
        world.heading[which] = rng.uniform(-np.pi, np.pi)
        low, high = (self.ood_gain, self.ood_gain) if self.ood else self.gains
        world.gain[which] = rng.uniform(low, high)
        world.cue[which, 0] = world.gain[which] / np.float32(self.gain_cue)
        spot = np.zeros((which.size, 2), np.float32)
        for food in range(self.foods):
            spot = rng.until(partial(self._onward, rng, spot), self._away)
            world.shape_position[which, food] = spot
        world.shape_radius[which, : self.foods] = self.food_radius
        # Not a thing, but the body's disc meets it within `home_radius` of the nest.
        world.shape_radius[which, self.foods] = self.home_radius - self.body.radius
        world.shape_color[which] = senses.hue(120.0)
        world.shape_visible[which, 0] = True
        world.shape_touchable[which, 0] = True

    def _onward(self, rng: Streams, last: Floats) -> Floats:
        near, far = self.food_step
        return last + rng.uniform(near, far)[:, None] * rng.direction()

    def _away(self, spots: Floats) -> Bools:
        return length(spots) > self.food_from_nest

    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        """Foods in their order, then home."""
        homeward = world.goal == self.foods
        terminated = homeward & (world.elapsed >= world.limit)
        reward = np.zeros(world.n)
        hit = world.contact[world.rows, world.goal]
        if hit.any():
            home = hit & homeward
            if self.stop:
                home &= world.displacement == 0.0
            eaten = np.flatnonzero(hit & ~homeward)
            world.home |= home
            terminated |= home
            reward[home] = self.home_reward
            reward[eaten] = self.foods_reward / self.foods
            self._next_food(world, eaten)
        return reward, terminated

    def _next_food(self, world: World, eaten: Ints) -> None:
        goal = world.goal[eaten]
        world.shape_visible[eaten, goal] = world.shape_touchable[eaten, goal] = False
        world.goal[eaten] = goal + 1
        more = goal + 1 < self.foods
        world.shape_visible[eaten, goal + 1] = world.shape_touchable[eaten, goal + 1] = more
        dark = eaten[~more]
        world.light[dark] = 0.0
        straight = length(world.position[dark]) / np.float32(self.body.speed)
        world.limit[dark] = world.elapsed[dark] + np.floor(np.float32(1.5) * straight + 4)

    def score(self, world: World) -> npt.NDArray[Any]:
        """1 for home reached."""
        return np.asarray(world.home, np.float64)

    def oracle(self, world: World) -> Floats:
        """Straight to the next food, then straight home."""
        action = self.toward(world, world.shape_position[world.rows, world.goal])
        if self.stop:
            action[(world.goal == self.foods) & (length(world.position) < self.stop_within)] = 0.0
        return action

    def scene(self, world: World, index: int) -> dict[str, Any]:
        """Where the nest is, the phase, and the gain that the cue announces."""
        goal = int(world.goal[index])
        left = int(world.limit[index]) - int(world.elapsed[index])
        phase = f"food {goal + 1} of {self.foods}"
        if goal == self.foods:
            phase = "home" if world.home[index] else f"homeward, {left} steps left"
        hints = {"markers": [("nest", 0.0, 0.0, self.home_radius)], "caption": phase}
        gain = float(world.gain[index])
        return hints if gain == 1.0 else hints | {"cue_label": f"gain\nx{gain:.2f}"}
