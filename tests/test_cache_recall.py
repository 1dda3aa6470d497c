"""CacheRecall: the rules, one by one."""

import itertools

import numpy as np
import pytest

from motley.envs import World
from motley.envs.streams import length
from motley.envs.tasks.cache_recall import CacheRecall

LEVELS = range(len(CacheRecall.levels))
rungs = pytest.mark.parametrize(
    ("level", "ood"), [(level, ood) for level in LEVELS for ood in (False, True)]
)


def make(level: int = 2, ood: bool = False, n: int = 300) -> World:
    world = World(CacheRecall(level, ood), n)
    world.seed(np.arange(n))
    world.reset()
    return world


def stand(world: World) -> None:
    """Let the showing pass."""
    for _ in range(2 * world.task.n_shapes):
        world.step(np.zeros((world.n, 2), np.float32))


@rungs
def test_layout(level: int, ood: bool) -> None:
    world = make(level, ood)
    sites = CacheRecall.levels[level].sites + (4 if ood else 0)
    assert world.n_shapes == sites
    distance = length(world.shape_position)
    assert distance.min() >= 1.5 - 1e-5
    assert distance.max() <= 2.0 + 1e-5
    gap = length(world.shape_position[:, :, None] - world.shape_position[:, None])
    gap += 10.0 * np.eye(sites)
    assert gap.min() > 2 * world.shape_radius.max()
    hues = np.sort(world.shape_color.reshape(300, -1), axis=1)
    np.testing.assert_array_equal(hues, np.tile(hues[0], (300, 1)))
    assert np.abs(world.item).max() <= 1
    distinct = [len({tuple(item) for item in items}) for items in world.item]
    assert set(distinct) == {sites}


@rungs
def test_every_site_is_in_view_from_the_middle(level: int, ood: bool) -> None:
    world = make(level, ood)
    stand(world)
    rays = world.observe()["vision"].reshape(300, 24, 4)[:, :, 1:]
    match = np.abs(rays[:, :, None] - world.shape_color[:, None]).max(-1) < 1e-6
    assert match.any(1).all()


def test_items() -> None:
    fixed = make(0).item
    table = {tuple(item) for item in CacheRecall.fixed_items}
    assert {tuple(item) for item in fixed.reshape(-1, 8)} == table
    assert len({fixed[i].tobytes() for i in range(300)}) == 24  # all permutations of four
    fresh = make(2).item
    assert abs(float(fresh.mean())) < 0.02
    assert abs(float((fresh**2).mean()) - 1 / 3) < 0.02
    assert set(np.unique(make(2, ood=True).item)) == {-1.0, 1.0}


@rungs
def test_showing(level: int, ood: bool) -> None:
    world = make(level, ood, n=50)
    shown = np.zeros((50, world.n_shapes), np.int64)
    for _ in range(2 * world.n_shapes):
        seen = world.observe()
        lit = world.shape_visible.argmax(1)
        assert (world.shape_visible.sum(1) == 1).all()
        np.testing.assert_array_equal(seen["cue"], world.item[world.rows, lit])
        assert (seen["go"] == 0).all()
        rays = seen["vision"].reshape(50, 24, 4)
        assert (rays[:, :, 0].max(1) > 0).all()
        only = np.abs(rays[:, :, 1:] - world.shape_color[world.rows, lit][:, None]).max(-1)
        assert (only[rays[:, :, 0] > 0] == 0).all()
        shown[world.rows, lit] += 1
        reward, terminated, _ = world.step(np.ones((50, 2), np.float32))
        assert (reward == 0).all()
        assert not terminated.any()
        assert (world.position == 0).all()
    assert (shown == 2).all()
    seen = world.observe()
    assert (seen["go"] == 1).all()
    assert world.shape_visible.all()
    np.testing.assert_array_equal(seen["cue"], world.item[world.rows, world.query[:, 0]])


def test_the_right_site_pays_and_the_body_is_carried_back() -> None:
    world = make()
    heading = world.heading.copy()
    stand(world)
    total = np.zeros(300)
    over = np.zeros(300, np.bool_)
    for _ in range(40):
        asked = world.asked.copy()
        reward, terminated, _ = world.step(world.task.oracle(world))
        total += reward * ~over
        next_one = (world.asked > asked) & ~terminated & ~over
        assert (reward[next_one] == 1).all()
        assert (world.observe()["touch"][next_one] == 1).all()
        assert (world.position[next_one] == 0).all()
        np.testing.assert_array_equal(world.heading[next_one], heading[next_one])
        row = np.flatnonzero(next_one)
        asked_for = world.query[row, world.asked[row]]
        np.testing.assert_array_equal(world.cue[row], world.item[row, asked_for])
        over |= terminated
    assert over.all()
    assert total.mean() >= 0.95 * 4
    np.testing.assert_allclose(world.task.score(world), total / 4)


def test_a_wrong_site_ends_the_query_and_pays_nothing() -> None:
    world = make()
    stand(world)
    asked = world.asked.copy()
    wrong = (world.target + 1) % 4
    for _ in range(10):
        at = world.shape_position[world.rows, wrong]
        action = world.task.toward(world, at)
        action[world.asked > asked] = 0.0
        reward, _, _ = world.step(action)
        assert (reward == 0).all()
        if (world.asked > asked).all():
            break
    assert (world.asked == 1).all()
    assert (world.right == 0).all()


def test_a_query_lasts_ten_steps_and_an_episode_four_queries() -> None:
    world = make(n=3)
    stand(world)
    for step in range(1, 41):
        reward, terminated, _ = world.step(np.zeros((3, 2), np.float32))
        assert (reward == 0).all()
        assert (world.asked == step // 10).all()
        assert (terminated == (step == 40)).all()
    again, terminated, _ = world.step(np.ones((3, 2), np.float32))
    assert terminated.all()
    assert (again == 0).all()
    assert (world.observe()["go"] == 0).all()


def test_of_two_sites_touched_at_once_the_nearer_counts() -> None:
    world = make(n=2)
    stand(world)
    world.target[:] = 0
    world.shape_position[:, 0] = [[0.5, 0.3], [0.5, 0.4]]
    world.shape_position[:, 1] = [[0.5, -0.4], [0.5, -0.3]]
    reward, _, _ = world.step(np.zeros((2, 2), np.float32))
    np.testing.assert_array_equal(reward, [1, 0])


def test_queries_are_drawn_with_replacement_and_evenly() -> None:
    query = make(n=4_000).query
    counts = np.bincount(query.ravel(), minlength=4)
    assert counts.min() > 3_800
    repeats = (query[:, 1:] == query[:, :-1]).mean()
    assert abs(repeats - 0.25) < 0.02


def test_nothing_but_the_items_tells_the_order_of_asking() -> None:
    """Colours, places and the order of showing are independent of what is asked."""
    world = make(n=4_000)
    first = world.query[:, 0]
    place = (world.order == first[:, None]).argmax(1)
    color = np.round(world.shape_color[world.rows, first, 0], 3)
    for trait in (place, color):
        _, counts = np.unique(trait, return_counts=True)
        assert counts.min() / 4_000 > 0.22


@pytest.mark.parametrize(("sites", "stated"), [(2, 0.87), (4, 0.42)])
def test_what_feedback_alone_is_worth(sites: int, stated: float) -> None:
    """The docstring's figure of a policy that learns from reward and ignores the showing."""
    rng = np.random.default_rng(0)
    ways = list(itertools.permutations(range(sites)))
    right = 0
    for _ in range(2_000):
        truth = rng.permutation(sites)
        possible = ways
        for item in rng.integers(0, sites, 4):
            guess = int(np.bincount([way[item] for way in possible]).argmax())
            hit = bool(truth[item] == guess)
            possible = [way for way in possible if (way[item] == guess) == hit]
            right += hit
    assert abs(right / 8_000 - stated) < 0.03
    assert f"{stated} at K = {sites}" in (CacheRecall.__doc__ or "")
