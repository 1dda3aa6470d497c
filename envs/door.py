"""What the three doors (single, vector, SB3) share: the worlds, the end of an episode, pictures."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from motley.envs import calibration, senses, tasks, trace
from motley.envs.senses import Observation, Sense
from motley.envs.streams import Bools, Floats, Ints
from motley.envs.task import Policy, Task
from motley.envs.world import State, World

if TYPE_CHECKING:
    from motley.envs.render import Window

RENDER_MODES = ["human", "rgb_array"]
METADATA = {"render_modes": RENDER_MODES, "render_fps": 4}
SMALLEST = 64
"""Height and width in pixels of the smallest picture that `motley.envs.render` draws."""


class Door:
    """A batch of worlds, as a door sees it.

    Args:
        task: the task, its class, its name or its id.
        num_envs: number of worlds.
        render_mode: None, "rgb_array" or "human".
        render_size: height and width of a picture in pixels.
        **settings: constructor arguments of the task: ``level``, ``ood`` and its variants.

    Raises:
        ValueError: unknown task, level or render mode, a number that cannot be, or a setting that
            the task does not take.
    """

    def __init__(
        self,
        task: str | type[Task] | Task,
        num_envs: int,
        render_mode: str | None,
        render_size: int,
        **settings: Any,
    ) -> None:
        if render_mode is not None and render_mode not in RENDER_MODES:
            raise ValueError(f"render_mode is one of {RENDER_MODES} or None, not {render_mode!r}")
        self.task = _made(task, settings)
        self.world = World(self.task, whole("num_envs", num_envs, 1))
        self.render_mode = render_mode
        self.render_size = whole("render_size", render_size, SMALLEST)
        self.scale = calibration.scale(self.task)
        self.observation: Observation = {}
        self.clock = 0
        self._policy: Policy | None = None
        self._asked_at = -2
        self._answer: Floats = np.zeros((self.world.n, 2), np.float32)
        self._window: Window | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_window": None}

    @property
    def senses(self) -> dict[str, Sense]:
        """The layout of the observation: name -> Sense."""
        return self.world.reader.senses

    @property
    def observation_space(self) -> spaces.Dict:
        """Of one world."""
        return senses.observation_space(self.task.senses)

    @property
    def action_space(self) -> spaces.Box:
        """Of one world: [forward speed (negative stands), turn rate (positive is left)]."""
        return spaces.Box(-1.0, 1.0, (2,), np.float32)

    def actions(self, actions: npt.ArrayLike) -> Floats:
        """Actions (N, 2) as float32.

        Raises:
            ResetNeeded: no episode has begun.
            ValueError: the shape is another.
        """
        self.check_begun()
        array = np.asarray(actions, np.float32)
        if array.shape != (self.world.n, 2):
            raise ValueError(f"actions have shape {array.shape}, not {(self.world.n, 2)}")
        return array

    def check_begun(self) -> None:
        """Refuse a step before the first reset, when no world has been laid out.

        Raises:
            ResetNeeded: no episode has begun.
        """
        if not self.clock:
            raise ResetNeeded(f"{self.task.name}: call reset() before the first step")

    def see(self, observation: Observation) -> Observation:
        """Note what the bodies perceive now, for `observer`."""
        self.observation = observation
        self.clock += 1
        return observation

    def ends(self, rows: Ints) -> dict[str, npt.NDArray[Any]]:
        """``score``, ``score01`` and ``is_success`` of worlds ``rows``, whose episodes ended."""
        score = np.asarray(self.task.score(self.world), np.float64)[rows]
        low, span = self.scale
        return {
            "is_success": np.asarray(self.task.success(self.world), np.bool_)[rows],
            "score": score,
            "score01": (score - low) / span,
        }

    @property
    def truths(self) -> tuple[str, ...]:
        """Names of what is so in the worlds, sensed or not: those of a recorded trace."""
        return trace.truth_names(self.world)

    def truth(self, name: str) -> npt.NDArray[Any]:
        """A copy of what is so now, (N, ...), by a name of `truths`.

        Raises:
            ValueError: there is none of that name; the nearest are in the message.
        """
        return trace.truth(self.world, name).copy()

    def oracle(self) -> Floats:
        """The oracle's actions (N, 2) for the present state."""
        return self.task.oracle(self.world)

    def observer(self) -> Floats:
        """The observer's actions (N, 2): hand-written, from the senses' history alone.

        Raises:
            RuntimeError: the task has none, or it was not asked at every step.
        """
        if self._asked_at == self.clock:
            return self._answer.copy()
        starts: Bools = self.world.elapsed == 0
        if starts.all():
            self._policy = self.task.observer()
            if self._policy is None:
                raise RuntimeError(f"{self.task.name} has no observer")
            self._policy.reset(self.world.n)
        elif self._policy is None or self._asked_at != self.clock - 1:
            raise RuntimeError(
                "the observer lives on the history of observations: ask it at every step, "
                "from a reset of all worlds on"
            )
        batched = {k: v.reshape(self.world.n, -1) for k, v in self.observation.items()}
        self._answer = self._policy.act(batched, starts)
        self._asked_at = self.clock
        return self._answer.copy()

    def set_state(self, state: State) -> None:
        """Put the worlds into a state of `World.get_state`; the observer has to begin anew."""
        self.world.set_state(state)
        self._policy, self._asked_at = None, -2
        self.see(self.world.observe())

    def picture(self, index: int) -> npt.NDArray[np.uint8]:
        """World ``index`` from above, (H, W, 3) uint8."""
        from motley.envs import render

        return render.render(self.task, self.world, index, self.render_size)

    def pictures(self, count: int) -> npt.NDArray[np.uint8]:
        """The first ``count`` worlds in one mosaic, (H, W, 3) uint8."""
        columns = int(np.ceil(np.sqrt(count)))
        size = self.render_size
        mosaic = np.zeros((-(-count // columns) * size, columns * size, 3), np.uint8)
        for i in range(count):
            top, left = i // columns * size, i % columns * size
            mosaic[top : top + size, left : left + size] = self.picture(i)
        return mosaic

    def show(self, frame: npt.NDArray[np.uint8]) -> None:
        """Show a picture in the window, which opens at the first."""
        from motley.envs import render

        if self._window is None:
            self._window = render.Window(title=f"motley/{self.task.name}-v0")
        self._window.show(frame)

    def close(self) -> None:
        """Close the window, if one is open."""
        if self._window is not None:
            self._window.close()
            self._window = None


def whole(name: str, given: Any, least: int) -> int:
    """Return an argument that has to be a whole number; those of NumPy are, too.

    Raises:
        ValueError: names the argument, what it must be and what it is.
    """
    if not isinstance(given, int | np.integer) or isinstance(given, bool) or given < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {given!r}")
    return int(given)


def _made(given: Any, settings: dict[str, Any]) -> Task:
    """Return the task with its settings; one that it does not take is named."""
    task = tasks.find(given) if isinstance(given, str) else given
    if isinstance(task, Task):
        if settings:
            raise ValueError(
                f"a task that is made already takes no settings, such as {', '.join(settings)}: "
                f"give them to {type(task).__name__}(...), or give the class"
            )
        return task
    if not isinstance(task, type) or not issubclass(task, Task):
        raise ValueError(
            f"the task must be a name or id such as 'DarkHome', a subclass of Task or an "
            f"instance of one, not {given!r}"
        )
    takes = inspect.signature(task)
    try:
        takes.bind(**settings)
    except TypeError as error:
        raise ValueError(
            f"{task.__name__}: {error}; it takes {', '.join(takes.parameters)}"
        ) from error
    for name, value in settings.items():
        switch = isinstance(getattr(takes.parameters.get(name), "default", None), bool)
        if switch and not isinstance(value, bool | np.bool_):
            raise ValueError(f"{task.__name__}({name}={value!r}): give True or False")
    return task(**settings)
