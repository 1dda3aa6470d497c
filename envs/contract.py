"""The contract that every task keeps: checks to run on a task of one's own.

In a test file of one's own package::

    import feeders  # registers the task
    import pytest
    from motley.envs import contract


    @pytest.mark.parametrize("check", contract.checks("Feeders"), ids=str)
    def test_feeders(check: contract.Check) -> None:
        check()

or ``motley audit Feeders --import feeders --contract``. Each check raises an AssertionError that
says what does not hold. The suite's own tests are these.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from motley.envs import calibration, tasks
from motley.envs.sb3 import WorldVecEnv
from motley.envs.senses import Observation
from motley.envs.single import WorldEnv
from motley.envs.streams import Floats
from motley.envs.task import Task
from motley.envs.vector import WorldVectorEnv
from motley.envs.world import World

SEED = 7_000_000
"""Of the first episode; far from the calibration's."""
EPISODES = 1_000
"""Of each reference policy."""
WORLDS, RESETS = 3, 3
"""Lives that are compared through the doors, and how many episodes of each at least."""
UNCALIBRATED = ".* has no calibration"
"""A warning that is no fault: the contract measures its references itself."""
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
"""Of a task's docstring, in this order."""


def hold(condition: Any, message: str) -> None:
    """Raise an AssertionError with the message where the condition does not hold."""
    if not condition:
        raise AssertionError(message)


# ---------------------------------------------------------------------------- what a task states


def docstring(task: Task) -> None:
    """It has every section, in order."""
    page = type(task).__doc__ or ""
    lines = [line.strip() for line in page.splitlines()]
    places = [next((i for i, at in enumerate(lines) if at.startswith(s)), -1) for s in SECTIONS]
    missing = [section for section, at in zip(SECTIONS, places, strict=True) if at < 0]
    hold(not missing, f"the docstring of {task.name} lacks {', '.join(missing)}")
    hold(places == sorted(places), f"the sections of {task.name}'s docstring are out of order")


def spec(task: Task) -> None:
    """Senses, bounds and chance are stated and make sense."""
    hold(task.problem and task.levels, f"{task.name} states no problem or has no levels")
    low, high = task.reward_range
    hold(np.isfinite([low, high]).all() and low <= high, f"reward_range is {low, high}")
    hold(0 <= task.chance <= 1, f"chance is a raw score in [0, 1], not {task.chance}")
    hold(task.horizon >= 1, f"the horizon is {task.horizon}")
    for sense in task.senses:
        hold(sense.unit and sense.description, f"sense {sense.name} has no unit or description")


# ---------------------------------------------------------------------------- what a task does


def finite(task: Task) -> None:
    """Observations, rewards and scores are finite and in their ranges; observations stay as given.

    Seven of ten actions are the oracle's, the others random, through some episodes.
    """
    env = WorldVectorEnv(task, 64)
    observation, _ = env.reset(seed=SEED)
    rng, kept = np.random.default_rng(0), observation
    copies = {name: array.copy() for name, array in kept.items()}
    low, high = task.reward_range
    hold(list(observation) == [s.name for s in task.senses], "the senses are in another order")
    for step in range(min(150, 2 * task.horizon)):
        expert = rng.random((64, 1)) < 0.7
        noise = rng.uniform(-1, 1, (64, 2)).astype(np.float32)
        oracle = env.oracle()
        hold(np.isfinite(oracle).all(), f"the oracle's action is not finite in step {step}")
        observation, reward, *_ = env.step(np.where(expert, oracle, noise))
        for sense in task.senses:
            array = observation[sense.name]
            inside = np.isfinite(array) & (array >= sense.low) & (array <= sense.high)
            hold(
                inside.all() and array.dtype == np.float32,
                f"in step {step} sense {sense.name} ({array.dtype}) is {array[~inside][:4]}, "
                f"outside of [{sense.low}, {sense.high}]",
            )
        inside = np.isfinite(reward) & (reward >= low) & (reward <= high)
        hold(inside.all(), f"reward {reward[~inside][:4]} outside of reward_range {low, high}")
        score = np.asarray(task.score(env.world), np.float64)
        hold(score.shape == (64,), f"the score has shape {score.shape}, not one for each world")
        inside = (score >= 0) & (score <= 1)
        hold(inside.all(), f"raw scores lie in [0, 1], not {score[~inside][:4]}")
    same = all(np.array_equal(kept[name], copy) for name, copy in copies.items())
    hold(same, "an observation changed after it was given")


def checkers(task: Task) -> None:
    """Gymnasium's and SB3's checkers of environments say nothing."""
    from stable_baselines3.common.env_checker import check_env as sb3_check_env

    out = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", UNCALIBRATED)
        check_env(WorldEnv(task), skip_render_check=True)
        sb3_check_env(WorldEnv(task))
    hold(out.getvalue() == "", f"a checker says: {out.getvalue()}")


def determinism(task: Task) -> None:
    """The same seeds and actions give the same life, bit for bit."""

    def live() -> list[Any]:
        env, rng = WorldVecEnv(task, 5, seed=SEED), np.random.default_rng(0)
        first = env.reset()
        noise = rng.uniform(-1, 1, (60, 5, 2)).astype(np.float32)
        return [first, *(env.step(action)[:3] for action in noise)]

    np.testing.assert_equal(live(), live())


def copies(task: Task) -> None:
    """A pickled world, and one put into its state, live on as it does."""
    world = World(task, 4)
    world.seed(SEED + np.arange(4))
    world.reset()
    rng = np.random.default_rng(0)
    for _ in range(min(10, task.horizon - 1)):
        world.step(rng.uniform(-1, 1, (4, 2)).astype(np.float32))
    twin = pickle.loads(pickle.dumps(world))
    other = World(task, 4)
    other.set_state(world.get_state())
    for step in range(min(30, task.horizon)):
        action = np.where(step % 2, world.task.oracle(world), rng.uniform(-1, 1, (4, 2)))
        lives = []
        for one in (world, twin, other):
            result = one.step(action.astype(np.float32))
            lives.append([*result, *one.observe().values(), *one.get_state().values()])
        for life in lives[1:]:
            np.testing.assert_equal(lives[0], life)


def doors(task: Task) -> None:
    """Single environments, the vector in each autoreset mode and SB3's are bit for bit equal."""
    steps = RESETS * task.horizon + 1
    lives = {"single": _single(task, steps), "SB3": _sb3(task, steps)}
    lives |= {f"vector, {mode.value}": _vector(task, steps, mode) for mode in AutoresetMode}
    for name, life in lives.items():
        for world, (mine, alone) in enumerate(zip(life, lives["single"], strict=True)):
            shared = min(len(mine), len(alone))
            hold(shared > RESETS, f"{name}: too short a life to compare")
            same = [
                np.array_equal(a, b) for a, b in zip(mine[:shared], alone[:shared], strict=True)
            ]
            hold(
                all(same),
                f"world {world} through the door {name!r} differs from the single environment at "
                f"event {same.index(False) if not all(same) else 0}",
            )


def truncation(task: Task) -> None:
    """An episode is truncated at the horizon, not before."""
    world = World(task, 3)
    world.seed(SEED + np.arange(3))
    world.reset()
    for step in range(1, task.horizon + 1):
        _, terminated, truncated = world.step(np.zeros((3, 2), np.float32))
        hold((truncated == (step >= task.horizon)).all(), f"truncated in step {step}")
        if terminated.all():
            break


def actions(task: Task) -> None:
    """What is not finite is refused with nothing moved; what is out of range is clipped."""
    world, clipped = World(task, 2), World(task, 2)
    for one in (world, clipped):
        one.seed(SEED + np.arange(2))
        one.reset()
    before = world.get_state()
    for bad in (np.nan, np.inf, -np.inf):
        try:
            world.step(np.full((2, 2), bad, np.float32))
        except ValueError:
            np.testing.assert_equal(world.get_state(), before)
        else:
            raise AssertionError(f"an action of {bad} was taken")
    for value in (1e30, -1e30, 3.0):
        world.step(np.full((2, 2), value, np.float32))
        clipped.step(np.clip(np.full((2, 2), value, np.float32), -1, 1))
        np.testing.assert_equal(world.get_state(), clipped.get_state())


def rendering(task: Task) -> None:
    """Pictures come through each door, and looking changes nothing."""
    single = WorldEnv(task, render_mode="rgb_array", render_size=128)
    vector = WorldVectorEnv(task, 2, render_mode="rgb_array", render_size=128)
    single.reset(seed=SEED)
    vector.reset(seed=SEED)
    before = vector.get_state()
    frames = vector.render()
    np.testing.assert_equal(vector.get_state(), before)
    assert frames is not None
    alone = np.asarray(single.render())
    hold(alone.shape == (128, 128, 3) and alone.dtype == np.uint8, f"a frame is {alone.shape}")
    hold(len(frames) == 2, f"{len(frames)} frames of 2 worlds")
    hold(alone.std() > 0, "the picture is blank")
    hold(np.array_equal(alone, frames[0]), "the doors draw world 0 otherwise")


# ---------------------------------------------------------------------------- what a task is worth


def references(task: Task) -> None:
    """Oracle, observer, random and shortcuts stand where they must, on seeds of their own.

    The oracle's raw score reaches the task's bar, the observer's score01 0.9; random is at chance
    or below, and no shortcut's score01 is more than 0.1 above chance's.
    """
    found = calibration.measure(
        type(task), task.level, task.ood, EPISODES, seed=SEED, **task.variant
    )
    span = found.oracle - found.random
    hold(
        found.oracle >= task.oracle_bar,
        f"the oracle scores {found.oracle:.3f}, below its bar of {task.oracle_bar}",
    )
    hold(
        found.random <= task.chance + 0.05,
        f"random scores {found.random:.3f}, above chance ({task.chance:.3f})",
    )
    for name, score in found.heuristics.items():
        hold(
            score <= task.chance + 0.1 * span,
            f"the shortcut {name} scores {score:.3f}, too far above chance ({task.chance:.3f})",
        )
    if found.observer is not None:
        reached = (found.observer - found.random) / span
        hold(reached >= 0.9, f"the observer's score01 is {reached:.3f}, below 0.9")


# ---------------------------------------------------------------------------- through the doors

Events = list[list[Floats]]
"""By world: what came out at each reset and step, as one row of numbers."""


class _Life:
    """Actions by world and its own steps, and what came of them."""

    def __init__(self, steps: int) -> None:
        rng = np.random.default_rng(5)
        self.table = rng.uniform(-1, 1, (WORLDS, steps, 2)).astype(np.float32)
        self.step = np.zeros(WORLDS, np.int64)
        self.events: Events = [[] for _ in range(WORLDS)]
        self.steps = steps

    @property
    def goes_on(self) -> bool:
        return bool((self.step < self.steps).all())

    def action(self, world: int, oracle: Floats) -> Floats:
        """Of one world: the oracle's in most worlds, random in the first."""
        return oracle if world else np.asarray(self.table[world, self.step[world]])

    def reset(self, world: int, observation: Observation) -> None:
        self.events[world].append(_flat(observation))

    def stepped(
        self, world: int, seen: Observation, reward: Any, terminated: Any, truncated: Any
    ) -> None:
        # SB3 knows float32 rewards, and no episode that is both terminated and truncated.
        came = np.array([reward, terminated, truncated and not terminated], np.float32)
        self.events[world].append(np.append(_flat(seen), came))
        self.step[world] += 1


def _flat(observation: Observation) -> Floats:
    return np.concatenate([np.ravel(array) for array in observation.values()])


def _of(observation: Any, world: int) -> Observation:
    return {name: array[world] for name, array in observation.items()}


def _single(task: Task, steps: int) -> Events:
    life = _Life(steps)
    for world in range(WORLDS):
        env = WorldEnv(task)
        life.reset(world, env.reset(seed=SEED + world)[0])
        while life.step[world] < steps:
            action = life.action(world, env.oracle())
            observation, reward, terminated, truncated, _ = env.step(action)
            life.stepped(world, observation, reward, terminated, truncated)
            if terminated or truncated:
                life.reset(world, env.reset()[0])
    return life.events


def _vector(task: Task, steps: int, mode: AutoresetMode) -> Events:
    life, env = _Life(steps), WorldVectorEnv(task, WORLDS, autoreset_mode=mode)
    observation, _ = env.reset(seed=SEED)
    for world in range(WORLDS):
        life.reset(world, _of(observation, world))
    resetting = np.zeros(WORLDS, np.bool_)
    while life.goes_on:
        oracle = env.oracle()
        action = np.stack([life.action(world, oracle[world]) for world in range(WORLDS)])
        observation, reward, terminated, truncated, info = env.step(action)
        over = terminated | truncated
        for world in range(WORLDS):
            if resetting[world]:
                life.reset(world, _of(observation, world))
                continue
            last = mode is AutoresetMode.SAME_STEP and over[world]
            seen = info["final_obs"][world] if last else _of(observation, world)
            life.stepped(world, seen, reward[world], terminated[world], truncated[world])
            if last:
                life.reset(world, _of(observation, world))
        resetting = over & (mode is AutoresetMode.NEXT_STEP)
        if mode is AutoresetMode.DISABLED and over.any():
            observation, _ = env.reset(options={"reset_mask": over})
            for ended in np.flatnonzero(over):
                life.reset(int(ended), _of(observation, int(ended)))
    return life.events


def _sb3(task: Task, steps: int) -> Events:
    life, env = _Life(steps), WorldVecEnv(task, WORLDS, seed=SEED)
    observation: Any = env.reset()
    for world in range(WORLDS):
        life.reset(world, _of(observation, world))
    while life.goes_on:
        oracle = env.oracle()
        action = np.stack([life.action(world, oracle[world]) for world in range(WORLDS)])
        observation, reward, over, infos = env.step(action)
        for world in range(WORLDS):
            cut = infos[world].get("TimeLimit.truncated", False)
            seen = infos[world]["terminal_observation"] if over[world] else _of(observation, world)
            life.stepped(world, seen, reward[world], over[world] and not cut, cut)
            if over[world]:
                life.reset(world, _of(observation, world))
    return life.events


# ---------------------------------------------------------------------------- all of them

ONCE: tuple[Callable[[Task], None], ...] = (docstring,)
AT_EVERY_LEVEL: tuple[Callable[[Task], None], ...] = (
    spec,
    finite,
    checkers,
    determinism,
    copies,
    doors,
    truncation,
    actions,
    rendering,
    references,
)


@dataclass(frozen=True)
class Check:
    """One check of a task at one level; call it."""

    what: Callable[[Task], None]
    task: str
    level: int
    ood: bool

    def __call__(self) -> None:
        """Raise an AssertionError where the task does not keep the contract."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", UNCALIBRATED)
            self.what(tasks.find(self.task)(level=self.level, ood=self.ood))

    def __str__(self) -> str:
        return f"{self.task}-{self.level}{'-ood' if self.ood else ''}-{self.what.__name__}"


def checks(name: str) -> list[Check]:
    """Every check of a task, at every level, in and out of distribution.

    Args:
        name: of a registered task.

    Raises:
        ValueError: there is no such task.
    """
    return list(_checks(tasks.find(name)))


def _checks(task: type[Task]) -> Iterator[Check]:
    yield from (Check(what, task.__name__, task.default_level, False) for what in ONCE)
    for level in range(len(task.levels)):
        for ood in (False, True):
            yield from (Check(what, task.__name__, level, ood) for what in AT_EVERY_LEVEL)
