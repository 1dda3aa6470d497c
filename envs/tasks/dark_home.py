"""DarkHome: path integration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs import senses
from motley.envs.kernels import FORWARD_SCALE
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats, Ints, Streams, length
from motley.envs.task import Body, Level, Policy, Task
from motley.envs.world import World


@dataclass(frozen=True)
class Bends(Level):
    """A level: number of foods, and noise of the egomotion reading (fraction, radians)."""

    foods: int
    noise_forward: float
    noise_turn: float


class DarkHome(Task):
    """Find home in the dark. (page to come)"""

    problem: ClassVar[str] = "path integration"
    levels: ClassVar[tuple[Bends, ...]] = (
        Bends(chance=0.95, foods=1, noise_forward=0.05, noise_turn=0.01),
        Bends(chance=0.2, foods=2, noise_forward=0.05, noise_turn=0.01),
        Bends(chance=0.1, foods=3, noise_forward=0.03, noise_turn=0.01),
        Bends(chance=0.1, foods=5, noise_forward=0.02, noise_turn=0.005),
        Bends(chance=0.1, foods=8, noise_forward=0.01, noise_turn=0.003),
    )
    default_level = 2

    food_radius = 0.35
    home_radius = 0.5
    food_step = (1.2, 2.5)
    food_from_nest = 1.5
    home_reward, foods_reward = 1.0, 0.2
    gains = (0.8, 1.2)
    ood_gain = 1.5
    ood_foods = 3
    gain_cue = 2.0

    def __init__(self, level: int | None = None, ood: bool = False, stop: bool = False) -> None:
        super().__init__(level, ood)
        setting = self.levels[self.level]
        self.stop = bool(stop)
        self.foods = setting.foods * (self.ood_foods if ood else 1)
        self.n_shapes = self.foods + 1
        self.horizon = 24 * self.foods + 16
        self.body = Body(
            motor_forward=0.1,
            motor_turn=0.15,
            egomotion_forward=setting.noise_forward,
            egomotion_turn=setting.noise_turn,
        )
        self.senses = (
            senses.vision(),
            senses.egomotion(),
            senses.touch(),
            senses.cue(1, "gain of the forward reading / 2"),
        )

    @property
    def variant(self) -> dict[str, Any]:
        """Whether the body must stand still at home."""
        return {"stop": self.stop}

    def fields(self) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """goal: index of the shape to touch next (the nest is the last); limit: last step."""
        return {"goal": ((), np.int64), "limit": ((), np.float32), "home": ((), np.bool_)}

    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """The nest at the origin, the foods one after another from there."""
        world.heading[which] = rng.uniform(-np.pi, np.pi)
        low, high = (self.ood_gain, self.ood_gain) if self.ood else self.gains
        world.gain[which] = rng.uniform(low, high)
        world.cue[which, 0] = world.gain[which] / np.float32(self.gain_cue)
        spot = np.zeros((which.size, 2), np.float32)
        for food in range(self.foods):
            last = spot
            spot = rng.until(
                lambda last=last: last + rng.uniform(*self.food_step)[:, None] * rng.direction(),
                lambda spots: length(spots) > self.food_from_nest,
            )
            world.shape_position[which, food] = spot
        world.shape_radius[which, : self.foods] = self.food_radius
        # Not a thing, but the body's disc meets it within `home_radius` of the nest.
        world.shape_radius[which, self.foods] = self.home_radius - self.body.radius
        world.shape_color[which] = senses.hue(120.0)
        world.shape_visible[which, 0] = True
        world.shape_touchable[which, 0] = True

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
        return world.home.astype(np.float64)

    def oracle(self, world: World) -> Floats:
        """Straight to the next food, then straight home."""
        action = self.toward(world, world.shape_position[world.rows, world.goal])
        if self.stop:
            action[(world.goal == self.foods) & (length(world.position) < 0.4)] = 0.0
        return action

    def observer(self) -> Policy:
        """Dead reckoning."""
        return Reckoner(self)

    def heuristics(self) -> dict[str, Callable[[], Policy]]:
        """Shortcuts."""
        return {}

    def scene(self, world: World, index: int) -> dict[str, Any]:
        """Where the nest is."""
        return {"markers": [("nest", 0.0, 0.0, self.home_radius)]}


class Reckoner:
    """Steers to the food in view, then home by the egomotion that it has added up."""

    def __init__(self, task: DarkHome) -> None:
        self.task = task
        self.angles = senses.vision().angles

    def reset(self, n: int) -> None:
        """Start at the nest."""
        self.position = np.zeros((n, 2), np.float32)
        self.heading = np.zeros(n, np.float32)
        self.foods = np.zeros(n, np.int64)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """Add up the last step, then steer."""
        self.position[episode_start] = self.heading[episode_start] = 0.0
        self.foods[episode_start] = 0
        forward, sin, cos = observation["egomotion"].T
        gain = self.task.gain_cue * observation["cue"][:, 0]
        self.heading += np.arctan2(sin, cos)
        walked = forward * np.float32(FORWARD_SCALE) / gain
        self.position[:, 0] += walked * np.cos(self.heading)
        self.position[:, 1] += walked * np.sin(self.heading)
        self.foods += observation["touch"][:, 0] > 0.5
        near = observation["vision"].reshape(len(forward), -1, 4)[:, :, 0]
        bearing = np.arctan2(near @ np.sin(self.angles), near @ np.cos(self.angles))
        # A disc far away can slip between two rays: turn by half their spacing and look again.
        bearing[near.max(1) == 0.0] = np.pi / near.shape[1]
        ahead = self.heading + bearing
        view = self.position + 2.0 * np.stack([np.cos(ahead), np.sin(ahead)], 1)
        dark = self.foods >= self.task.foods
        action = self.task.steer(
            self.position, self.heading, np.where(dark[:, None], np.float32(0.0), view)
        )
        if self.task.stop:
            action[dark & (length(self.position) < 0.3)] = 0.0
        return action
