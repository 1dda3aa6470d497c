"""The contract that every registered task keeps, at every level, in and out of distribution."""

import contextlib
import io
import itertools
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from motley.envs import TASKS, World, calibration
from motley.envs.sb3 import WorldVecEnv
from motley.envs.single import WorldEnv
from motley.envs.vector import WorldVectorEnv

CASES = [
    (name, level, ood)
    for name, task in TASKS.items()
    for level, ood in itertools.product(range(len(task.levels)), (False, True))
]
cases = pytest.mark.parametrize(("name", "level", "ood"), CASES)
names = pytest.mark.parametrize("name", TASKS)
SECTIONS = (
    "Goal:",
    "Picture:",
    "Actions:",
    "Senses:",
    "Reward:",
    "Termination:",
    "Score:",
    "Levels:",
    "Out of distribution:",
    "Problem:",
    "Shortcuts:",
    "Source:",
)


@cases
def test_checkers_are_silent(
    name: str, level: int, ood: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")  # the checkers open a window, too
    out, err = io.StringIO(), io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        warnings.simplefilter("error")
        env = gym.make(f"motley/{name}-v0", level=level, ood=ood, render_mode="rgb_array")
        check_env(env.unwrapped)
        sb3_check_env(env.unwrapped)
    assert out.getvalue() == ""
    assert err.getvalue() == ""


@cases
def test_observations_stay_in_their_space(name: str, level: int, ood: bool) -> None:
    env = WorldVectorEnv(name, 64, level=level, ood=ood)
    observation, _ = env.reset(seed=4)
    rng = np.random.default_rng(0)
    kept = observation
    copies = {k: v.copy() for k, v in kept.items()}
    for step in range(150):
        expert = rng.random((64, 1)) < 0.7
        noise = rng.uniform(-1, 1, (64, 2)).astype(np.float32)
        observation, reward, *_ = env.step(np.where(expert, env.oracle(), noise))
        assert observation in env.observation_space, step
        assert reward.dtype == np.float64
        assert np.isfinite(reward).all()
        low, high = env.task.reward_range
        assert (reward >= low).all()
        assert (reward <= high).all()
    assert list(observation) == [sense.name for sense in env.task.senses]
    for sense, array in copies.items():
        assert np.array_equal(kept[sense], array), "an old observation was overwritten"


@cases
def test_same_seed_same_life(name: str, level: int, ood: bool) -> None:
    def live() -> list[Any]:
        env = WorldVecEnv(name, 5, seed=9, level=level, ood=ood)
        env.action_space.seed(0)
        out: list[Any] = [env.reset()]
        for _ in range(60):
            action = np.stack([env.action_space.sample() for _ in range(5)])
            out.append(env.step(action)[:3])
        return out

    np.testing.assert_equal(live(), live())


@cases
def test_it_is_calibrated(name: str, level: int, ood: bool) -> None:
    task = TASKS[name]
    for variant in task.variants:
        rules = task(level=level, ood=ood, **variant)
        entry = calibration.lookup(rules)
        assert entry is not None, f"motley audit {name} --calibrate"
        assert entry.episodes >= 1_000
        assert entry.oracle >= rules.oracle_bar
        low, span = calibration.scale(rules)
        assert max(entry.heuristics.values()) <= rules.chance + 0.1 * span
        assert entry.observer is None or (entry.observer - low) / span >= 0.9


@cases
def test_references_on_other_seeds(name: str, level: int, ood: bool) -> None:
    rules = TASKS[name](level=level, ood=ood)
    entry = calibration.lookup(rules)
    assert entry is not None
    fresh = calibration.measure(type(rules), level, ood, 1_000, seed=7_000_000)
    assert abs(fresh.seed - entry.seed) > entry.episodes
    assert fresh.oracle >= rules.oracle_bar
    low, span = calibration.scale(rules)
    assert fresh.random <= rules.chance + 0.05
    # Five standard errors of the difference of two means.
    error = 5 * np.sqrt(2 * max(entry.random * (1 - entry.random), 0.002) / 1_000)
    assert abs(fresh.random - entry.random) <= error
    assert max(fresh.heuristics.values()) <= rules.chance + 0.1 * span
    assert fresh.observer is None or (fresh.observer - low) / span >= 0.9


@names
def test_its_docstring_is_its_page(name: str) -> None:
    page = TASKS[name].__doc__ or ""
    places = [page.find(f"    {section}\n") for section in SECTIONS]
    missing = [section for section, at in zip(SECTIONS, places, strict=True) if at < 0]
    assert not missing
    for sense in TASKS[name]().senses:
        assert sense.name in page
    for level in TASKS[name].levels:
        assert f"{level.chance:.2f}" in page
    assert f"default is level {TASKS[name].default_level}" in " ".join(page.split())


@names
def test_one_body_lives_in_every_task(name: str) -> None:
    env, other = WorldEnv(name), WorldEnv("DarkHome")
    assert env.observation_space == other.observation_space
    assert env.action_space == other.action_space


@names
def test_layout_of_senses(name: str) -> None:
    env = WorldEnv(name)
    assert list(env.senses) == list(env.observation_space.spaces)
    for sense in env.senses.values():
        assert env.observation_space[sense.name].shape == (sense.size,)
        assert sense.unit
        assert sense.description


@names
def test_truncation_at_the_horizon(name: str) -> None:
    for level, ood in itertools.product(range(len(TASKS[name].levels)), (False, True)):
        rules = TASKS[name](level=level, ood=ood)
        world = World(rules, 3)
        world.seed([1, 2, 3])
        world.reset()
        for step in range(1, rules.horizon + 1):
            _, terminated, truncated = world.step(np.zeros((3, 2), np.float32))
            assert (truncated == (step >= rules.horizon)).all()
            if terminated.all():
                break


@names
def test_the_hash_follows_code_and_neither_comments_nor_pictures(name: str) -> None:
    assert calibration.bare("x = 1  # why\n\n# more\n") == "x = 1"
    assert calibration.bare('def f():\n    """Say."""\n    return 2\n') == "def f():\n    return 2"
    assert calibration.bare("x = '# no comment'") == "x = '# no comment'"
    assert calibration.bare("x = 1") != calibration.bare("x = 2")
    drawing = "    def scene(self):\n        return {\n            'caption': ''\n        }\n"
    rules = "class T:\n    x = 1\n{}    def score(self):\n        return 1\n"
    assert calibration.bare(rules.format(drawing)) == rules.format("").rstrip()
    assert len(calibration.task_hash(TASKS[name])) == 16
