"""The door to Stable-Baselines3: a `VecEnv` that steps all worlds at once.

A world that ends begins anew in the same step. ``infos`` at an episode's end hold
``terminal_observation``, ``TimeLimit.truncated``, ``episode`` {"r", "l", "t"}, ``is_success``,
``score`` and ``score01``, so that neither a Monitor nor a VecMonitor is needed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv

from motley.envs.door import Door, whole
from motley.envs.senses import Observation, Sense
from motley.envs.streams import Bools, Floats, Ints
from motley.envs.task import Task
from motley.envs.world import State, World

Indices = int | Iterable[int] | None


class WorldVecEnv(VecEnv):
    """N worlds of a task for SB3's algorithms.

    Args:
        id: the task, its class, its name or its id ("DarkHome", "motley/DarkHome-v0").
        num_envs: N.
        seed: world i gets ``seed + i`` at the first reset; None: a random one.
        render_mode: None, "rgb_array" or "human": a mosaic of the worlds.
        render_size: height and width of a world's picture in pixels.
        **task_kwargs: ``level``, ``ood`` and the task's variants.
    """

    def __init__(
        self,
        id: str | type[Task] | Task,
        num_envs: int,
        seed: int | None = None,
        render_mode: str | None = None,
        render_size: int = 256,
        **task_kwargs: Any,
    ) -> None:
        self._door = Door(id, num_envs, render_mode, render_size, **task_kwargs)
        self.render_mode = render_mode
        num_envs = self._door.world.n
        super().__init__(num_envs, self._door.observation_space, self._door.action_space)
        self._earned = np.zeros(num_envs)
        self._began = time.time()
        self._actions = np.zeros((num_envs, 2), np.float32)
        self._seeded = False
        if seed is not None:
            self.seed(seed)

    @property
    def task(self) -> Task:
        """The rules."""
        return self._door.task

    @property
    def world(self) -> World:
        """The state."""
        return self._door.world

    @property
    def senses(self) -> dict[str, Sense]:
        """The layout of the observation: name -> Sense."""
        return self._door.senses

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the next reset: world i gets ``seed + i``; None is a random one.

        Raises:
            ValueError: the seed is no whole number of at least 0.
        """
        return super().seed(None if seed is None else whole("seed", seed, 0))

    def reset(self) -> Observation:
        """Begin an episode in every world: the first of seeds just given, or the next one."""
        world = self.world
        if not self._seeded and all(s is None for s in self._seeds):
            self.seed(int(np.random.SeedSequence().generate_state(1)[0]))
        rows: Ints = np.array([i for i, s in enumerate(self._seeds) if s is not None], np.int64)
        if rows.size:
            world.seed(np.array([self._seeds[i] for i in rows], np.uint64), rows)
        self._seeded = True
        self._reset_seeds()
        self._reset_options()
        world.reset()
        self._earned[:] = 0.0
        return self._door.see(world.observe())

    def step_async(self, actions: npt.NDArray[np.float32]) -> None:
        """Take the actions (N, 2) of the step that `step_wait` makes.

        Raises:
            ResetNeeded: no episode has begun.
            ValueError: the shape is another.
        """
        self._actions = self._door.actions(actions)

    def step_wait(self) -> tuple[Observation, Floats, Bools, list[dict[str, Any]]]:
        """One control step in every world."""
        world = self.world
        reward, terminated, truncated = world.step(self._actions)
        self._earned += reward
        done = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        rows = np.flatnonzero(done)
        if rows.size:
            final = world.observe()
            ends = self._door.ends(rows)
            now = round(time.time() - self._began, 6)
            for k, i in enumerate(rows):
                infos[i] = {name: value[k].item() for name, value in ends.items()}
                infos[i]["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
                infos[i]["terminal_observation"] = {n: a[i].copy() for n, a in final.items()}
                length = int(world.elapsed[i])
                infos[i]["episode"] = {"r": float(self._earned[i]), "l": length, "t": now}
            world.reset(rows)
            self._earned[rows] = 0.0
        return self._door.see(world.observe()), reward.astype(np.float32), done, infos

    def observe(self) -> Observation:
        """What every body perceives now: fresh arrays (N, size) by sense."""
        return self.world.observe()

    @property
    def truths(self) -> tuple[str, ...]:
        """Names of what is so in the worlds, sensed or not: those of a recorded trace."""
        return self._door.truths

    def truth(self, name: str) -> npt.NDArray[Any]:
        """A copy of what is so now, (N, ...), by a name of `truths`; see `Door.truth`."""
        return self._door.truth(name)

    def oracle(self) -> Floats:
        """The oracle's actions (N, 2) for the present state."""
        return self._door.oracle()

    def observer(self) -> Floats:
        """The observer's actions (N, 2), from the senses' history; ask it at every step."""
        return self._door.observer()

    def get_state(self) -> State:
        """A copy of all worlds: random streams, episodes, and the returns so far."""
        return self.world.get_state() | {"earned": self._earned.copy()}

    def set_state(self, state: State) -> None:
        """Put the worlds into a state that `get_state` gave."""
        rest = dict(state)
        self._earned = rest.pop("earned").copy()
        self._door.set_state(rest)
        self._seeded = True

    def close(self) -> None:
        """Close the window, if one is open."""
        self._door.close()

    def get_images(self) -> Sequence[npt.NDArray[np.uint8] | None]:
        """One picture (H, W, 3) uint8 per world."""
        return [self._door.picture(i) for i in range(self.num_envs)]

    def render(self, mode: str | None = None) -> npt.NDArray[np.uint8] | None:
        """A mosaic of all worlds, or None after showing it in the window."""
        mode = mode or self.render_mode
        if mode is None:
            return None
        frame = self._door.pictures(self.num_envs)
        if mode == "human":
            self._door.show(frame)
            return None
        return frame

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """The attribute, once per world asked for."""
        value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set an attribute of the whole batch.

        Raises:
            ValueError: ``indices`` names a part of the worlds; they share one object.
        """
        if len(list(self._get_indices(indices))) != self.num_envs:
            raise ValueError("all worlds share one object: set_attr takes no part of them")
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of the batch; arrays with a row per world come back row by row."""
        result = getattr(self, method_name)(*method_args, **method_kwargs)
        rows = isinstance(result, np.ndarray) and result.shape[:1] == (self.num_envs,)
        return [result[i] if rows else result for i in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: Indices = None
    ) -> list[bool]:
        """True for SB3's Monitor alone: the worlds keep the statistics that it would keep."""
        return [wrapper_class is Monitor for _ in self._get_indices(indices)]
