"""The door for a batch of worlds: Gymnasium's `VectorEnv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from motley.envs.door import METADATA, Door, whole
from motley.envs.senses import Observation, Sense
from motley.envs.streams import Bools, Floats, Ints
from motley.envs.task import Task
from motley.envs.world import State, World

Info = dict[str, Any]


class WorldVectorEnv(VectorEnv[Observation, npt.NDArray[np.float32], npt.NDArray[Any]]):
    """N worlds of a task, in lock step.

    ``reset(seed=s)`` seeds world i with s + i. At an episode's end ``info`` has ``is_success``,
    ``score`` and ``score01``, each (N,) with a mask under its name with ``_`` before it.

    Args:
        task: the task, its class, its name or its id.
        num_envs: N.
        render_mode: None, "rgb_array" or "human": the first world.
        render_size: height and width of a picture in pixels.
        autoreset_mode: when a world that ended begins anew: "NextStep" (its next action is
            ignored), "SameStep" (the last observation is in ``info["final_obs"]``) or
            "Disabled" (``reset(options={"reset_mask": mask})``).
        **settings: ``level``, ``ood`` and the task's variants.
    """

    def __init__(
        self,
        task: str | type[Task] | Task,
        num_envs: int = 1,
        render_mode: str | None = None,
        render_size: int = 256,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        **settings: Any,
    ) -> None:
        self._door = Door(task, num_envs, render_mode, render_size, **settings)
        self.num_envs = num_envs = self._door.world.n
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = METADATA | {"autoreset_mode": self.autoreset_mode}
        self.render_mode = render_mode
        self.single_observation_space = self._door.observation_space
        self.single_action_space = self._door.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._ended = np.zeros(num_envs, np.bool_)
        self._seeded = False

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

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, Info]:
        """Begin an episode in every world, or in those of ``options["reset_mask"]`` (N,) bool.

        Args:
            seed: world i gets ``seed + i``, or its own of a sequence; None goes on to the next
                episode of the seed before (at first: of a random one).
            options: may hold ``reset_mask``.

        Raises:
            ValueError, TypeError: a seed that cannot be, or a sequence or mask of the wrong length
                or kind.
        """
        listed = isinstance(seed, Sequence | np.ndarray) and not isinstance(seed, str)
        each = cast(Sequence[int | None], seed) if listed else None
        first = None if listed or seed is None else whole("seed", seed, 0)
        super().reset(seed=first)
        rows = self._rows(options)
        if seed is None and not self._seeded:
            first = int(self.np_random.integers(2**31))
        if first is not None:
            each = [first + i for i in range(self.num_envs)]
        if each is not None:
            self._seed(each, rows)
        self._seeded = True
        self.world.reset(rows)
        self._ended[rows] = False
        return self._door.see(self.world.observe()), {}

    def _rows(self, options: dict[str, Any] | None) -> Ints:
        mask = (options or {}).get("reset_mask")
        if mask is None:
            return self.world.rows
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError(f"options['reset_mask'] must be a bool array, not {mask!r}")
        if mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(
                f"options['reset_mask'] must have shape ({self.num_envs},) and a True in it, "
                f"not {mask.shape} with {int(mask.sum())}"
            )
        return np.flatnonzero(mask)

    def _seed(self, seeds: Sequence[int | None], rows: Ints) -> None:
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds for {self.num_envs} worlds")
        own = [None if seed is None else whole("seed", seed, 0) for seed in seeds]
        which = np.array([i for i in rows if own[i] is not None], np.int64)
        self.world.seed(np.array([own[i] for i in which], np.uint64), which)

    def step(
        self, actions: npt.NDArray[np.float32]
    ) -> tuple[Observation, npt.NDArray[np.float64], Bools, Bools, Info]:
        """One control step with ``actions`` (N, 2) in every world.

        Raises:
            ResetNeeded: no episode has begun.
            ValueError: the shape is another, a number is not finite, or a world has ended and
                nothing begins it anew.
        """
        door, world, over = self._door, self.world, self._ended
        actions = door.actions(actions)
        waiting = np.flatnonzero(over)
        if waiting.size:
            if self.autoreset_mode is AutoresetMode.DISABLED:
                raise ValueError(
                    f"worlds {waiting[:8].tolist()} have ended and autoreset is disabled: call "
                    'reset(options={"reset_mask": mask}) first'
                )
            actions = actions.copy()
            actions[waiting] = 0.0
        earned, terminated, truncated = world.step(actions)
        reward = np.array(earned, np.float64)
        if waiting.size:
            # These were stepped with the rest, which is harmless: a reset overwrites everything.
            world.reset(waiting)
            reward[waiting] = 0.0
            terminated[waiting] = truncated[waiting] = False
        self._ended = terminated | truncated
        info: Info = {}
        rows = np.flatnonzero(self._ended)
        if rows.size:
            info = self._spread(door.ends(rows), rows)
        if rows.size and self.autoreset_mode is AutoresetMode.SAME_STEP:
            final = world.observe()
            last = np.full(self.num_envs, None, dtype=object)
            for i in rows:
                last[i] = {name: array[i].copy() for name, array in final.items()}
            mask = self._ended.copy()
            info = {"final_obs": last, "_final_obs": mask, "final_info": info}
            info["_final_info"] = mask.copy()
            world.reset(rows)
            self._ended = np.zeros(self.num_envs, np.bool_)
        return door.see(world.observe()), reward, terminated, truncated, info

    def _spread(self, values: dict[str, npt.NDArray[Any]], rows: Ints) -> Info:
        """Gymnasium's convention: arrays over all worlds, each with a mask of who has one."""
        info: Info = {}
        for name, value in values.items():
            info[name] = np.zeros(self.num_envs, value.dtype)
            info[name][rows] = value
            info[f"_{name}"] = self._ended.copy()
        return info

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
        """A copy of all worlds: random streams, episodes, and who is about to begin anew."""
        return self.world.get_state() | {"autoreset": self._ended.copy()}

    def set_state(self, state: State) -> None:
        """Put the worlds into a state that `get_state` gave."""
        rest = dict(state)
        self._ended = rest.pop("autoreset").copy()
        self._door.set_state(rest)
        self._seeded = True

    def render(self) -> tuple[npt.NDArray[np.uint8], ...] | None:
        """One picture (H, W, 3) uint8 per world; "human" shows the first world and gives None."""
        if self.render_mode is None:
            return None
        if self.render_mode == "human":
            self._door.show(self._door.picture(0))
            return None
        return tuple(self._door.picture(i) for i in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window, if one is open."""
        self._door.close()
