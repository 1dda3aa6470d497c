"""Task: what an author writes. Doors, seeding, truncation, rendering and score01 come with it.

A task says what the body perceives (`senses`), how a world begins (`layout`), what a step
earned and whether it was the last (`outcome`), how well an episode went (`score`, `success`),
and how one that knows everything would act (`oracle`). Everything is written with arrays over
worlds, so a task in plain NumPy keeps the speed of the batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from motley.envs import kernels
from motley.envs.senses import BODY, Observation, Sense
from motley.envs.streams import Bools, Floats, Ints, Streams, length
from motley.envs.world import World


@dataclass(frozen=True)
class Body:
    """A disc that turns first and walks then.

    Attributes:
        controls: names of the two actions.
        speed: metres a step at most. turn: radians a step at most. radius: metres.
        motor_forward: standard deviation of the walked distance, as a fraction of it.
        motor_turn: of the turn, radians at full command (of either part).
        egomotion_forward: of the forward reading, as a fraction of it.
        egomotion_turn: of the turn's reading, radians.
        control_step: seconds that a step stands for, and that recordings count.
    """

    controls: ClassVar[tuple[str, str]] = ("forward", "turn")
    speed: float = 0.4
    turn: float = float(np.pi / 3)
    radius: float = 0.25
    motor_forward: float = 0.0
    motor_turn: float = 0.0
    egomotion_forward: float = 0.0
    egomotion_turn: float = 0.0
    control_step: float = 0.25

    @cached_property
    def packed(self) -> Floats:
        """(7,) float32 in the order of `kernels.move`."""
        return np.array(
            [
                self.speed,
                self.turn,
                self.radius,
                self.motor_forward,
                self.motor_turn,
                self.egomotion_forward,
                self.egomotion_turn,
            ],
            np.float32,
        )

    def move(self, world: World, actions: Floats) -> int:
        """Move every body of ``world`` by one step, and mark what it touched.

        Args:
            world: its bodies are of this kind.
            actions: (N, 2) float32 [forward, turn], clipped to [0, 1] and [-1, 1].

        Returns:
            -1, or the first world whose action is not finite; then nothing has moved.
        """
        return int(
            kernels.move(
                world.floats, world.flags, world.counters, actions, self.packed, world.plan
            )
        )


@dataclass(frozen=True)
class Level:
    """A rung of a task's ladder; a task adds its own fields.

    Attributes:
        chance: what the best policy reaches that does not solve the problem.
    """

    chance: float


class Policy(Protocol):
    """Acts from the history of observations; may hold state, one row per world."""

    def reset(self, n: int) -> None:
        """Forget everything; ``n`` worlds follow."""

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        """The actions (N, 2) for observations (N, size); ``episode_start`` (N,) marks the first."""
        ...


Shortcuts = Mapping[str, Callable[[Any], Policy]]
"""By name, what makes a policy for a task."""


class Task(ABC):
    """Base class of all tasks.

    A task sets the class attributes, sets ``horizon`` and ``n_shapes`` (and ``n_walls``, ``body``
    or ``senses``, if its own) in ``__init__`` after calling this one, and writes the abstract
    methods below. `observer` and `heuristics` come of ``observer_policy`` and ``shortcuts``.

    Attributes:
        problem: what it poses, in words; structures are matched to it.
        levels: its ladder. default_level: the rung where none is given.
        variants: settings of its further constructor arguments that are calibrated.
        reward_range: bounds of a step's reward.
        oracle_bar: the oracle's mean raw score at every level, at least. Raw scores are in [0, 1];
            the bar is below 1, since no number of perfect episodes shows that all others would be.
        observer_policy: class of the best hand-written policy from the senses' history, made with
            the task; None where a task has none.
        shortcuts: makers of shortcut policies by name, each called with the task.
        senses: what the body perceives; the suite's tasks share `senses.BODY`.
        horizon: steps that an episode has at most; see `timed_out`.
        n_shapes, n_walls: how many discs and walls a world has.
        body: what moves.

    Args:
        level: rung of ``levels``; None is ``default_level``.
        ood: the out-of-distribution variant of the level.

    Raises:
        ValueError: there is no such level, or ``ood`` is neither True nor False; and where a class
            is written whose ``oracle_bar`` no oracle can be shown to reach.
    """

    problem: ClassVar[str]
    levels: ClassVar[tuple[Level, ...]]
    default_level: ClassVar[int] = 0
    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    reward_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    oracle_bar: ClassVar[float] = 0.95
    observer_policy: ClassVar[type[Any] | None] = None
    shortcuts: Shortcuts = MappingProxyType({})
    senses: tuple[Sense, ...] = BODY
    horizon: int
    n_shapes: int
    n_walls: int = 0
    body: Body = Body()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not 0 <= cls.oracle_bar < 1:
            raise ValueError(
                f"{cls.__name__}.oracle_bar is {cls.oracle_bar}: give a mean raw score of at least "
                f"0 and below 1, such as 0.95"
            )

    def __init__(self, level: int | None = None, ood: bool = False) -> None:
        given: Any = self.default_level if level is None else level
        equal_to_some = isinstance(given, bool | np.bool_ | float | np.floating)
        if equal_to_some or given not in range(len(self.levels)):
            raise ValueError(
                f"{type(self).__name__} has levels 0 to {len(self.levels) - 1}, not {given!r}"
            )
        flag: Any = ood
        if not isinstance(flag, bool | np.bool_):
            raise ValueError(f"{type(self).__name__}(ood={flag!r}): give True or False")
        self.level, self.ood = int(given), bool(flag)

    @property
    def name(self) -> str:
        """The class's name, which is the id's: ``motley/<name>-v0``."""
        return type(self).__name__

    @property
    def chance(self) -> float:
        """What the best policy reaches that does not solve the problem, at this level."""
        return self.levels[self.level].chance

    @property
    def variant(self) -> dict[str, Any]:
        """Constructor arguments beyond level and ood, as they are set."""
        return {}

    def fields(self) -> Mapping[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """State of the task's own: name -> (shape without the world axis, dtype); zero at reset."""
        return {}

    @abstractmethod
    def layout(self, world: World, which: Ints, rng: Streams) -> None:
        """Lay out worlds ``which`` (R,), blank so far; ``rng`` gives one row for each of them."""

    @abstractmethod
    def outcome(self, world: World) -> tuple[npt.NDArray[Any], Bools]:
        """Reward (N,) and terminated (N,) of the step just made; may change the world."""

    def timed_out(self, world: World) -> Bools:
        """Whether its time is up, (N,), which truncates an episode: at the horizon, or before.

        The horizon is counted by ``world.elapsed``.
        """
        late: Bools = world.elapsed >= self.horizon
        return late

    @abstractmethod
    def score(self, world: World) -> npt.NDArray[Any]:
        """How well the episode went so far, (N,); read at its end."""

    def success(self, world: World) -> Bools:
        """Whether it succeeded, (N,); read at its end."""
        return self.score(world) >= 1.0

    @abstractmethod
    def oracle(self, world: World) -> Floats:
        """Actions (N, 2) of one that sees the hidden state."""

    def observer(self) -> Policy | None:
        """The best hand-written policy from the senses' history, if there is one."""
        if self.observer_policy is None:
            return None
        made: Policy = self.observer_policy(self)
        return made

    def heuristics(self) -> dict[str, Callable[[], Policy]]:
        """Shortcut policies by name, each a factory."""
        return {name: partial(make, self) for name, make in self.shortcuts.items()}

    def scene(self, world: World, index: int) -> dict[str, Any]:
        """Hints for the picture of world ``index``; `motley.envs.render` lists the keys."""
        return {}

    def touched(self, world: World, rows: Ints, shapes: int) -> Ints:
        """Which of the first ``shapes`` worlds ``rows`` (R,) touch, the nearest; -1 is none."""
        gap = length(world.shape_position[rows, :shapes] - world.position[rows, None])
        gap[~world.contact[rows, :shapes]] = np.inf
        return np.where(np.isfinite(gap).any(axis=1), gap.argmin(axis=1), -1)

    def toward(self, world: World, target: Floats) -> Floats:
        """Actions (N, 2) that walk each body to its ``target`` (N, 2)."""
        return self.steer(world.position, world.heading, target)

    def steer(
        self, position: npt.ArrayLike, heading: npt.ArrayLike, target: npt.ArrayLike
    ) -> Floats:
        """The same from poses: position (N, 2), heading (N,), target (N, 2)."""
        place = np.asarray(position, np.float32)
        out = np.empty((len(place), 2), np.float32)
        kernels.fill_steering(
            place,
            np.asarray(heading, np.float32),
            np.asarray(target, np.float32),
            self.body.speed,
            self.body.turn,
            out,
        )
        return out
