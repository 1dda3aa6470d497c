"""Measured: environments that say, as score01, what a body did rather than what it was paid.

Four small rooms, and PlayRoom with and without a screen of noise, for the study of exploration.
They stand apart from it, since stored runs are known by this module's code.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import gymnasium as gym
import numpy as np

from motley.envs.tasks.play_room import BALL, SCREEN

CELL = 0.5
"""Metres of a side of the squares that places in PlayRoom are told apart by."""


class Measured(gym.Wrapper[Any, Any, Any, Any]):
    """Gives at the end of an episode, as score01, what was measured over its moments.

    Args:
        env: any environment.
        note: what to keep of a moment.
        measure: of what was kept, in order, and the environment.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        note: Callable[[Any], Hashable],
        measure: Callable[[list[Hashable], Any], float],
    ):
        super().__init__(env)
        self.note, self.measure = note, measure
        self._kept: list[Hashable] = []

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Begin anew."""
        observation, info = self.env.reset(**kwargs)
        self._kept = [self.note(self.unwrapped)]
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Keep what is there after the step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._kept.append(self.note(self.unwrapped))
        if terminated or truncated:
            info["score01"] = self.measure(self._kept, self.unwrapped)
        return observation, reward, terminated, truncated, info


def rooms(**settings: Any) -> gym.Env[Any, Any]:
    """Four small rooms in a row behind closed doors: the share of cells that were visited."""
    env = gym.make("minigrid:MiniGrid-MultiRoom-N4-S5-v1", **settings)

    def visited(kept: list[Hashable], env: Any) -> float:
        return len(set(kept)) / len(reachable(env.grid, kept[0]))

    return Measured(env, lambda env: tuple(map(int, env.agent_pos)), visited)


def reachable(grid: Any, start: Any) -> set[Any]:
    """Return the cells of a MiniGrid that can be walked to, closed doors being opened."""
    found, edge = {start}, [start]
    while edge:
        x, y = edge.pop()
        for cell in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            thing = grid.get(*cell)
            if cell not in found and (thing is None or thing.type in ("door", "goal")):
                found.add(cell)
                edge.append(cell)
    return found


def play_room(**settings: Any) -> gym.Env[Any, Any]:
    """PlayRoom's play: different moments, told apart by where body and things are, of all."""
    env = gym.make("motley/PlayRoom-v0", phase=1, **settings)

    def places(env: Any) -> Hashable:
        # The pendulum's foot: its bob moves by itself.
        world = env.world
        at = np.concatenate((world.position, world.shape_position[:, BALL], world.foot))
        return tuple(np.floor(at / CELL).astype(int).ravel().tolist())

    return Measured(env, places, lambda kept, env: len(set(kept)) / len(kept))


def screen(**settings: Any) -> gym.Env[Any, Any]:
    """PlayRoom's play with a screen: the share of moments spent at it.

    The body is at what is nearest, if that is as near as the task counts as attending to it.
    """
    env = gym.make("motley/PlayRoom-v0", phase=1, screen=True, **settings)

    def at_screen(env: Any) -> Hashable:
        gap = np.linalg.norm(env.world.shape_position[0] - env.world.position[0], axis=-1)
        gap[~env.world.present[0]] = np.inf
        return bool(gap.argmin() == SCREEN and gap.min() < env.task.attention_radius)

    return Measured(env, at_screen, lambda kept, env: float(np.mean(np.asarray(kept, float))))


ROOMS, PLAY, NOISE = (
    "exploration/MultiRoom-N4-S5-v0",
    "exploration/PlayRoom-v0",
    "exploration/NoisyScreen-v0",
)
for _name, _make in ((ROOMS, rooms), (PLAY, play_room), (NOISE, screen)):
    gym.register(_name, f"{__name__}:{_make.__name__}")
