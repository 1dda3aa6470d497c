"""Other people's observations in a form that numbers can be made of."""

from __future__ import annotations

import hashlib
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from motley.agents.spaces import SOLE

WORDS = 64
"""Numbers that a text becomes."""
TABLE = (11, 6, 4)
"""How many objects, colours and states (of doors; headings) MiniGrid codes."""


class Readable(gym.ObservationWrapper[Any, Any, Any]):
    """Gives what SB3's vector environments can hold and :class:`~.spaces.Senses` can read.

    - Tuples and dicts inside dicts become entries of one Dict: ``hand/0``, ``hand/1``.
    - A text becomes numbers: each word counts in one of 64 bins, which its hash chooses
      (feature hashing, Weinberger et al. 2009).
    - MiniGrid's image, which is no picture but a table of codes for object, colour and state,
      becomes one-hot, (height, width, 21); also where its wrapper gives nothing else. A real
      picture, of its wrappers for RGB, stays one.

    Everything else is passed on as it is.

    Args:
        env: any environment.
    """

    def __init__(self, env: gym.Env[Any, Any]):
        super().__init__(env)
        layers = _layers(env)
        minigrid = type(env.unwrapped).__module__.startswith("minigrid.")
        # These give a picture, or places, under the same name.
        other = any(name.startswith(("RGB", "Symbolic")) for name in layers)
        self.tables = {"image"} | ({SOLE} if "ImgObsWrapper" in layers else set())
        if other or not minigrid:
            self.tables = set()
        found = self._entries(SOLE, env.observation_space)
        sole = found.get(SOLE)
        space = spaces.Dict(found) if sole is None else sole
        if space != env.observation_space:  # else the order of its entries stays as well
            self.observation_space = space

    def _entries(self, name: str, space: spaces.Space[Any]) -> dict[str, spaces.Space[Any]]:
        parts = _parts(name, space)
        if parts is not None:
            return {k: s for part, (_, inner) in parts.items()
                    for k, s in self._entries(part, inner).items()}  # fmt: skip
        if _is_text(space):
            return {name: spaces.Box(0.0, np.inf, (WORDS,), np.float32)}
        if self._is_table(name, space):
            assert space.shape is not None
            return {name: spaces.Box(0.0, 1.0, (*space.shape[:2], sum(TABLE)), np.float32)}
        return {name: space}

    def _is_table(self, name: str, space: spaces.Space[Any]) -> bool:
        return name in self.tables and (space.shape or ())[2:] == (len(TABLE),)

    def observation(self, observation: Any) -> Any:
        """Return an observation of the new space."""
        found = self._values(SOLE, self.env.observation_space, observation)
        return found.get(SOLE, found)

    def _values(self, name: str, space: spaces.Space[Any], value: Any) -> dict[str, Any]:
        parts = _parts(name, space)
        if parts is not None:
            return {k: v for part, (key, inner) in parts.items()
                    for k, v in self._values(part, inner, value[key]).items()}  # fmt: skip
        if _is_text(space):
            return {name: hashed(str(value))}
        if self._is_table(name, space):
            codes = np.moveaxis(np.asarray(value), -1, 0)
            one_hot = [np.eye(n, dtype=np.float32)[c] for n, c in zip(TABLE, codes, strict=True)]
            return {name: np.concatenate(one_hot, -1)}
        return {name: value}


def _layers(env: gym.Env[Any, Any]) -> list[str]:
    """Return the names of the classes of an environment's wrappers."""
    found = []
    while isinstance(env, gym.Wrapper):
        found.append(type(env).__name__)
        env = env.env
    return found


def _parts(name: str, space: spaces.Space[Any]) -> dict[str, tuple[Any, spaces.Space[Any]]] | None:
    """Return the parts of a compound space: by new name, the key and the space."""
    if isinstance(space, spaces.Tuple):
        inner: dict[Any, spaces.Space[Any]] = dict(enumerate(space.spaces))
    elif isinstance(space, spaces.Dict):
        inner = dict(space.spaces)
    else:
        return None
    prefix = "" if name == SOLE and isinstance(space, spaces.Dict) else f"{name}/"
    return {f"{prefix}{key}": (key, part) for key, part in inner.items()}


def _is_text(space: spaces.Space[Any]) -> bool:
    return isinstance(space, spaces.Text) or space.dtype == np.dtype(str)


def hashed(text: str) -> npt.NDArray[np.float32]:
    """Return how many words of a text fall into each bin, (WORDS,)."""
    counts = np.zeros(WORDS, np.float32)
    for word in text.lower().split():
        counts[hashlib.blake2b(word.encode(), digest_size=1).digest()[0] % WORDS] += 1
    return counts
