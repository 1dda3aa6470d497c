"""World: N bodies in N open fields in lock step; the one place where state lives.

Everything is an array with the world as first axis. The core is packed in three blocks for the
kernels (see `motley.envs.kernels`); the attributes below are views of them, so write into them
(``world.light[rows] = 0``), never over them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from motley.envs import kernels, streams
from motley.envs.senses import SHOWN, Observation, Reader

if TYPE_CHECKING:
    from motley.envs.task import Task

State = dict[str, npt.NDArray[Any]]


class World:
    """State of ``n`` worlds of one task.

    Attributes:
        position: (N, 2) metres. heading: (N,) radians, counter-clockwise from +x.
        shape_position (N, S, 2), shape_radius (N, S) metres, shape_color (N, S, 3) in [0, 1],
        shape_visible (N, S), shape_touchable (N, S), shape_solid (N, S): the discs. A visible
            one meets the rays, contact with a touchable one is felt, a solid one holds the body.
        wall (N, W, 4), wall_color (N, W, 3): ends x, y, x, y in metres and colour of walls, which
            meet the rays, hold the body and are felt; one without length is not there.
        light: (N,) 0 is dark. free: (N,) False holds the body.
        displacement (N,) metres and turn (N,) radians: realised in this step.
        egomotion: (N, 3) the body's reading of them. gain: (N,) of its forward part.
        contact: (N, S) the body's disc met the shape in this step, along its path.
        touched: (N,) it met one that was touchable.
        cue, smell, interoception, proprioception: (N, k) what the task shows the body.
        elapsed: (N,) steps in this episode. rows: (N,) 0 .. N-1.
        and one array for each of the task's ``fields()``.

    Args:
        task: the rules.
        n: number of worlds.

    Raises:
        TypeError: the task is none. ValueError: no world; and at a call, arguments of other shapes.
    """

    task: Task
    n: int
    n_shapes: int
    plan: npt.NDArray[np.int64]
    reader: Reader
    rows: npt.NDArray[np.int64]
    floats: npt.NDArray[np.float32]
    flags: npt.NDArray[np.bool_]
    counters: npt.NDArray[np.uint64]
    fields: State
    position: npt.NDArray[np.float32]
    heading: npt.NDArray[np.float32]
    displacement: npt.NDArray[np.float32]
    turn: npt.NDArray[np.float32]
    light: npt.NDArray[np.float32]
    egomotion: npt.NDArray[np.float32]
    gain: npt.NDArray[np.float32]
    cue: npt.NDArray[np.float32]
    smell: npt.NDArray[np.float32]
    interoception: npt.NDArray[np.float32]
    proprioception: npt.NDArray[np.float32]
    shape_position: npt.NDArray[np.float32]
    shape_radius: npt.NDArray[np.float32]
    shape_color: npt.NDArray[np.float32]
    wall: npt.NDArray[np.float32]
    wall_color: npt.NDArray[np.float32]
    free: npt.NDArray[np.bool_]
    shape_visible: npt.NDArray[np.bool_]
    shape_touchable: npt.NDArray[np.bool_]
    shape_solid: npt.NDArray[np.bool_]
    contact: npt.NDArray[np.bool_]
    touched: npt.NDArray[np.bool_]
    elapsed: npt.NDArray[np.int64]

    def __init__(self, task: Task, n: int) -> None:
        if not hasattr(task, "n_shapes"):
            raise TypeError(f"a World takes a task that is made, such as DarkHome(), not {task!r}")
        if n < 1:
            raise ValueError(f"a World needs at least one world, not n={n}")
        shapes, walls = task.n_shapes, task.n_walls
        reader = Reader(task.senses)
        at = reader.end
        walls_at = at + 6 * shapes
        floats = np.zeros((n, walls_at + 7 * walls), np.float32)
        flags = np.zeros((n, kernels.SHAPES + 4 * shapes), np.bool_)
        counters = np.zeros((n, 4), np.uint64)
        marks = flags[:, kernels.SHAPES :].reshape(n, 4, shapes)
        shown = {name: floats[:, reader.columns.get(name, slice(0, 0))] for name in SHOWN}
        self.__dict__.update(
            task=task,
            n=n,
            n_shapes=shapes,
            plan=np.array([shapes, at, walls, walls_at], np.int64),
            reader=reader,
            rows=np.arange(n),
            floats=floats,
            flags=flags,
            counters=counters,
            position=floats[:, :2],
            heading=floats[:, kernels.HEADING],
            displacement=floats[:, kernels.DISPLACEMENT],
            turn=floats[:, kernels.TURN],
            light=floats[:, kernels.LIGHT],
            egomotion=floats[:, kernels.EGOMOTION : kernels.EGOMOTION + 3],
            gain=floats[:, kernels.GAIN],
            **shown,
            shape_position=floats[:, at : at + 2 * shapes].reshape(n, shapes, 2),
            shape_radius=floats[:, at + 2 * shapes : at + 3 * shapes],
            shape_color=floats[:, at + 3 * shapes : walls_at].reshape(n, shapes, 3),
            wall=floats[:, walls_at : walls_at + 4 * walls].reshape(n, walls, 4),
            wall_color=floats[:, walls_at + 4 * walls :].reshape(n, walls, 3),
            free=flags[:, kernels.FREE],
            touched=flags[:, kernels.TOUCH],
            shape_visible=marks[:, 0],
            shape_touchable=marks[:, 1],
            contact=marks[:, 2],
            shape_solid=marks[:, 3],
            elapsed=counters.view(np.int64)[:, kernels.ELAPSED],
        )
        fields = {
            name: np.zeros((n, *shape), dtype) for name, (shape, dtype) in task.fields().items()
        }
        taken = fields.keys() & self.__dict__.keys()
        if taken:
            raise ValueError(f"{type(task).__name__}.fields() takes World's own names: {taken}")
        self.__dict__.update(fields)
        self.__dict__["fields"] = fields

    def __setattr__(self, name: str, value: Any) -> None:
        """Only in-place operators pass: an array put over a view would be lost."""
        if self.__dict__.get(name) is not value:
            raise AttributeError(
                f"write into the array, world.{name}[...] = ..., or declare it in Task.fields()"
            )

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"World has no array {name!r}: declare it in Task.fields()")

    def __reduce__(self) -> tuple[Any, ...]:
        # Views of one block would become arrays of their own if they were pickled as they are.
        return _rebuild, (self.task, self.n, self.get_state())

    def seed(self, seeds: npt.ArrayLike, rows: npt.NDArray[np.int64] | None = None) -> None:
        """Give worlds ``rows`` (all if None) their seeds; their next episode is the first.

        Args:
            seeds: a whole number of 0 or more, or one for each of the rows.
            rows: which worlds, by index.

        Raises:
            ValueError: a seed is something else, or there are more or fewer than worlds.
        """
        which = self.rows if rows is None else rows
        given = np.asarray(seeds)
        whole = given.size == 0 or np.issubdtype(given.dtype, np.integer)
        if not whole or (given < 0).any():
            raise ValueError(f"seeds are whole numbers from 0 to below 2**64, not {seeds!r}")
        if given.shape not in ((), which.shape):
            raise ValueError(f"seeds of shape {given.shape} for {len(which)} worlds")
        self.counters[which, kernels.SEED] = given.astype(np.uint64)
        self.counters[which, kernels.EPISODE] = 0

    def reset(self, rows: npt.NDArray[np.int64] | None = None) -> None:
        """Begin the next episode in worlds ``rows`` (all if None)."""
        which = self.rows if rows is None else rows
        self.counters[which, kernels.EPISODE] += np.uint64(1)
        self.counters[which, kernels.DRAW :] = 0
        self.floats[which] = 0.0
        self.floats[which, kernels.LIGHT] = 1.0
        self.floats[which, kernels.EGOMOTION + 2] = 1.0
        self.floats[which, kernels.GAIN] = 1.0
        self.flags[which] = False
        self.flags[which, kernels.FREE] = True
        for array in self.fields.values():
            array[which] = 0
        self.task.layout(self, which, streams.Streams(self.counters, which))

    def step(
        self, actions: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """One control step in every world.

        Args:
            actions: (N, 2) float32, such as [forward, turn]; out of range is clipped, see
                `Body.move`.

        Returns:
            reward (N,), terminated (N,), truncated (N,): its time is up.

        Raises:
            ValueError: the shape or type is another, or an action is not finite; then nothing has
                moved. Or what the task's ``outcome`` or ``timed_out`` gives has another shape or
                type.
        """
        if actions.shape != (self.n, 2) or actions.dtype != np.float32:
            raise ValueError(
                f"actions are {(self.n, 2)} float32, not {actions.shape} {actions.dtype}"
            )
        task = self.task
        bad = task.body.move(self, actions)
        if bad >= 0:
            raise ValueError(
                f"the action of world {bad} is not finite: {actions[bad]}; actions are two "
                "numbers in [-1, 1]"
            )
        outcome: Any = task.outcome(self)
        if not isinstance(outcome, tuple) or len(outcome) != 2:
            raise ValueError(
                f"{task.name}.outcome must give a pair, reward and terminated, not "
                f"{type(outcome).__name__}"
            )
        reward, terminated = outcome
        truncated = task.timed_out(self)
        for array, name, what, kinds, words in (
            (reward, "outcome", "reward", "fiub", "numbers"),
            (terminated, "outcome", "terminated", "b", "bools"),
            (truncated, "timed_out", "whose time is up", "b", "bools"),
        ):
            shape, dtype = getattr(array, "shape", None), getattr(array, "dtype", None)
            if shape != (self.n,) or dtype is None or dtype.kind not in kinds:
                raise ValueError(
                    f"{task.name}.{name} must give {what} as an array ({self.n},) of {words}, one "
                    f"for each world; what it gives is {type(array).__name__} {shape} of {dtype}"
                )
        return reward, terminated, truncated

    def observe(self) -> Observation:
        """What every body perceives now: fresh arrays, (N, size) by sense."""
        out = np.empty(self.n * self.reader.width, np.float32)
        self.reader.write(self, self.rows, out)
        return self.reader.split(out, self.n)

    def _arrays(self) -> State:
        blocks: State = {"floats": self.floats, "flags": self.flags, "counters": self.counters}
        return blocks | self.fields

    def get_state(self) -> State:
        """A copy of everything that the worlds' future depends on."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def set_state(self, state: State) -> None:
        """Put the worlds into a state that `get_state` gave, of as many worlds of this task.

        Raises:
            ValueError: names or shapes differ.
        """
        mine = self._arrays()
        if state.keys() != mine.keys():
            raise ValueError(f"state has {sorted(state)}, this world needs {sorted(mine)}")
        for name, array in mine.items():
            if array.shape != state[name].shape:
                raise ValueError(f"{name} is {state[name].shape}, this world's is {array.shape}")
        for name, array in mine.items():
            array[...] = state[name]


def _rebuild(task: Task, n: int, state: State) -> World:
    world = World(task, n)
    world.set_state(state)
    return world
