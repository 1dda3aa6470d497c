"""One random stream per world: world i of a batch draws what the single env with its seed draws.

A number is a function of (seed, episode, draw) and of nothing else, so neither the batch size
nor what other worlds do can change it, and a world's whole random state is three integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from motley.envs import kernels

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Counters = npt.NDArray[np.uint64]


class Streams:
    """The random streams of the worlds that reset: every draw has one row per such world.

    Args:
        counters: (N, 4) uint64, the worlds' seed, episode, draws so far and steps.
        rows: (R,) the worlds to draw for.
    """

    def __init__(self, counters: Counters, rows: Ints) -> None:
        self.counters = counters
        self.rows = rows

    def uniform(
        self, low: float | Floats = 0.0, high: float | Floats = 1.0, shape: tuple[int, ...] = ()
    ) -> Floats:
        """Numbers in [low, high), (R, *shape) float32; bounds may be arrays that broadcast."""
        out = np.empty((self.rows.size, math.prod(shape)), np.float32)
        kernels.fill_uniform(self.counters, self.rows, out)
        out = out.reshape(self.rows.size, *shape)
        if isinstance(low, float) and isinstance(high, float) and (low, high) == (0.0, 1.0):
            return out  # as they are drawn
        low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
        return low + (high - low) * out

    def normal(
        self, mean: float | Floats = 0.0, sd: float | Floats = 1.0, shape: tuple[int, ...] = ()
    ) -> Floats:
        """Gaussian numbers, (R, *shape) float32."""
        out = np.empty((self.rows.size, math.prod(shape)), np.float32)
        kernels.fill_normal(self.counters, self.rows, out)
        mean, sd = np.asarray(mean, np.float32), np.asarray(sd, np.float32)
        return mean + sd * out.reshape(self.rows.size, *shape)

    def integers(self, low: int, high: int, shape: tuple[int, ...] = ()) -> Ints:
        """Whole numbers in [low, high), (R, *shape) int64."""
        if not 0 < high - low < 2**32:
            raise ValueError(f"integers needs low < high < low + 2**32, not low={low}, high={high}")
        out = np.empty((self.rows.size, math.prod(shape)), np.int64)
        kernels.fill_integers(self.counters, self.rows, high - low, out)
        return low + out.reshape(self.rows.size, *shape)

    def permutation(self, size: int) -> Ints:
        """A permutation of 0 .. size-1 per world, (R, size) int64."""
        out = np.empty((self.rows.size, size), np.int64)
        kernels.fill_permutation(self.counters, self.rows, out)
        return out

    def patterns(self, count: int, bits: int) -> Floats:
        """``count`` rows of -1 and 1 per world, no two of them equal, (R, count, bits) float32."""
        numbers = self.permutation(2**bits)[:, :count, None]
        return (2 * (numbers >> np.arange(bits) & 1) - 1).astype(np.float32)

    def direction(self, shape: tuple[int, ...] = ()) -> Floats:
        """Unit vectors of random direction, (R, *shape, 2) float32."""
        return unit(self.uniform(-np.pi, np.pi, shape))

    def until(
        self,
        draw: Callable[[], Floats],
        accept: Callable[[Floats], Bools],
        rounds: int = 1_000,
    ) -> Floats:
        """Draw again, for the worlds that need it, until every world's draw is accepted.

        Args:
            draw: () -> (R, ...), from this stream.
            accept: (R, ...) -> (R,) bool.
            rounds: most redraws before it is an error.

        Raises:
            RuntimeError: some world's draw was refused in every round.
        """
        values = draw()
        done = accept(values)
        for _ in range(rounds):
            if done.all():
                return values
            before = self.counters[self.rows, kernels.DRAW]
            fresh = draw()
            # A world that is done must not spend draws on its neighbours' bad luck.
            self.counters[self.rows[done], kernels.DRAW] = before[done]
            better = accept(fresh) & ~done
            values[better] = fresh[better]
            done |= better
        raise RuntimeError(
            f"{int((~done).sum())} of {done.size} worlds had {rounds} draws refused: "
            "loosen what `accept` asks for"
        )


def unit(angles: npt.ArrayLike) -> Floats:
    """Unit vectors of angles in radians, (...,) -> (..., 2) float32, same bits in any batch."""
    angles = np.asarray(angles, np.float32)
    out = np.empty((angles.size, 2), np.float32)
    kernels.fill_unit(angles.ravel(), out)
    return out.reshape(*angles.shape, 2)


def angle(vectors: npt.ArrayLike) -> Floats:
    """Directions of vectors in radians, (..., 2) -> (...,) float32, same bits in any batch."""
    vectors = np.asarray(vectors, np.float32)
    out = np.empty(vectors.size // 2, np.float32)
    kernels.fill_angle(vectors.reshape(-1, 2), out)
    return out.reshape(vectors.shape[:-1])


def exp(values: npt.ArrayLike) -> Floats:
    """The exponential function, (...,) -> (...,) float32, same bits in any batch."""
    values = np.asarray(values, np.float32)
    out = np.empty(values.size, np.float32)
    kernels.fill_exp(values.ravel(), out)
    return out.reshape(values.shape)


def length(vectors: Floats) -> Floats:
    """Lengths of vectors, (..., 2) -> (...,) float32, same bits in any batch."""
    x, y = vectors[..., 0], vectors[..., 1]
    return np.sqrt(x * x + y * y)
