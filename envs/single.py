"""The door for one world: `gymnasium.Env`."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from motley.envs.door import METADATA, Door, whole
from motley.envs.senses import Observation, Sense
from motley.envs.streams import Floats
from motley.envs.task import Task
from motley.envs.world import State, World


class WorldEnv(gym.Env[Observation, npt.NDArray[np.float32]]):
    """One world of a task as a Gymnasium env.

    ``reset(seed=s)`` gives the first episode of seed ``s``, each further ``reset()`` the next
    one. At an episode's end ``info`` has ``is_success``, ``score`` and ``score01``.

    Args:
        task: the task, its class, its name or its id.
        render_mode: None, "rgb_array" or "human".
        render_size: height and width of a picture in pixels.
        **settings: ``level``, ``ood`` and the task's variants.
    """

    metadata = METADATA

    def __init__(
        self,
        task: str | type[Task] | Task,
        render_mode: str | None = None,
        render_size: int = 256,
        **settings: Any,
    ) -> None:
        self._door = Door(task, 1, render_mode, render_size, **settings)
        self._world = self._door.world
        self._split = self._world.reader.split_one
        self._width = self._world.reader.width
        self.render_mode = render_mode
        # Spaces say less about their dtype than Env's type parameters ask for.
        self.observation_space: Any = self._door.observation_space
        self.action_space: Any = self._door.action_space
        self._seeded = False

    @property
    def task(self) -> Task:
        """The rules."""
        return self._door.task

    @property
    def world(self) -> World:
        """The state, a batch of one."""
        return self._world

    @property
    def senses(self) -> dict[str, Sense]:
        """The layout of the observation: name -> Sense."""
        return self._door.senses

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode: the first of ``seed``, or the next one.

        Raises:
            ValueError: the seed is no whole number of at least 0.
        """
        seed = None if seed is None else whole("seed", seed, 0)
        super().reset(seed=seed)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        if seed is not None:
            self._world.seed(seed)
            self._seeded = True
        self._world.reset()
        observation = self._door.see(self.observe())
        if self.render_mode == "human":
            self.render()
        return observation, {}

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One control step with ``action`` (2,)."""
        self._door.check_begun()
        array = np.asarray(action, np.float32)
        if array.shape != (2,):
            raise ValueError(f"the action has shape {array.shape}, not (2,)")
        reward, terminated, truncated = self._world.step(array.reshape(1, 2))
        ended, late = bool(terminated[0]), bool(truncated[0])
        info: dict[str, Any] = {}
        if ended or late:
            info = {k: v[0].item() for k, v in self._door.ends(self._world.rows).items()}
        observation = self._door.see(self.observe())
        if self.render_mode == "human":
            self.render()
        return observation, float(reward[0]), ended, late, info

    def observe(self) -> Observation:
        """What the body perceives now: a fresh array (size,) by sense."""
        world = self._world
        out = np.empty(self._width, np.float32)
        world.reader.write(world, world.rows, out)
        return self._split(out)

    @property
    def truths(self) -> tuple[str, ...]:
        """Names of what is so in the world, sensed or not: those of a recorded trace."""
        return self._door.truths

    def truth(self, name: str) -> npt.NDArray[Any]:
        """A copy of what is so now, by a name of `truths`; see `Door.truth`."""
        found: npt.NDArray[Any] = self._door.truth(name)[0]
        return found

    def oracle(self) -> Floats:
        """The oracle's action (2,) for the present state."""
        action: Floats = self._door.oracle()[0]
        return action

    def observer(self) -> Floats:
        """The observer's action (2,), from the senses' history alone; ask it at every step."""
        action: Floats = self._door.observer()[0]
        return action

    def get_state(self) -> State:
        """A copy of the whole world, random stream included."""
        return self._world.get_state()

    def set_state(self, state: State) -> None:
        """Put the world into a state that `get_state` gave."""
        self._door.set_state(state)
        self._seeded = True

    def render(self) -> npt.NDArray[np.uint8] | None:
        """A picture (H, W, 3) uint8, or None after showing it in the window."""
        if self.render_mode is None:
            return None
        frame = self._door.picture(0)
        if self.render_mode == "human":
            self._door.show(frame)
            return None
        return frame

    def close(self) -> None:
        """Close the window, if one is open."""
        self._door.close()
