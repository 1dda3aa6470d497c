"""Caregiver: the rules, one by one."""

import numpy as np
import pytest

from motley.envs import World, senses
from motley.envs.streams import length
from motley.envs.tasks.caregiver import Caregiver

rungs = pytest.mark.parametrize(
    ("level", "ood"), [(level, ood) for level in range(4) for ood in (False, True)]
)


def make(level: int = 1, ood: bool = False, n: int = 200) -> World:
    world = World(Caregiver(level, ood), n)
    world.seed(np.arange(n))
    world.reset()
    return world


def rules(world: World) -> Caregiver:
    assert isinstance(world.task, Caregiver)
    return world.task


def still(world: World) -> None:
    world.step(np.zeros((world.n, 2), np.float32))


def watch(world: World) -> list[np.ndarray]:
    """Let the watching pass; the shapes' places at each of its steps and the first free one."""
    track = [world.shape_position.copy()]
    for _ in range(8):
        still(world)
        track.append(world.shape_position.copy())
    return track


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    turn: np.ndarray = np.abs((a - b + np.pi) % (2 * np.pi) - np.pi)
    return turn


@rungs
def test_layout(level: int, ood: bool) -> None:
    world = make(level, ood)
    k = 3 + level
    assert world.n_shapes == k + 3
    np.testing.assert_allclose(length(world.shape_position[:, :k]), 1.6, atol=1e-5)
    gap = length(world.shape_position[:, :k, None] - world.shape_position[:, None, :k])
    # No object stands in the way to another.
    assert (gap + 10 * np.eye(k)).min() > 0.3 + 0.3 + 0.25
    assert world.shape_color[:, :k].max() <= 0.65 + 1e-6
    hands = world.shape_color[:, k + 1]
    pale, familiar = Caregiver.ood_hand_colors, Caregiver.hand_colors
    low, high = pale if ood else familiar
    assert ((hands >= low - 1e-6) & (hands <= high + 1e-6)).all()
    assert (pale[0] > familiar[1]).sum() == 2  # no hand of one kind could be of the other


@rungs
def test_every_object_is_in_view_as_the_body_is_set_free(level: int, ood: bool) -> None:
    world = make(level, ood)
    watch(world)
    assert world.free.all()
    rays = world.observe()["vision"].reshape(200, 24, 4)[:, :, 1:]
    match = np.abs(rays[:, :, None] - world.shape_color[:, None]).max(-1) < 1e-6
    k = 3 + level
    assert match[:, :, : k + 1].any(1).all()  # and the head
    assert match[:, 0, k].all()


def test_a_hand_moves_one_object() -> None:
    world = make()
    task = rules(world)
    track = np.stack(watch(world))
    moved = world.moved[:, 0]
    way = length(track[7, :, :4] - track[0, :, :4])
    np.testing.assert_allclose(way[world.rows, moved], 0.3, atol=1e-5)
    way[world.rows, moved] = 0.0
    np.testing.assert_allclose(way, 0.0, atol=1e-6)
    hand, ball = track[:, :, task.hand], track[:, :, task.ball]
    it = track[:, world.rows, moved]
    touching = length(hand - it) <= 0.3 + 0.18
    moves = length(np.diff(it, axis=0)) > 1e-4
    # It moves in steps 4 and 5, in which the hand is at it before and after, and in no other.
    assert moves[3:5].all()
    assert not moves[:3].any()
    assert not moves[5:].any()
    assert touching[3:6].all()
    assert not touching[:2].any()
    # The ball never meets an object.
    assert length(ball[:, :, None] - track[:, :, :4]).min() > 0.3 + 0.15
    # It is faster than the hand, and both lie still at last.
    assert length(np.diff(ball, axis=0))[:5].min() > 0.4
    np.testing.assert_array_equal(track[7, :, task.hand], track[8, :, task.hand])


def test_frames_are_still_out_of_distribution() -> None:
    world = make(ood=True)
    track = watch(world)
    for places in track[1:]:
        np.testing.assert_array_equal(places, track[0])
    first = make(ood=True).observe()["vision"].reshape(200, 24, 4)
    hand = world.shape_color[:, rules(world).hand]
    seen = (np.abs(first[..., 1:] - hand[:, None]).max(-1) < 1e-6).any(1)
    assert seen.mean() > 0.8  # the ball lies in front of it now and then


@rungs
def test_the_head_looks_at_the_hand_and_then_at_the_target_and_its_hue_tells(
    level: int, ood: bool
) -> None:
    world = make(level, ood)
    task = rules(world)
    rng = np.random.default_rng(0)
    for step in range(12):
        head = world.shape_position[:, task.head]
        target = world.target[:, 0] if step >= 8 else np.full(200, task.hand)
        first = world.trial == 0
        way = world.shape_position[world.rows, target] - head
        expected = np.arctan2(way[:, 1], way[:, 0])
        gaze = np.arctan2(world.gaze[:, 1], world.gaze[:, 0])
        assert apart(gaze, expected)[first].max() < 1e-5
        sight = world.position - head
        angle = gaze - np.arctan2(sight[:, 1], sight[:, 0])
        hue = senses.hue(np.rad2deg(angle))
        np.testing.assert_allclose(world.shape_color[:, task.head], hue, atol=1e-5)
        world.step(rng.uniform(-1, 1, (200, 2)).astype(np.float32))


def test_the_right_object_pays_and_the_body_is_carried_back() -> None:
    world = make()
    total = np.zeros(200)
    for _ in range(world.task.horizon):
        trial = world.trial.copy()
        reward, terminated, _ = world.step(world.task.oracle(world))
        over = world.trial > trial
        np.testing.assert_array_equal(reward, over.astype(float))
        assert (world.position[over] == 0).all()
        assert (world.observe()["touch"][over] == 1).all()
        assert not world.free[over].any()
        total += over
    assert terminated.all()
    np.testing.assert_array_equal(world.task.score(world), total / 4)
    np.testing.assert_array_equal(total, 4)


def test_a_wrong_object_ends_the_trial_and_pays_nothing() -> None:
    world = make()
    watch(world)
    wrong = (world.target[:, 0] + 1) % 4
    for _ in range(10):
        action = world.task.toward(world, world.shape_position[world.rows, wrong])
        action[world.trial > 0] = 0.0
        reward, _, _ = world.step(action)
        assert (reward == 0).all()
    assert (world.trial == 1).all()
    assert (world.right == 0).all()


def test_a_trial_lasts_eighteen_steps_at_most() -> None:
    world = make(n=3)
    for step in range(1, 73):
        assert (world.free == ((step - 1) % 18 >= 8)).all()
        _, terminated, _ = world.step(np.zeros((3, 2), np.float32))
        assert (world.trial == step // 18).all()
        assert (terminated == (step == 72)).all()


@rungs
def test_nothing_but_the_gaze_tells_the_target(level: int, ood: bool) -> None:
    world = make(level, ood, n=4_000)
    target, k = world.target[:, 0], 3 + level
    assert np.bincount(target).min() / 4_000 > 0.9 / k
    assert abs((target == world.moved[:, 0]).mean() - 1 / k) < 0.03
    place = np.take_along_axis(world.bearing, target[:, None], 1)[:, 0]
    rest = apart(world.ball_rests[:, 0, None], world.bearing).argmin(1)
    assert abs((target == rest).mean() - 1 / k) < 0.03
    np.testing.assert_allclose(np.mean(place), 0.0, atol=0.1)


def test_of_two_objects_touched_at_once_the_nearer_counts() -> None:
    world = make(n=2)
    watch(world)
    world.target[:, 0] = 0
    world.shape_position[:, 0] = [[0.4, 0.2], [0.4, 0.3]]
    world.shape_position[:, 1] = [[0.4, -0.3], [0.4, -0.2]]
    reward, _, _ = world.step(np.zeros((2, 2), np.float32))
    np.testing.assert_array_equal(reward, [1, 0])
