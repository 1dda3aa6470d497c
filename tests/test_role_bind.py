"""RoleBind: the rules, one by one."""

import numpy as np
import numpy.typing as npt
import pytest

from motley.envs import World
from motley.envs.tasks.role_bind import RELATIONS, RoleBind, fillers

CASES = [(level, ood) for level in range(len(RoleBind.levels)) for ood in (False, True)]
rungs = pytest.mark.parametrize(("level", "ood"), CASES)


def make(level: int = 2, ood: bool = False, n: int = 300) -> tuple[World, RoleBind]:
    rules = RoleBind(level, ood)
    world = World(rules, n)
    world.seed(np.arange(n))
    world.reset()
    return world, rules


def stand(world: World, rules: RoleBind) -> None:
    """Let the showing pass."""
    for _ in range(rules.held):
        world.step(np.zeros((world.n, 2), np.float32))


def related(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> str:
    if np.array_equal(one, other):
        return "same"
    return "opposite" if np.array_equal(one, -other) else "other"


def test_symbols_are_sixty_four_pairs_of_opposites() -> None:
    symbols = fillers()
    assert symbols.shape == (64, 2, 8)
    flat = symbols.reshape(-1, 8)
    match = flat @ flat.T
    assert set(np.unique(match[~np.eye(128, dtype=bool)])) == {-8, -4, 0, 4}
    np.testing.assert_array_equal(symbols[:, 0], -symbols[:, 1])


@rungs
def test_held_out_symbols_are_never_met_in_training(level: int, ood: bool) -> None:
    world, _ = make(level, ood, n=3_000)
    used = {tuple(s) for s in world.symbol.reshape(-1, 8)}
    training = {tuple(s) for s in fillers()[:16].reshape(-1, 8)}
    assert len(used) == (96 if ood else 32)
    assert not used & training if ood else used == training


@rungs
def test_the_right_chest_has_the_relation_and_no_other_has(level: int, ood: bool) -> None:
    world, rules = make(level, ood)
    for symbol, right, index in zip(world.symbol, world.right, world.relation, strict=True):
        lock, chests = symbol[0], symbol[1 : 1 + rules.chests]
        kinds = [related(lock, chest) for chest in chests]
        wanted = RELATIONS[index]
        if level < 2:
            assert wanted == ("same", "other")[level]
        else:
            assert related(symbol[-2], symbol[-1]) == wanted
            assert sorted(kinds) == sorted([*RELATIONS, "other"])
            # What chests are to each other tells nothing of the lock: each has its opposite.
            match = chests @ chests.T / 8
            assert (match == -1).sum(1).tolist() == [1, 1, 1, 1]
            assert {"other"} == {related(lock, tablet) for tablet in symbol[-2:]}
        assert [kind == wanted for kind in kinds] == right[1 : 1 + rules.chests].tolist()
        assert right.sum() == right[1 : 1 + rules.chests].sum()
        if level == 0:
            assert len({tuple(np.abs(c @ chests.T)) for c in chests}) == 4


@rungs
def test_showing_then_dark_then_free(level: int, ood: bool) -> None:
    world, rules = make(level, ood, n=50)
    order = [*range(1 + rules.chests, rules.n_shapes), 0]
    start = world.heading.copy()
    for step in range(rules.held):
        seen = world.observe()
        assert (seen["go"] == 0).all()
        if step < 2 * len(order):
            shown = order[step // 2]
            np.testing.assert_array_equal(seen["cue"], world.symbol[:, shown])
            assert (world.shape_visible.sum(1) == 1).all()
            assert world.shape_visible[:, shown].all()
            assert (seen["vision"].reshape(50, 24, 4)[..., 0].max(1) > 0).all()
        else:
            assert not seen["cue"].any()
            assert not seen["vision"].any()
        reward, terminated, _ = world.step(np.ones((50, 2), np.float32))
        assert (reward == 0).all()
        assert not terminated.any()
    assert (world.observe()["go"] == 1).all()
    assert (world.position == 0).all()
    np.testing.assert_array_equal(world.heading, start)


@rungs
def test_a_chest_shows_its_symbol_when_faced_and_nothing_tells_chests_apart(
    level: int, ood: bool
) -> None:
    world, rules = make(level, ood, n=200)
    stand(world, rules)
    chests = world.shape_position[:, 1 : 1 + rules.chests]
    bearing = np.arctan2(chests[..., 1], chests[..., 0])
    facing = 0
    for _ in range(6):
        off = np.abs((bearing - world.heading[:, None] + np.pi) % (2 * np.pi) - np.pi)
        cue = world.observe()["cue"]
        for i in range(200):
            near = int(off[i].argmin())
            if off[i, near] < np.pi / 6 - 1e-4:
                np.testing.assert_array_equal(cue[i], world.symbol[i, 1 + near])
                facing += 1
            elif off[i, near] > np.pi / 6 + 1e-4:
                assert not cue[i].any()
        world.step(np.tile(np.array([0, 0.9], np.float32), (200, 1)))
    assert facing > 300
    assert (world.shape_color[:, 1 : 1 + rules.chests] == world.shape_color[:1, 1:2]).all()
    assert world.shape_visible[:, 1 : 1 + rules.chests].all()
    assert (world.shape_visible.sum(1) == rules.chests).all()


@rungs
def test_one_step_forward_opens_the_chest_that_is_faced(level: int, ood: bool) -> None:
    world, rules = make(level, ood)
    stand(world, rules)
    cue = world.observe()["cue"]
    faced = (cue[:, None] == world.symbol[:, 1 : 1 + rules.chests]).all(-1)
    reward, terminated, _ = world.step(np.tile(np.array([1, 0], np.float32), (300, 1)))
    row, chest = np.nonzero(faced)
    assert row.size > 100
    np.testing.assert_array_equal(world.opened[row], 1 + chest)
    assert terminated[row].all()
    right = world.right[world.rows, world.opened]
    np.testing.assert_array_equal(reward, right)
    np.testing.assert_array_equal(rules.score(world), right)
    assert 0 < right[row].mean() < 1
    assert (world.observe()["touch"][row] == 1).all()
    again, terminated, _ = world.step(np.ones((300, 2), np.float32))
    assert (again[row] == 0).all()
    assert terminated[row].all()


def test_one_who_opens_nothing_gets_nothing() -> None:
    world, rules = make(n=3)
    for _ in range(rules.horizon):
        reward, terminated, truncated = world.step(np.zeros((3, 2), np.float32))
        assert (reward == 0).all()
        assert not terminated.any()
    assert truncated.all()
    assert (rules.score(world) == 0).all()


@rungs
def test_targets_are_even_over_places_and_relations(level: int, ood: bool) -> None:
    world, rules = make(level, ood, n=6_000)
    right = world.right[:, 1 : 1 + rules.chests]
    # At level 2 one of four is right, or two where "other" is asked for.
    np.testing.assert_allclose(right.mean(0), rules.chance, atol=0.03)
    if level == 2:
        np.testing.assert_allclose(np.bincount(world.relation) / 6_000, 1 / 3, atol=0.03)
        for asked, share in enumerate((1 / 4, 1 / 4, 1 / 2)):
            of = right[world.relation == asked]
            np.testing.assert_allclose(of.mean(0), share, atol=0.04)
