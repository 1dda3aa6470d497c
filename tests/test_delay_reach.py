"""DelayReach and its arm: the rules, one by one."""

import numpy as np
import numpy.typing as npt
import pytest

from motley.envs import World, calibration
from motley.envs.arm import Arm
from motley.envs.streams import unit
from motley.envs.tasks.delay_reach import DelayReach
from motley.envs.tasks.delay_reach_policies import Predictor


def make(level: int = 2, ood: bool = False, n: int = 200) -> World:
    world = World(DelayReach(level, ood), n)
    world.seed(np.arange(n))
    world.reset()
    return world


def rules(world: World) -> DelayReach:
    """The task of a world."""
    assert isinstance(world.task, DelayReach)
    return world.task


def act(world: World, action: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """One step of the same action in all worlds; returns the reward."""
    return world.step(np.tile(np.asarray(action, np.float32), (world.n, 1)))[0]


def wait(world: World) -> None:
    """Until the arms are free."""
    for _ in range(rules(world).wait):
        assert not world.free.any()
        act(world, [1, 1])
    assert world.free.all()


def test_the_arm_equals_the_slow_reference() -> None:
    """Lag, clipping, limits, forward kinematics: one joint at a time, in float64."""
    world = make(n=50)
    world.task.body = Arm(joint_speed=0.4, response=0.3)
    rng = np.random.default_rng(0)
    joint = np.tile(np.array(rules(world).home_posture), (50, 1))
    speed = np.zeros((50, 2))
    # Far more steps than a reach has, with the task left out: the limits are met.
    stops = 0
    for _ in range(60):
        actions = rng.uniform(-1.0, 1.6, (50, 2)).astype(np.float32)
        world.free[:] = True
        world.free[::7] = False
        assert world.task.body.move(world, actions) == -1
        for i in range(50):
            for j, (low, high) in enumerate(Arm().limits):
                if not world.free[i]:
                    speed[i, j] = 0.0
                    continue
                command = min(max(float(actions[i, j]), -1.0), 1.0) * 0.4
                speed[i, j] += 0.3 * (command - speed[i, j])
                joint[i, j] += speed[i, j]
                if not low <= joint[i, j] <= high:
                    joint[i, j], speed[i, j], stops = (
                        min(max(joint[i, j], low), high),
                        0.0,
                        stops + 1,
                    )
        x = np.cos(joint[:, 0]) + np.cos(joint.sum(1))
        y = np.sin(joint[:, 0]) + np.sin(joint.sum(1))
        np.testing.assert_allclose(world.joint, joint, atol=1e-4)
        np.testing.assert_allclose(world.joint_speed, speed, atol=1e-5)
        np.testing.assert_allclose(world.hand, np.stack([x, y], 1), atol=2e-4)
        felt = np.stack([np.sin(joint), np.cos(joint)], -1).reshape(50, 4)
        np.testing.assert_allclose(world.felt, felt, atol=1e-4)
    assert stops > 50


def test_motor_noise_has_the_size_that_the_arm_states() -> None:
    world = make(n=20_000)
    world.task.body = Arm(motor_noise=0.1, response=1.0, joint_speed=0.3)
    world.free[:] = True
    world.task.body.move(world, np.tile(np.array([[1.0, -0.5]], np.float32), (world.n, 1)))
    np.testing.assert_allclose(world.joint_speed.mean(0), [0.3, -0.15], atol=1e-3)
    np.testing.assert_allclose(world.joint_speed.std(0), [0.03, 0.015], rtol=0.03)
    assert abs(np.corrcoef(world.joint_speed.T)[0, 1]) < 0.03


def test_an_action_that_is_not_finite_is_refused() -> None:
    world = make(n=3)
    before = world.get_state()
    with pytest.raises(ValueError, match="action of world 2 is not finite"):
        world.step(np.array([[0, 0], [0, 1], [0, np.nan]], np.float32))
    for name, array in world.get_state().items():
        np.testing.assert_array_equal(array, before[name])


def test_posture_is_the_inverse_of_hand() -> None:
    arm = Arm(links=(1.0, 0.7), limits=((-4.0, 4.0), (0.0, 3.2)))
    rng = np.random.default_rng(0)
    joint = rng.uniform((-1.0, 0.1), (1.0, 3.0), (500, 2)).astype(np.float32)
    np.testing.assert_allclose(arm.posture(arm.hand(joint)), joint, atol=2e-3)
    far = arm.posture(np.array([[0.0, 5.0]], np.float32))  # as near as it gets: straight
    np.testing.assert_allclose(arm.hand(far), [[0.0, 1.7]], atol=1e-3)


def test_commands_undo_the_lag() -> None:
    """Without noise the arm comes to its goal and stops there; beside it, a plain gain lags."""
    world = make(n=1)
    arm = Arm(joint_speed=0.35)
    world.free[:] = True
    goal = world.joint + np.float32(0.6)
    for _ in range(8):
        arm.move(world, arm.commands(world.joint, world.joint_speed, goal))
    np.testing.assert_allclose(world.joint, goal, atol=2e-3)
    assert np.abs(world.joint_speed).max() < 0.01


@pytest.mark.parametrize("level", range(len(DelayReach.levels)))
def test_senses_are_those_of_d_steps_ago(level: int) -> None:
    world = make(level, ood=True, n=30)
    task, rng = rules(world), np.random.default_rng(1)
    felt, seen, sight = [world.felt.copy()], [task.seen(world)], [world.observe()]
    for _ in range(task.wait + 8):
        world.step(rng.uniform(-1, 1, (30, 2)).astype(np.float32))
        felt.append(world.felt.copy())
        seen.append(task.seen(world))
        sight.append(world.observe())
    assert np.abs(felt[-1] - felt[0]).max() > 0.3
    still = world.reach == 0  # at random an arm may hit, and is carried back
    assert still.mean() > 0.8
    for now, observation in enumerate(sight):
        then = max(now - task.delay, 0)
        np.testing.assert_array_equal(observation["proprioception"][still], felt[then][still])
        cue, way = observation["cue"], world.target - seen[then]
        np.testing.assert_allclose(cue[still, :2], way[still].clip(-1, 1), atol=1e-5)
        np.testing.assert_allclose(cue[still, 2:4], seen[then][still].clip(-1, 1), atol=1e-5)
        assert (observation["cue"][:, 4:] == 0).all()


def test_the_rays_show_hand_and_target_where_they_were() -> None:
    world = make(n=100)
    wait(world)
    for _ in range(4):
        act(world, [0.5, -1.0])
    rays = world.observe()["vision"].reshape(100, 24, 4)
    for color in DelayReach.colors:
        meets = (np.abs(rays[:, :, 1:] - color).max(-1) < 1e-6) & (rays[:, :, 0] > 0)
        assert meets.any(1).mean() > 0.6  # one can hide the other, or slip between two rays
    late = rules(world).middle + world.cue[:, 2:4]
    np.testing.assert_allclose(world.shape_position[:, 0], late, atol=1e-5)


def test_the_hand_is_seen_turned_about_the_middle() -> None:
    world = make(level=3, n=300)
    wait(world)
    for _ in range(4):
        act(world, [0.4, 0.8])
    away, seen = world.hand - rules(world).middle, rules(world).seen(world)
    np.testing.assert_allclose(np.hypot(*seen.T), np.hypot(*away.T), rtol=1e-4)
    turned = np.rad2deg(np.arctan2(seen[:, 1], seen[:, 0]) - np.arctan2(away[:, 1], away[:, 0]))
    turned = (turned + 180) % 360 - 180
    np.testing.assert_allclose(turned, world.degrees[:, 0], atol=0.1)
    assert set(np.unique(world.degrees)) == {-60, 0, 60}
    assert (world.degrees[:, 0] != world.degrees[:, 1]).all()
    world.rotation[:] = unit(np.deg2rad(world.degrees[:, 1]))
    turned = np.rad2deg(np.arctan2(*rules(world).seen(world).T[::-1]) - np.arctan2(*away.T[::-1]))
    np.testing.assert_allclose((turned + 180) % 360 - 180, world.degrees[:, 1], atol=0.1)


def test_the_middle_tells_nothing_of_the_rotation() -> None:
    """When an arm becomes free, what it senses is the same whatever the rotation."""
    world = make(level=3, n=300)
    wait(world)
    now = world.observe()
    assert np.abs(now["cue"][:, 2:4]).max() < 1e-6
    home = np.array(DelayReach.home_posture)
    np.testing.assert_allclose(
        now["proprioception"], np.tile([[np.sin(home[0]), np.cos(home[0]), 1, 0]], (300, 1)),
        atol=1e-6,
    )  # fmt: skip


def test_staying_pays_and_passing_does_not() -> None:
    """0.2 a step for three steps in a row, 0.4 for the fourth; a step off begins anew."""
    world = make(level=0, n=1)
    wait(world)
    pays = []
    for on in (True, True, False, True, True, True, True):
        away = np.zeros(2, np.float32) if on else np.array([0.2, 0.0], np.float32)
        world.target[:] = rules(world).seen(world) + away
        pays.append(float(act(world, [0, 0])[0]))
    assert pays == pytest.approx([0.2, 0.2, 0, 0, 0, 0.2, 0.4])
    assert world.hit[0, 0]
    assert world.reach[0] == 1
    assert not world.free[0]


def test_a_reach_has_nine_steps_and_then_the_hand_is_back() -> None:
    world = make(n=4)
    task = rules(world)
    for reach in range(task.reaches):
        wait(world)
        for step in range(task.reach_steps):
            assert (world.reach == reach).all()
            assert world.free.all()
            reward = act(world, [1, 1])
            if step == 0:
                # A first-order lag from rest: half the speed, so a quarter of the cost.
                np.testing.assert_allclose(reward, -0.005 * 2 * 0.25, rtol=0.3)
        assert (world.reach == reach + 1).all()
        np.testing.assert_allclose(world.hand - task.middle, 0, atol=1e-6)
    assert world.elapsed[0] == task.horizon
    assert (task.score(world) == 0).all()


@pytest.mark.parametrize("level", [2, 3, 4])
def test_the_observers_error_comes_with_the_switch_and_goes(level: int) -> None:
    """Adaptation through state: misses at the first reach, at the switch, nowhere else."""
    world = make(level, n=400)
    task, observer = rules(world), Predictor(DelayReach(level))
    observer.reset(world.n)
    start = np.ones(world.n, np.bool_)
    for _ in range(task.horizon):
        world.step(observer.act(world.observe(), start))
        start[:] = False
    first, second = world.degrees.T
    rows = world.rows
    assert world.hit[:, 0][first == 0].mean() > 0.95
    at_switch = world.hit[rows, world.switch]
    if level > 2:  # a turn of 30 degrees can be mended within the reach
        assert world.hit[:, 0][first != 0].mean() < 0.3
        assert at_switch.mean() < 0.3
        assert at_switch[second == 0].mean() < 0.3  # the after-effect: nothing is turned any more
    assert world.hit[rows, world.switch + 1].mean() > 0.95
    assert world.hit[rows, world.switch - 1].mean() > 0.95


def test_without_adaptation_only_what_is_not_turned_is_hit() -> None:
    world = make(3, n=200)
    policy = Predictor(rules(world), adapts=False)
    policy.reset(world.n)
    for _ in range(rules(world).horizon):
        world.step(policy.act(world.observe(), world.elapsed == 0))
    turned = np.where(np.arange(24) >= world.switch[:, None], *world.degrees.T[::-1, :, None])
    assert world.hit[turned == 0].mean() > 0.9
    assert world.hit[turned != 0].mean() < 0.15


def test_prediction_is_what_the_delay_asks_for() -> None:
    """The late senses taken for the present ones do at d = 0 and fail at d = 3."""
    steady = [DelayReach(level).heuristics()["steady"] for level in (0, 1)]
    scores = [
        calibration.rollout(DelayReach(k), make(), 100, 3).mean() for k, make in enumerate(steady)
    ]
    assert scores[0] > 0.95
    assert scores[1] < 0.1


def in_field(level: int = 2, n: int = 100) -> World:
    """Worlds with a force field, whose arms are free."""
    world = World(DelayReach(level, field=True), n)
    world.seed(np.arange(n))
    world.reset()
    wait(world)
    return world


def test_a_force_field_pushes_the_hand_aside_of_its_way() -> None:
    """By half of the way that the arm moved it, to its left or right; what is felt agrees."""
    world = in_field()
    arm, rng = rules(world).arm, np.random.default_rng(0)
    assert set(world.push.tolist()) == {-0.5, 0.0, 0.5}
    assert (world.rotation == [1, 0]).all()
    for _ in range(4):
        joint = world.joint.copy()
        world.step(rng.uniform(-0.5, 0.5, (world.n, 2)).astype(np.float32))
        before = arm.hand(joint)
        way = arm.hand(joint + world.joint_speed) - before
        aside = np.stack([-way[:, 1], way[:, 0]], 1) * world.push[:, None]
        np.testing.assert_allclose(world.hand, before + way + aside, atol=1e-5)
        np.testing.assert_allclose(world.hand, arm.hand(world.joint), atol=1e-5)
        felt = np.stack([np.sin(world.joint), np.cos(world.joint)], -1).reshape(-1, 4)
        np.testing.assert_allclose(world.felt, felt, atol=1e-6)
    still = DelayReach(level=1, field=True)
    assert still.strength == 0.0
    assert DelayReach(level=2, ood=True, field=True).strength == pytest.approx(0.7)


def test_a_world_in_a_field_is_the_same_alone_and_among_others() -> None:
    together, alone = in_field(n=8), World(DelayReach(2, field=True), 1)
    alone.seed(np.array([5]))
    alone.reset()
    wait(alone)
    actions = np.random.default_rng(1).uniform(-1, 1, (60, 8, 2)).astype(np.float32)
    for action in actions:
        many, one = together.step(action), alone.step(action[5:6])
        assert many[0][5] == one[0][0]
        for name, sense in alone.observe().items():
            np.testing.assert_array_equal(together.observe()[name][5], sense[0])


def test_who_learns_the_field_hits_again_and_who_does_not_misses() -> None:
    task = DelayReach(3, field=True)
    world = World(task, 100)
    shares = {}
    for name, policy in (("learns", task.observer()), ("does not", Predictor(task, adapts=False))):
        world.seed(np.arange(100))
        world.reset()
        policy.reset(100)
        start, over = np.ones(100, np.bool_), np.zeros(100, np.bool_)
        while not over.all():
            over = world.step(policy.act(world.observe(), start))[1]
            start = np.zeros(100, np.bool_)
        pushed = world.degrees[:, 1] != 0
        after = world.switch[pushed, None] + np.arange(4)
        shares[name] = world.hit[np.flatnonzero(pushed)[:, None], after].mean(0)
    assert shares["learns"][0] < 0.2
    assert (shares["learns"][2:] > 0.85).all()
    assert (shares["does not"] < 0.2).all()
