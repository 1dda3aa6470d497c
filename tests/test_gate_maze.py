"""GateMaze: the rules, one by one."""

import numpy as np
import pytest

from motley.envs import World
from motley.envs.streams import Bools, Ints
from motley.envs.tasks.gate_maze import SIGNS, GateMaze

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
        if opening == {"1": "A", "2": "B"}[word[0]]:
            answer = opening + sign in ("AX", "BY")
    assert not stack
    return answer


@rungs
def test_the_right_arm_follows_from_the_signs(level: int, ood: bool) -> None:
    world = make(level, ood)
    assert [verdict(word) for word in words(world)] == world.right.tolist()
    swap = str.maketrans("12", "21")
    other = [verdict(word.translate(swap)) for word in words(world)]
    assert other == (~world.right).tolist(), "without the context every answer is as likely"


@rungs
def test_how_many_signs(level: int, ood: bool) -> None:
    setting = GateMaze.levels[level]
    distractors = setting.distractors * (2 if ood else 1)
    world = make(level, ood, n=50)
    for word in words(world):
        counts = {sign: word[1:].count(sign) for sign in "ABC"}
        assert counts == {"A": setting.pairs, "B": setting.pairs, "C": distractors}
        runs = max(len(run) for run in word[1:].translate(str.maketrans("XYZ", "   ")).split())
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
def test_answers_are_balanced(level: int, ood: bool) -> None:
    """Given the context with the last sign, the last pair, or every count; or all but the context.

    With 20,000 episodes the best answer to one of a few dozen values is right in at most 0.51 of
    them by luck.
    """
    world = make(level, ood, n=20_000)
    rules, right = world.task, world.right
    assert isinstance(rules, GateMaze)
    signs = world.sign[:, : rules.signs]
    context = signs[:, :1]
    counts = np.stack([(signs[:, 1:] == s).sum(1) for s in range(2, 8)], 1)
    pair = signs[:, [rules.opens[-1], rules.closes[-1]]]
    for seen in (context, signs[:, -1:], pair, counts):
        assert accuracy(np.concatenate((context, seen), 1), right) < 0.515
        assert accuracy(seen, right) < 0.515
    for sign in range(2, 8):
        assert accuracy((signs == sign).sum(1, keepdims=True), right) < 0.515


@pytest.mark.parametrize("level", [2, 3, 4])
def test_the_first_that_counts_tells_little_of_the_last(level: int) -> None:
    """The docstring's figure of a memory that is never overwritten."""
    world = make(level, n=20_000)
    rules = world.task
    assert isinstance(rules, GateMaze)
    opening, closing = world.sign[:, rules.opens], world.sign[:, rules.closes]
    one = world.sign[:, 0] == 0
    counts = opening == np.where(one, 2, 3)[:, None]
    first = closing[world.rows, counts.argmax(1)] == np.where(one, 5, 6)
    assert accuracy(first[:, None].astype(np.int64), world.right) <= 0.58
    assert (counts.sum(1) == GateMaze.levels[level].pairs).all()


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
    assert abs((world.sign[:, 0] == 0).mean() - 0.5) < 0.015
    rules = world.task
    assert isinstance(rules, GateMaze)
    last = np.where(world.sign[:, rules.opens] < 4, np.arange(6), -1).max(1)
    # The last of one A and one B among five places: k of ten pairs of places.
    np.testing.assert_allclose(np.bincount(last, minlength=6) / 20_000,
                               [0, 0.1, 0.2, 0.3, 0.4, 0], atol=0.02)  # fmt: skip
