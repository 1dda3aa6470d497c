"""Two million steps of every task with random and extreme actions: it stays finite and at home."""

from __future__ import annotations

import resource
import sys

import numpy as np
import numpy.typing as npt
import pytest

from motley.envs import TASKS
from motley.envs.vector import WorldVectorEnv

WORLDS, STEPS = 1_024, 2_000_000
GROWTH = 8 * 2**20
"""Bytes by which a process may grow between the first tenth and the end."""
EXTREMES = np.array([-3e38, -1e9, -1, -1e-38, 0, 1e-38, 1, 1e9, 3e38], np.float32)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.* has no calibration")]


def memory() -> int:
    """The most that this process ever held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def through_walls(
    before: npt.NDArray[np.float32], after: npt.NDArray[np.float32], wall: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Which ways (N, 2) to (N, 2) cross one of the walls (N, W, 4) in its middle."""

    def side(
        a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], p: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        along, aside = b - a, p - a
        cross: npt.NDArray[np.float32] = (
            along[..., 0] * aside[..., 1] - along[..., 1] * aside[..., 0]
        )
        return cross

    one, two = wall[..., :2], wall[..., 2:]
    here, there = before[:, None], after[:, None]
    over = side(one, two, here) * side(one, two, there) < -1e-6
    between = side(here, there, one) * side(here, there, two) < -1e-6
    return np.asarray((over & between).any(-1), np.bool_)


@pytest.mark.parametrize("name", TASKS)
def test_soak(name: str) -> None:
    env = WorldVectorEnv(name, WORLDS)
    env.reset(seed=0)
    world, rng = env.world, np.random.default_rng(0)
    low, high = env.task.reward_range
    calls, held = STEPS // WORLDS, 0
    for call in range(calls):
        actions = rng.uniform(-1, 1, (WORLDS, 2)).astype(np.float32)
        extreme = rng.random(WORLDS) < 0.2
        actions[extreme] = rng.choice(EXTREMES, (int(extreme.sum()), 2))
        if call % 100 == 50:
            state, broken = world.get_state(), actions.copy()
            # All, since worlds that begin anew in this step ignore their action.
            broken[:, rng.integers(2)] = rng.choice([np.nan, np.inf, -np.inf])
            with pytest.raises(ValueError, match="is not finite"):
                env.step(broken)
            assert all(np.array_equal(state[k], x) for k, x in world.get_state().items())
        place, episode = world.position.copy(), world.counters[:, 1].copy()
        observation, reward, *_ = env.step(actions)
        same = world.counters[:, 1] == episode
        moved = np.linalg.norm(world.position - place, axis=1)
        assert np.isfinite(world.floats).all()
        assert np.isfinite(reward).all()
        assert (reward >= low).all()
        assert (reward <= high).all()
        if env.task.n_walls:
            went = same & (moved < 0.6)  # beyond that the task put it somewhere
            assert not through_walls(place[went], world.position[went], world.wall[went]).any()
        if call % 20 == 0:
            for sense in env.task.senses:
                array = observation[sense.name]
                assert array.min() >= sense.low
                assert array.max() <= sense.high
            for field, array in world.fields.items():
                assert array.dtype.kind != "f" or not np.isnan(array).any(), field
        if call == calls // 10:
            held = memory()
    assert memory() - held < GROWTH
