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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium.utils.env_checker import check_env

from motley.envs import calibration, tasks
from motley.envs.calibration import UncalibratedWarning
from motley.envs.lives import RESETS, through_doors
from motley.envs.sb3 import WorldVecEnv
from motley.envs.senses import Observation
from motley.envs.single import WorldEnv
from motley.envs.streams import Floats
from motley.envs.task import Policy, Task
from motley.envs.vector import WorldVectorEnv
from motley.envs.world import World

SEED = 7_000_000
"""Of the first episode; far from the calibration's."""
EPISODES, FIRST = 1_000, 200
"""Of the oracle at the default level; of other reference policies the first often tell enough."""
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


LAID_OUT = ("position", "heading", "light", "shape_position", "shape_radius", "wall")
"""Arrays of a world that a task's layout writes, and that must be numbers."""


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

    So is the world that ``layout`` makes. Seven of ten actions are the oracle's, the others random,
    through some episodes.
    """
    env = WorldVectorEnv(task, 64)
    observation, _ = env.reset(seed=SEED)
    for name in LAID_OUT:
        array = getattr(env.world, name)
        hold(np.isfinite(array).all(), f"layout leaves numbers in {name} that are not finite")
    perceived(task, observation, 0)
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
        perceived(task, observation, step + 1)
        inside = np.isfinite(reward) & (reward >= low) & (reward <= high)
        hold(inside.all(), f"reward {reward[~inside][:4]} outside of reward_range {low, high}")
        score = np.asarray(task.score(env.world), np.float64)
        hold(score.shape == (64,), f"the score has shape {score.shape}, not one for each world")
        inside = (score >= 0) & (score <= 1)
        hold(inside.all(), f"raw scores lie in [0, 1], not {score[~inside][:4]}")
    same = all(np.array_equal(kept[name], copy) for name, copy in copies.items())
    hold(same, "an observation changed after it was given")


def perceived(task: Task, observation: Observation, step: int) -> None:
    """What is perceived after so many steps is finite and in the ranges that the senses state."""
    for sense in task.senses:
        array = observation[sense.name]
        inside = np.isfinite(array) & (array >= sense.low) & (array <= sense.high)
        hold(
            inside.all() and array.dtype == np.float32,
            f"after {step} steps sense {sense.name} ({array.dtype}) is {array[~inside][:4]}, "
            f"outside of [{sense.low}, {sense.high}]",
        )


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
        warnings.simplefilter("ignore", UncalibratedWarning)
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
    lives = through_doors(task, SEED)
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
    """An episode is over at the horizon; it is cut off before only if its task says so, never dead.

    Where nobody lives that long, a world that was just laid out is asked with its clock at the
    horizon.
    """
    at_horizon_alone = type(task).timed_out is Task.timed_out
    for policy in (task.oracle, lambda world: np.zeros((world.n, 2))):
        world = World(task, 3)
        world.seed(SEED + np.arange(3))
        world.reset()
        late = np.asarray(task.timed_out(world))
        hold(
            late.shape == (3,) and late.dtype == np.bool_,
            f"timed_out gives {late.shape} {late.dtype}",
        )
        hold(not late.any(), "timed_out: time is up before the first step")
        over = np.zeros(3, np.bool_)
        for step in range(1, task.horizon + 1):
            _, terminated, truncated = world.step(np.asarray(policy(world), np.float32))
            early = truncated & (step < task.horizon) & ~over
            hold(not (early.any() and at_horizon_alone), f"truncated in step {step}")
            hold(not np.any(early & terminated), f"both terminated and truncated in step {step}")
            over |= terminated | truncated
            if over.all():
                break
        if step < task.horizon:
            world.reset()
            world.elapsed[:] = task.horizon
            over = task.timed_out(world)
        hold(over.all(), f"not truncated at the horizon, {task.horizon} steps")


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
    oracle = mean_score(task, task.oracle, task.oracle_bar, task.level == task.default_level)
    hold(
        oracle >= task.oracle_bar,
        f"the oracle scores {oracle:.3f}, below its bar of {task.oracle_bar}",
    )
    bar = task.chance + 0.05
    random = mean_score(task, calibration.Random(SEED), bar)
    hold(random <= bar, f"random scores {random:.3f}, above chance ({task.chance:.3f})")
    span = oracle - random
    bar = task.chance + 0.1 * span
    for name, make in task.heuristics().items():
        score = mean_score(task, make(), bar)
        hold(
            score <= bar,
            f"the shortcut {name} scores {score:.3f}, too far above chance ({task.chance:.3f})",
        )
    observer = task.observer()
    if observer is not None:
        reached = (mean_score(task, observer, random + 0.9 * span) - random) / span
        hold(reached >= 0.9, f"the observer's score01 is {reached:.3f}, below 0.9")


def mean_score(
    task: Task, policy: Policy | Callable[[World], Floats], bar: float, every: bool = False
) -> float:
    """Mean raw score of `FIRST` episodes; of `EPISODES` if within doubt of ``bar``, or ``every``.

    Doubt is five standard errors. Equal scores alone do not make it vanish: the variance counts
    as at least that of one success in `FIRST`.
    """
    scores = calibration.rollout(task, policy, FIRST, SEED)
    doubt = 5.0 * np.sqrt((scores.var() + 1 / FIRST) / FIRST)
    if every or abs(scores.mean() - bar) <= doubt:
        rest = calibration.rollout(task, policy, EPISODES - FIRST, SEED + FIRST)
        scores = np.append(scores, rest)
    return float(scores.mean())


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
IN_EVERY_VARIANT: tuple[Callable[[Task], None], ...] = (finite, copies, doors, truncation)
"""At the default level: what a further constructor argument may break. Who solves a variant is
measured with its calibration."""


@dataclass(frozen=True)
class Check:
    """One check of a task as it is set; call it."""

    what: Callable[[Task], None]
    task: str
    level: int
    ood: bool
    variant: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self) -> None:
        """Raise an AssertionError where the task does not keep the contract."""
        with warnings.catch_warnings():
            # No fault: the contract measures its references itself.
            warnings.simplefilter("ignore", UncalibratedWarning)
            self.what(tasks.find(self.task)(level=self.level, ood=self.ood, **self.variant))

    def __str__(self) -> str:
        variant = "".join(f"-{name}={value}" for name, value in self.variant.items())
        setting = f"{self.level}{'-ood' if self.ood else ''}{variant}"
        return f"{self.task}-{setting}-{self.what.__name__}"


def checks(name: str) -> list[Check]:
    """Every check of a task, at every level, in and out of distribution; some in its variants.

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
    usual = task().variant
    for variant in task.variants:
        if task(**variant).variant != usual:
            for what in IN_EVERY_VARIANT:
                yield Check(what, task.__name__, task.default_level, False, variant)
