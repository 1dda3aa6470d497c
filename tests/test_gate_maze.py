"""GateMaze: the rules, one by one."""

from math import comb

import numpy as np
import pytest

from motley.envs import World, calibration
from motley.envs.streams import Bools, Ints
from motley.envs.tasks.gate_maze import SIGNS, A, GateMaze, X

CASES = [(level, ood) for level in range(len(GateMaze.levels)) for ood in (False, True)]
rungs = pytest.mark.parametrize(("level", "ood"), CASES)


def make(level: int = 1, ood: bool = False, n: int = 300) -> World:
    world = World(GateMaze(level, ood), n)
    world.seed(np.arange(n))
    world.reset()
    return world


def words(world: World) -> list[str]:
    """Each world's signs as text."""
    signs = world.sign[:, : world.task.signs]  # type: ignore[attr-defined]
    return ["".join(SIGNS[s] for s in row) for row in signs]


def verdict(word: str) -> bool | None:
    """The rule, one sign at a time, with a stack."""
    stack, answer = [], None
    for sign in word[1:]:
        if sign in "ABC":
            stack.append(sign)
            continue
        opening = stack.pop()
        if opening == {"1": "A", "2": "B", "3": "C"}[word[0]]:
            answer = sign == "X"
    assert not stack
    return answer


@rungs
def test_the_right_arm_follows_from_the_signs(level: int, ood: bool) -> None:
    world = make(level, ood)
    assert [verdict(word) for word in words(world)] == world.right.tolist()


@rungs
def test_how_many_signs(level: int, ood: bool) -> None:
    setting = GateMaze.levels[level]
    world = make(level, ood, n=50)
    for word in words(world):
        counts = {sign: word[1:].count(sign) for sign in "ABC"}
        assert counts == dict.fromkeys("ABC", setting.pairs * (2 if ood else 1))
        runs = max(len(run) for run in word[1:].translate(str.maketrans("XY", "  ")).split())
        assert runs == setting.nesting + 1
    rules = world.task
    assert isinstance(rules, GateMaze)
    assert rules.walk - rules.signs == (12 if ood else 4)
    if not ood:
        assert f"{rules.signs} " in (GateMaze.__doc__ or "")


def accuracy(seen: Ints, right: Bools) -> float:
    """How often the best answer to each row of ``seen`` is right."""
    _, index = np.unique(seen, axis=0, return_inverse=True)
    index = index.ravel()
    yes, all_of = np.bincount(index, right), np.bincount(index)
    return float(np.maximum(yes, all_of - yes).sum() / len(right))


@rungs
def test_nothing_but_the_pair_that_counted_last_tells_the_answer(level: int, ood: bool) -> None:
    """Whoever lacks it is right by half, and where what it has is that pair or goes with it.

    With 20,000 episodes the best answer to one of a few dozen values is right in at most 0.025 of
    them more by luck.
    """
    world = make(level, ood, n=20_000)
    rules, right = world.task, world.right
    assert isinstance(rules, GateMaze)
    signs = world.sign[:, : rules.signs]
    context, openings, closings = signs[:, :1], signs[:, rules.opens], signs[:, rules.closes]
    with_x = (closings == X).sum(1, keepdims=True)
    pairs = closings.shape[1]
    # Of an odd number of fair coins, one is on the side of most by so much more than a half, and of
    # one less by as much, ties being tossed up.
    odd = pairs + 1 - pairs % 2
    majority = 0.5 + comb(odd - 1, odd // 2) / 2**odd
    beside = with_x - (closings[world.rows, last_of(context, openings)] == X)[:, None]
    for seen, expected in (
        (context, 0.5),
        (openings[:, -1:], 0.5),
        (beside, 0.5),  # every closing but the one that is asked for
        (closings[:, -1:], 2 / 3),
        (np.concatenate((openings[:, -1:], closings[:, -1:]), 1), 2 / 3),
        (with_x, majority),
    ):
        assert accuracy(np.concatenate((context, seen), 1), right) < expected + 0.025
        assert accuracy(seen, right) < expected + 0.025
    assert accuracy(with_x, right) > majority - 0.02
    for other in (1, 2):  # what another context would have asked for
        switched = closings[world.rows, last_of((context + other) % 3, openings)]
        assert accuracy(np.stack((context[:, 0], switched), 1), right) < 0.515


def last_of(context: Ints, openings: Ints) -> Ints:
    """Which pair of each episode counts last under a context (N, 1) from 0."""
    counts = openings - A == context
    return np.asarray(counts.shape[1] - 1 - counts[:, ::-1].argmax(1))


def test_what_stands_for_chance_is_the_best_that_lacks_a_part() -> None:
    for level, setting in enumerate(GateMaze.levels):
        task = GateMaze(level)
        means = {
            name: calibration.rollout(task, policy(), 2_000, 40_000).mean()
            for name, policy in task.heuristics().items()
        }
        assert max(means.values()) == pytest.approx(setting.chance, abs=0.03)
        assert ("most_that_counted" in means) == (level > 0)
        if level > 0:
            assert means["first_that_counted"] == pytest.approx(0.5, abs=0.04)


@rungs
def test_the_body_is_carried_and_holds_nothing(level: int, ood: bool) -> None:
    world = make(level, ood, n=20)
    rules = world.task
    assert isinstance(rules, GateMaze)
    rng = np.random.default_rng(0)
    for step in range(rules.walk):
        seen = world.observe()
        assert (seen["go"] == 0).all()
        shown = world.sign[:, step]
        np.testing.assert_array_equal(seen["cue"], np.eye(9, 8)[shown])
        np.testing.assert_allclose(world.position, [[0.2 * step, 0.0]] * 20, rtol=1e-6)
        assert (world.heading == 0).all()
        assert (seen["egomotion"] == [0, 0, 1]).all()
        vision = seen["vision"]
        assert (vision == vision[:1]).all(), "the view must not tell worlds apart"
        reward, terminated, _ = world.step(rng.uniform(-1, 1, (20, 2)).astype(np.float32))
        assert (reward == 0).all()
        assert not terminated.any()
    seen = world.observe()
    assert (seen["go"] == 1).all()
    assert (seen["cue"] == 0).all()


@pytest.mark.parametrize("wrong", [False, True])
def test_an_arm_is_an_answer(wrong: bool) -> None:
    world = make(n=50)
    end = world.shape_position[world.rows, (world.right == wrong).astype(int)]
    total = np.zeros(50)
    steps = 0
    terminated = np.zeros(50, np.bool_)
    while not terminated.all():
        reward, terminated, _ = world.step(world.task.toward(world, end))
        total += reward
        steps += 1
    assert steps == 18  # 13 signs, 4 blank steps, and one at the fork
    assert (total == (-1 if wrong else 1)).all()
    assert (world.task.score(world) == (0 if wrong else 1)).all()
    assert (np.sign(world.position[:, 1]) == np.where(world.right ^ wrong, -1, 1)).all()
    again, terminated, _ = world.step(world.task.oracle(world))
    assert (again == 0).all()
    assert terminated.all()


def test_one_who_does_not_choose_is_wrong_when_the_time_is_up() -> None:
    world = make(n=3)
    for step in range(1, world.task.horizon + 1):
        reward, terminated, truncated = world.step(np.zeros((3, 2), np.float32))
        late = step == 17 + 8
        assert (reward == (-1 if late else 0)).all()
        assert (terminated == late).all()
        assert (truncated == late).all()
    assert (world.task.score(world) == 0).all()


def test_contexts_answers_and_places_are_even() -> None:
    world = make(n=20_000)
    assert abs(world.right.mean() - 0.5) < 0.015
    np.testing.assert_allclose(np.bincount(world.sign[:, 0]) / 20_000, 1 / 3, atol=0.015)
    rules = world.task
    assert isinstance(rules, GateMaze)
    last = last_of(world.sign[:, :1], world.sign[:, rules.opens])
    # The last of two among six places: k of fifteen pairs of places.
    np.testing.assert_allclose(np.bincount(last, minlength=6) / 20_000,
                               np.arange(6) / 15, atol=0.015)  # fmt: skip
