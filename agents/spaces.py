"""Observation and action spaces: as named tensors, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space, maybe_transpose

from motley.costs.registry import unknown

Arrays = dict[str, npt.NDArray[np.float32]]
SOLE = "observation"
"""Name of the only sense where the observation space is no Dict."""


class Sizes(dict[str, int]):
    """Features of each sense, and which senses are images.

    Attributes:
        images: channels, height and width of each image.
    """

    def __init__(self, sizes: Mapping[str, int], images: Mapping[str, tuple[int, int, int]]):
        super().__init__(sizes)
        self.images = dict(images)


def images_of(senses: Mapping[str, int]) -> dict[str, tuple[int, int, int]]:
    """Return channels, height and width of the senses that are images."""
    return senses.images if isinstance(senses, Sizes) else {}


class Senses:
    """Turns observations of any supported space into float32 arrays by name.

    A Dict gives one sense an entry, any other space the one sense ``observation``. Boxes are
    flattened, Discrete, MultiDiscrete and MultiBinary one-hot. Boxes of three dimensions are
    images, flattened channels first: those of uint8 (0 to 255) divided by 255, which SB3 gives
    channels first, and those of floats, (height, width, channels).

    Args:
        space: the observation space of a single environment.

    Raises:
        ValueError: an entry's space has no form as numbers; the message names it.
    """

    def __init__(self, space: spaces.Space[Any]):
        self.space = space
        self.entries: Mapping[str, spaces.Space[Any]] = (
            space.spaces if isinstance(space, spaces.Dict) else {SOLE: space}
        )
        images = {name: _image(entry) for name, entry in self.entries.items()}
        self.sizes = Sizes(
            {name: _size(name, entry) for name, entry in self.entries.items()},
            {name: shape for name, shape in images.items() if shape is not None},
        )

        self._shapes = {name: entry.shape or () for name, entry in self.entries.items()}
        boxes = ((n, e) for n, e in self.entries.items() if isinstance(e, spaces.Box))
        self._vectors = {name: entry.shape for name, entry in boxes if len(entry.shape) == 1}

    def __call__(self, observation: Any) -> Arrays:
        """Return the senses of a batch, each (worlds, features)."""
        given = observation if isinstance(self.space, spaces.Dict) else {SOLE: observation}
        missing = [name for name in self.entries if name not in given]
        if missing:
            raise ValueError(f"the observation lacks the sense {missing[0]!r}")
        return {name: self._numbers(name, given[name]) for name in self.entries}

    def _numbers(self, name: str, given: npt.ArrayLike) -> npt.NDArray[np.float32]:
        shape = self._vectors.get(name)
        if isinstance(given, np.ndarray) and given.dtype == np.float32 and given.shape[1:] == shape:
            return given  # as nearly all senses are, at every step
        entry = self.entries[name]
        # SB3 puts the channels of images first while training, and not when evaluating.
        batch = maybe_transpose(np.asarray(given), entry)
        if isinstance(entry, spaces.Box):
            if batch.shape[1:] != entry.shape:
                raise ValueError(
                    f"sense {name!r} must be (worlds, {', '.join(map(str, entry.shape))}), "
                    f"not {batch.shape}"
                )
            if name in self.sizes.images and entry.dtype != np.uint8:
                batch = np.moveaxis(batch, -1, 1)
            flat: npt.NDArray[np.float32] = batch.reshape(len(batch), -1).astype(
                np.float32, copy=False
            )
            return flat / np.float32(255.0) if is_image_space(entry) else flat
        if isinstance(entry, spaces.Discrete):
            row = batch.reshape(-1) - int(entry.start)
            one_hot: npt.NDArray[np.float32] = np.eye(int(entry.n), dtype=np.float32)[row]
            return one_hot
        if isinstance(entry, spaces.MultiDiscrete):
            chosen = (batch - entry.start).reshape(len(batch), -1)
            parts = [
                np.eye(int(n), dtype=np.float32)[column]
                for n, column in zip(entry.nvec.ravel(), chosen.T, strict=True)
            ]
            return np.concatenate(parts, 1)
        return batch.reshape(len(batch), -1).astype(np.float32)

    def checked(self, observation: Any) -> tuple[Arrays, bool]:
        """Return the senses of a batch or of one environment, and whether it was of one.

        For observations from anywhere; calling trusts its worlds instead, and is faster.

        Returns:
            Each sense (worlds, features), one world where ``observation`` has no axis of worlds.

        Raises:
            ValueError: a sense is missing or unknown, has another shape than the space's or other
                senses', or holds what is not finite, or a choice that the space has not; the
                message names it.
        """
        given = observation if isinstance(self.space, spaces.Dict) else {SOLE: observation}
        if not isinstance(given, Mapping):
            raise ValueError(
                f"the observation must be a dict of {', '.join(self.entries)}, "
                f"not {type(given).__name__}"
            )
        for name in given:
            if name not in self.entries:
                raise ValueError(unknown("sense", name, self.entries))
        batch: dict[str, npt.NDArray[Any]] = {}
        worlds: tuple[int, ...] | None = None
        for name, entry in self.entries.items():
            if name not in given:
                raise ValueError(f"the observation lacks the sense {name!r}")
            x, shape = _array(name, given[name], entry), self._shapes[name]
            before = x.shape[: x.ndim - len(shape)]
            if len(before) > 1 or x.shape != before + shape:
                raise ValueError(
                    f"sense {name!r} has shape {x.shape}, not {shape}, or with an axis of worlds "
                    f"before that"
                )
            worlds = before if worlds is None else worlds
            if before != worlds:
                first = next(iter(batch))
                raise ValueError(
                    f"sense {name!r} has shape {x.shape}, not {worlds + shape} as the sense "
                    f"{first!r} of shape {batch[first].shape} asks for"
                )
            _refuse_values(name, x, entry)
            batch[name] = x
        single = worlds == ()
        return {
            name: self._numbers(name, x[None] if single else x) for name, x in batch.items()
        }, single


def _array(name: str, given: Any, entry: spaces.Space[Any]) -> npt.NDArray[Any]:
    """Return what is given for a sense as an array of numbers, an image's channels first."""
    if isinstance(given, np.ndarray) and given.dtype == np.float32 and given.ndim < 3:
        return given
    try:
        x = np.asarray(given)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"sense {name!r} is no array of one shape: {error}") from error
    if x.dtype.kind not in "biuf":
        raise ValueError(f"sense {name!r} must hold numbers, not {type(given).__name__}")
    return maybe_transpose(x, entry) if x.ndim in (3, 4) else x


def _refuse_values(name: str, x: npt.NDArray[Any], entry: spaces.Space[Any]) -> None:
    """Refuse numbers that are not finite, and choices that the space has not."""
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise ValueError(f"sense {name!r} holds {x[~np.isfinite(x)][0]}: give finite numbers")
    if isinstance(entry, spaces.Discrete):
        low, count = entry.start, entry.n
    elif isinstance(entry, spaces.MultiDiscrete):
        low, count = entry.start, entry.nvec
    else:
        return
    high: Any = low + count - 1
    if x.dtype.kind == "f" or ((x < low) | (x > high)).any():
        raise ValueError(f"sense {name!r} must hold ints from {low} to {high}, not {x}")


def _image(space: spaces.Space[Any]) -> tuple[int, int, int] | None:
    """Return channels, height and width of a space of images, None for any other."""
    if not isinstance(space, spaces.Box) or len(space.shape) != 3:
        return None
    if is_image_space(space):
        depth, height, width = space.shape
        return depth, height, width
    height, width, depth = space.shape
    return (depth, height, width) if np.issubdtype(space.dtype, np.floating) else None


def _size(name: str, space: spaces.Space[Any]) -> int:
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        return int(np.prod(space.shape))
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return int(space.nvec.sum())
    raise ValueError(
        f"sense {name!r} has the space {type(space).__name__}, which has no form as numbers here; "
        f"wrap the environment to give Box, Discrete, MultiDiscrete or MultiBinary"
    )


def to_json(space: spaces.Space[Any]) -> dict[str, Any]:
    """Return a space as JSON values; the inverse of :func:`from_json`."""
    if isinstance(space, spaces.Dict):
        entries = {name: to_json(entry) for name, entry in space.spaces.items()}
        return {"type": "Dict", "spaces": entries}
    if isinstance(space, spaces.Box):
        low, high = _bound(space.low), _bound(space.high)
        dtype = str(np.dtype(space.dtype))
        return {"type": "Box", "low": low, "high": high, "shape": space.shape, "dtype": dtype}
    if isinstance(space, spaces.Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        start, dtype = space.start.tolist(), str(np.dtype(space.dtype))
        nvec = space.nvec.tolist()
        return {"type": "MultiDiscrete", "nvec": nvec, "start": start, "dtype": dtype}
    if isinstance(space, spaces.MultiBinary):
        return {"type": "MultiBinary", "n": list(space.shape)}
    raise ValueError(f"a {type(space).__name__} space cannot be saved")


def _bound(values: npt.NDArray[Any]) -> Any:
    """Return one number where all are the same; infinities as text, which JSON lacks."""
    same = values.size > 0 and bool(np.all(values == values.flat[0]))
    return str(values.flat[0]) if same else [str(v) for v in values.flat]


def from_json(data: Mapping[str, Any]) -> spaces.Space[Any]:
    """Return the space that :func:`to_json` wrote.

    Raises:
        ValueError: the type is not known.
    """
    kind = data["type"]
    if kind == "Dict":
        return spaces.Dict({name: from_json(entry) for name, entry in data["spaces"].items()})
    if kind == "Box":
        dtype, shape = np.dtype(data["dtype"]), tuple(data["shape"])
        low, high = (
            np.full(shape, float(v), dtype)
            if isinstance(v, str)
            else np.array([float(x) for x in v], dtype).reshape(shape)
            for v in (data["low"], data["high"])
        )
        return spaces.Box(low, high, shape, data["dtype"])
    if kind == "Discrete":
        return spaces.Discrete(data["n"], start=data["start"])
    if kind == "MultiDiscrete":
        kept: Any = np.dtype(data["dtype"])
        return spaces.MultiDiscrete(data["nvec"], kept, start=data["start"])
    if kind == "MultiBinary":
        shape = data["n"]  # Gymnasium tells MultiBinary(3) and MultiBinary((3,)) apart
        return spaces.MultiBinary(shape[0] if len(shape) == 1 else shape)
    raise ValueError(
        unknown("space", kind, ("Dict", "Box", "Discrete", "MultiDiscrete", "MultiBinary"))
    )
