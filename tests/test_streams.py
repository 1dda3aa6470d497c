"""Random streams: functions of (seed, episode, draw), whatever the batch."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from motley.envs import kernels
from motley.envs.streams import Counters, Floats, Streams, angle, length, unit


def counters(seeds: npt.ArrayLike) -> Counters:
    out = np.zeros((np.size(seeds), 4), np.uint64)
    out[:, kernels.SEED] = seeds
    out[:, kernels.EPISODE] = 1
    return out


def draws(stream: Streams) -> tuple[npt.NDArray[Any], ...]:
    return (
        stream.uniform(-2.0, 3.0, (5,)),
        stream.normal(1.0, 2.0, (3, 2)),
        stream.integers(-3, 9, (4,)),
        stream.permutation(7),
        stream.direction((2,)),
    )


@pytest.mark.parametrize("n", [1, 7, 256])
def test_a_world_draws_the_same_bits_in_any_batch(n: int) -> None:
    batch = draws(Streams(counters(np.arange(n) + 40), np.arange(n)))
    for i in {0, n // 2, n - 1}:
        alone = draws(Streams(counters([40 + i]), np.arange(1)))
        for together, single in zip(batch, alone, strict=True):
            np.testing.assert_array_equal(together[i], single[0])


def test_seed_episode_and_draw_each_change_the_numbers() -> None:
    base = counters([3])
    rows = np.arange(1)
    first = Streams(base, rows).uniform(shape=(8,))
    second = Streams(base, rows).uniform(shape=(8,))
    other_seed = Streams(counters([4]), rows).uniform(shape=(8,))
    later = counters([3])
    later[:, kernels.EPISODE] = 2
    next_episode = Streams(later, rows).uniform(shape=(8,))
    all_draws = np.concatenate([first, second, other_seed, next_episode]).ravel()
    assert np.unique(all_draws).size == all_draws.size


def test_distributions() -> None:
    stream = Streams(counters(np.arange(2_000)), np.arange(2_000))
    uniform = stream.uniform(-1.0, 3.0, (50,))
    assert uniform.min() >= -1.0
    assert uniform.max() < 3.0
    assert abs(uniform.mean() - 1.0) < 0.02
    assert abs(uniform.var() - 16 / 12) < 0.02
    normal = stream.normal(0.5, 2.0, (50,))
    assert abs(normal.mean() - 0.5) < 0.03
    assert abs(normal.std() - 2.0) < 0.03
    assert abs(np.mean(((normal - 0.5) / 2.0) ** 4) - 3.0) < 0.15
    counts = np.bincount(stream.integers(0, 6, (50,)).ravel(), minlength=6)
    assert counts.min() > 0.95 * 100_000 / 6
    places = stream.permutation(4)
    np.testing.assert_array_equal(np.sort(places, 1), np.tile(np.arange(4), (2_000, 1)))
    assert np.bincount(places[:, 0]).min() > 420
    np.testing.assert_allclose(length(stream.direction()), 1.0, atol=1e-6)
    # Neighbouring seeds, episodes and draws do not follow one another.
    rows = stream.uniform(shape=(50,))
    assert abs(np.corrcoef(rows[:-1].ravel(), rows[1:].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(rows[:, :-1].ravel(), rows[:, 1:].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("n", [1, 7, 256])
def test_rejection_costs_a_world_only_its_own_draws(n: int) -> None:
    def run(seeds: npt.ArrayLike) -> tuple[Floats, Floats, Counters]:
        state = counters(seeds)
        stream = Streams(state, np.arange(np.size(seeds)))
        values = stream.until(lambda: stream.uniform(), lambda v: v > 0.8)
        return values, stream.uniform(), state

    values, after, state = run(np.arange(n))
    assert (values > 0.8).all()
    for i in range(0, n, 50):
        single, single_after, single_state = run([i])
        assert values[i] == single[0]
        assert after[i] == single_after[0]
        np.testing.assert_array_equal(state[i], single_state[0])


def test_rejection_without_end_is_an_error() -> None:
    stream = Streams(counters([0, 1]), np.arange(2))
    with pytest.raises(RuntimeError, match="2 of 2 worlds had 20 draws refused"):
        stream.until(lambda: stream.uniform(), lambda v: v > 2.0, rounds=20)
    with pytest.raises(ValueError, match="low < high"):
        stream.integers(3, 3)


def test_angles_against_numpy() -> None:
    angles = np.linspace(-3.1, 3.1, 101, dtype=np.float32).reshape(1, 101)
    vectors = unit(angles)
    np.testing.assert_allclose(vectors[..., 0], np.cos(angles), atol=1e-6)
    np.testing.assert_allclose(vectors[..., 1], np.sin(angles), atol=1e-6)
    np.testing.assert_allclose(angle(2 * vectors), angles, atol=1e-6)
