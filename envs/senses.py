"""What a body perceives, and the observation space that follows.

Every sense is one float32 box of one dimension, in [0, 1] or [-1, 1]. Vision is 24 rays around
the body, each with the nearness and the colour of the nearest visible disc.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from motley.envs import kernels, streams

if TYPE_CHECKING:
    from motley.envs.world import World

COMPILED = ("vision", "touch", "go")
"""The senses that `kernels.perceive` works out, in its order."""
SHOWN = ("smell", "interoception", "proprioception", "cue")
"""The senses that are arrays of the world: a task writes them, ``world.cue[rows] = ...``."""

Observation = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Sense:
    """One entry of the observation.

    Attributes:
        name: its key in the observation.
        size: how many numbers.
        low, high: bounds of each number.
        unit: what a number counts.
        description: one sentence.
        read: (world, rows) -> (R, size), for a sense that a task brings along; the built-in
            ones are compiled.
    """

    name: str
    size: int
    low: float
    high: float
    unit: str
    description: str
    read: Callable[[World, npt.NDArray[np.int64]], npt.NDArray[Any]] | None = None


@dataclass(frozen=True)
class Vision(Sense):
    """Rays around the body: ``size = rays x channels``, ray-major.

    Ray 0 looks straight ahead, the others follow counter-clockwise at equal steps; a ray's
    channels are nearness, red, green, blue.
    """

    rays: int = 24
    channels: tuple[str, ...] = ("nearness", "red", "green", "blue")

    @property
    def angles(self) -> npt.NDArray[np.float32]:
        """(rays,) angle of each ray to the heading, radians in [-pi, pi)."""
        turns = np.arange(self.rays) / self.rays
        return ((turns - np.floor(turns + 0.5)) * 2 * np.pi).astype(np.float32)


def vision(rays: int = 24) -> Vision:
    """What the rays meet: nearness = 1 - distance / 8 m from the body's centre, and colour."""
    return Vision(
        "vision",
        4 * rays,
        0.0,
        1.0,
        "1 - distance / 8 m; colour",
        "nearest visible disc on each ray, blank in the dark",
        rays=rays,
    )


def egomotion() -> Sense:
    """How the body moved in the last step, as it feels it: [forward / 0.8 m, sin, cos of turn]."""
    return Sense(
        "egomotion",
        3,
        -1.0,
        1.0,
        f"forward / {kernels.FORWARD_SCALE} m; sine, cosine",
        "noisy reading of the last step's motion: forward, sine and cosine of the turn",
    )


def touch() -> Sense:
    """1 where the body touched something in the last step."""
    return Sense("touch", 1, 0.0, 1.0, "0 or 1", "contact with something in the last step")


def smell(kinds: int = 8) -> Sense:
    """Odours at the body, one number for each kind."""
    return Sense("smell", kinds, 0.0, 1.0, "concentration", "odour of each kind at the body")


def interoception(needs: int = 8) -> Sense:
    """How full each need is."""
    return Sense("interoception", needs, 0.0, 1.0, "level", "level of each need of the body")


def proprioception(joints: int = 2) -> Sense:
    """The joints of an arm: sine and cosine of each angle."""
    return Sense(
        "proprioception", 2 * joints, -1.0, 1.0, "sine, cosine", "sine and cosine of each joint"
    )


def cue(size: int, description: str, low: float = 0.0, high: float = 1.0) -> Sense:
    """Numbers that the task shows."""
    return Sense("cue", size, low, high, "task's own", description)


def go() -> Sense:
    """1 where the body is free to move, 0 where it is held."""
    return Sense("go", 1, 0.0, 1.0, "0 or 1", "the body is free to move")


BODY: tuple[Sense, ...] = (
    vision(),
    egomotion(),
    touch(),
    smell(),
    interoception(),
    proprioception(),
    cue(8, "numbers that the task shows", -1.0),
    go(),
)
"""What the body of the suite perceives: the same in every task, so that one agent can live in all
of them. A sense that a task has no use for reads zero."""


def hue(degrees: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Colour of a hue, (...,) degrees -> (..., 3) in [0, 1]: 0.5 + 0.5 cos(hue - (0, 120, 240)).

    The three phases are a tight frame: the dot product of two centred colours is 3/8 of the
    cosine of their hues' difference, so that a query can pick any hue.
    """
    phases = np.asarray(degrees, np.float32)[..., None] - np.array([0, 120, 240], np.float32)
    return np.float32(0.5) + np.float32(0.5) * streams.unit(np.deg2rad(phases))[..., 0]


def observation_space(senses: Sequence[Sense]) -> spaces.Dict:
    """The `Dict` of boxes of a body with these senses, in their order."""
    # A plain dict would be sorted by name.
    boxes = ((s.name, spaces.Box(s.low, s.high, (s.size,), np.float32)) for s in senses)
    return spaces.Dict(OrderedDict(boxes))


class Reader:
    """Turns the state of worlds into observations for one list of senses.

    Attributes:
        columns: where a task writes each of its shown senses, as columns of ``World.floats``.
        end: the first column after them.

    Args:
        senses: what the body perceives.

    Raises:
        ValueError: two senses share a name, or one is neither built in nor has a ``read``.
    """

    def __init__(self, senses: Sequence[Sense]) -> None:
        self.senses = {s.name: s for s in senses}
        if len(self.senses) != len(senses):
            raise ValueError(f"two senses share a name: {[s.name for s in senses]}")
        self.offsets: list[tuple[str, int, int]] = []
        self._places = np.full((len(COMPILED), 2), -1, np.int64)
        self._read = []
        self.width = 0
        self.columns: dict[str, slice] = {}
        copies = []
        column = kernels.SHOWN
        for sense in senses:
            if sense.read is not None:
                self._read.append(sense)
            elif sense.name in COMPILED:
                self._places[COMPILED.index(sense.name)] = self.width, sense.size
            elif sense.name == "egomotion":
                copies.append((self.width, sense.size, kernels.EGOMOTION))
            elif sense.name in SHOWN:
                copies.append((self.width, sense.size, column))
                self.columns[sense.name] = slice(column, column + sense.size)
                column += sense.size
            else:
                built_in = ", ".join((*COMPILED, "egomotion", *SHOWN))
                raise ValueError(
                    f"sense {sense.name!r} is not one of {built_in}: give it a `read` function"
                )
            self.offsets.append((sense.name, self.width, sense.size))
            self.width += sense.size
        self.end = column
        self._copies = np.array(copies, np.int64).reshape(-1, 3)
        eye = self.senses.get("vision")
        angles = eye.angles if isinstance(eye, Vision) else np.zeros(0, np.float32)
        self._rays = np.ascontiguousarray(streams.unit(angles).T)

    def write(
        self, world: World, rows: npt.NDArray[np.int64], out: npt.NDArray[np.float32]
    ) -> None:
        """Write what worlds ``rows`` perceive into the flat buffer ``out`` (N x width,)."""
        kernels.perceive(
            world.floats,
            world.flags,
            rows,
            self._rays,
            self._places,
            self._copies,
            world.plan,
            out,
        )
        if self._read:
            views = self.split(out, world.n)
            for sense in self._read:
                assert sense.read is not None
                views[sense.name][rows] = sense.read(world, rows)

    def split(self, out: npt.NDArray[np.float32], n: int) -> Observation:
        """Views of the flat buffer by sense, each (n, size)."""
        return {
            name: out[n * at : n * (at + size)].reshape(n, size) for name, at, size in self.offsets
        }

    def split_one(self, out: npt.NDArray[np.float32]) -> Observation:
        """The same for one world without the world axis, each (size,)."""
        return {name: out[at : at + size] for name, at, size in self.offsets}
