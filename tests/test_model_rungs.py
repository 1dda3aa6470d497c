"""Forward, inverse and world models that are given how bodies and views move: right, then wrong."""

from __future__ import annotations

import math
from dataclasses import replace
from inspect import signature

import numpy as np
import pytest
import torch
from torch import Tensor

from lived import ARM, Wander, learn, record, run
from motley.agents.areas import ForwardModel, InverseModel, WorldModel, two_links
from motley.agents.areas.reprojection import reprojected
from motley.costs import MotorPrediction, SensoryPrediction, Trace, WorldPrediction, sighting
from motley.costs.world_prediction import surprise
from motley.envs.calibration import Random
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats
from motley.envs.task import Policy
from motley.envs.tasks.delay_reach import DelayReach
from motley.envs.tasks.delay_reach_policies import Predictor
from motley.envs.tasks.play_room import BLOCK, PENDULUM, PlayRoom

VIEW = ("vision", "egomotion", "previous_action")
POSTURE, WAY, PLACE = slice(0, 4), slice(4, 6), slice(6, 8)


class Sweep:
    """Full commands, to and fro: joints come to their limits, and go away from them at once."""

    def reset(self, n: int) -> None:
        self.free = np.zeros((n, 1), np.float32)

    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        self.free = (self.free + 1) * observation["go"]
        # The elbow is at its limit after five steps, and so is the shoulder on its other side.
        there = np.where(self.free > 5, np.float32(-1), np.float32(1))
        return np.concatenate((-there, there), 1)


def reaching(level: int, motor_noise: float, steps: int = 120, n: int = 12, seed: int = 0) -> Trace:
    task = DelayReach(level)
    task.body = task.arm = replace(task.arm, motor_noise=motor_noise)
    policy: Policy = Wander(Predictor(task), 0.5)
    if seed < 2:
        policy = (Random(0), Sweep())[seed]
    return record(task, policy, steps, n, seed)


def off(area: ForwardModel, trace: Trace, delay: int) -> Tensor:
    """How far each feature is from what arrives later, (moments, features)."""
    with torch.no_grad():
        now = run(area, trace, *ARM)
    error = now[..., :12] - trace.shifted(trace.join(("proprioception", "cue")), delay)
    return error[trace.same_episode(delay)]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("level", range(5))
def test_the_given_plant_knows_the_posture_of_now_however_late_it_is_felt(
    level: int, seed: int
) -> None:
    """Of random commands, to the limits of joints, and of reaches; no delay is told."""
    delay = DelayReach(level).delay
    trace, area = reaching(level, 0.0, seed=seed), ForwardModel((4, 8, 1, 2), prior="exact")
    error = off(area, trace, delay)
    assert float(error[:, POSTURE].abs().max()) < 1e-5
    late = trace.join(("proprioception", "cue"))
    changed = (trace.shifted(late, delay) - late)[trace.same_episode(delay)]
    if delay:
        assert float(changed[:, POSTURE].abs().max()) > 0.5
    # Who is carried back is in the middle, whatever was seen turned.
    middle = trace.shifted(late, delay)[trace.same_episode(delay)][:, PLACE].abs().amax(-1) < 1e-6
    assert float(error[middle][:, PLACE].abs().max()) < 1e-5
    if not DelayReach(level).rotation:  # then the hand is seen where it is
        assert float(error[:, PLACE].abs().quantile(0.9)) < 1e-5
        # The way is right until the target springs, which is when the hand is carried back.
        target = (changed[:, WAY] + changed[:, PLACE]).abs().amax(-1)
        assert float(error[target < 1e-5][:, WAY].abs().quantile(0.9)) < 1e-5
    else:
        assert float(error[:, PLACE].abs().amax(-1).quantile(0.9)) > 0.1
    if seed != 1:  # where noise decides whether a joint has just reached its limit, or all but
        noisy = off(area, reaching(level, 0.05, seed=seed), delay)
        assert float(noisy[:, POSTURE].abs().max()) < 0.15


def test_the_given_plant_is_that_of_its_task() -> None:
    task = DelayReach()
    arm = task.arm
    given = {name: x.default for name, x in signature(ForwardModel).parameters.items()}
    for name in ("links", "joint_speed", "response", "limits"):
        assert given[name] == getattr(arm, name)
    assert given["rest"] == task.home_posture
    for name, x in signature(InverseModel).parameters.items():
        assert name not in ("links", "joint_speed", "response") or x.default == getattr(arm, name)
    assert given["window"] >= max(level.delay for level in DelayReach.levels)
    assert signature(WorldModel).parameters["radius"].default == PlayRoom.thing_radius


def test_a_forward_model_with_wrong_constants_learns_them_from_its_cost() -> None:
    """What it tells comes nearer to what arrives, on other reaches than it learns from."""
    practice, test = reaching(1, 0.05, seed=2), reaching(1, 0.05, seed=900)
    cost = SensoryPrediction(senses=("proprioception", "cue"), steps=3)
    torch.manual_seed(0)
    area = ForwardModel((4, 8, 1, 2), prior="noisy")
    assert [name for name, _ in area.named_parameters()] == ["plant.factors"]
    wrong = off(area, test, 3)[:, POSTURE].square().mean()
    learn(area, cost, "forward_model", practice, ARM, 200, 1e-2)
    least = off(ForwardModel((4, 8, 1, 2), prior="exact"), test, 3)[:, POSTURE].square().mean()
    learnt = off(area, test, 3)[:, POSTURE].square().mean()
    assert float(learnt - least) < 0.25 * float(wrong - least)


def test_the_inverse_jacobian_turns_joints_so_that_the_hand_covers_the_way() -> None:
    arm, rng = DelayReach().arm, np.random.default_rng(0)
    joint = rng.uniform((-0.6, 0.5), (2.6, 2.5), (200, 2))
    way = 1e-3 * rng.standard_normal((200, 2))
    turn = two_links.turning(torch.as_tensor(joint), torch.as_tensor(way), arm.links).numpy()

    def hand(joint: np.ndarray) -> np.ndarray:
        upper, both = joint[:, 0], joint.sum(-1)
        return np.stack((np.cos(upper) + np.cos(both), np.sin(upper) + np.sin(both)), -1)

    np.testing.assert_allclose(hand(joint + turn) - hand(joint), way, atol=3e-5)
    folded = torch.zeros(2)
    assert two_links.turning(folded, torch.ones(2), arm.links).isfinite().all()


def test_the_given_arm_tells_the_command_behind_what_was_covered() -> None:
    """Where it was obeyed, and what is seen was not clipped. Without the lag it does not."""
    trace, cost = reaching(1, 0.0, seed=2), MotorPrediction(steps=3)
    clipped = (trace["cue"][..., :4].abs() > 0.999).any(-1)
    counts = cost.mask(trace) & ~clipped & ~trace.shifted(clipped, -1)
    assert int(counts.sum()) > 500

    def off(area: InverseModel) -> Tensor:
        out = run(area, trace, "proprioception", "cue")
        return (out[..., 2:] - cost.target(trace))[counts].abs()

    assert float(off(InverseModel((4, 8), prior="exact")).quantile(0.99)) < 0.03
    assert float(off(InverseModel((4, 8), prior="exact", response=1.0)).quantile(0.5)) > 0.1


def test_the_given_arm_goes_where_it_is_to_go() -> None:
    """One step from rest, by the command for the way that is left."""
    arm, rng = DelayReach().arm, np.random.default_rng(0)
    joint = rng.uniform((-0.3, 0.6), (2.3, 2.4), (50, 2)).astype(np.float32)
    way = 0.05 * rng.standard_normal((50, 2)).astype(np.float32)
    posture = np.stack((np.sin(joint), np.cos(joint)), -1).reshape(1, 50, 4)
    area = InverseModel((4, 2), prior="exact")
    inputs = (torch.as_tensor(posture).expand(2, -1, -1), torch.as_tensor(way).expand(2, 50, 2))
    start = torch.tensor([[True], [False]]).expand(2, 50)
    command = area(inputs, area.initial_state(50), start)[0][1, :, :2].numpy()
    moved = arm.hand(joint + arm.response * arm.joint_speed * command) - arm.hand(joint)
    assert np.median(np.linalg.norm(moved - way, axis=-1) / np.linalg.norm(way, axis=-1)) < 0.1


def test_an_inverse_model_with_wrong_links_learns_them_from_its_cost() -> None:
    practice = reaching(1, 0.05, seed=2)
    torch.manual_seed(0)
    area, cost = InverseModel((4, 8), prior="noisy"), MotorPrediction(steps=3)
    assert [name for name, _ in area.named_parameters()] == ["factors"]
    assert area.factors is not None
    wrong = (area.factors.detach() - 1).abs().max()
    learn(area, cost, "inverse_model", practice, ARM[:2], 250, 1e-2)
    assert float((area.factors.detach() - 1).abs().max()) < 0.5 * float(wrong)


class Still(PlayRoom):
    """In which nothing moves of itself."""

    swing = 0.0


def surprised(area: WorldModel, trace: Trace) -> Tensor:
    with torch.no_grad():
        return surprise(run(area, trace, *VIEW), trace["vision"])


def test_a_body_that_moves_among_what_stands_still_is_not_surprised() -> None:
    """But at edges that lay between two rays; a learnt model is, before it has learnt."""
    trace = record(Still(phase=1), Random(0), 40, 16)
    counts = ~trace.episode_start & (trace["touch"][..., 0] == 0)
    given = surprised(WorldModel((96, 3, 2), prior="exact"), trace)[counts]
    learnt = surprised(WorldModel((96, 3, 2)), trace)[counts]
    assert float((given < 0.05).float().mean()) > 0.92
    assert float(given.square().mean()) < 0.2 * float(learnt.square().mean())


def test_what_moves_of_itself_surprises() -> None:
    """The pendulum's rays do, the block's do not."""
    trace = record(PlayRoom(phase=1), Random(0), 40, 16)
    error = surprised(WorldModel((96, 3, 2), prior="exact"), trace)
    colors = torch.as_tensor(PlayRoom.colors, dtype=torch.float32)
    shown = sighting.rays(trace["vision"])[..., 1:]
    counts = (~trace.episode_start & (trace["touch"][..., 0] == 0)).unsqueeze(-1)
    moving, standing = (
        error[counts & ((shown - colors[thing]).abs().amax(-1) < 0.01)].square().mean()
        for thing in (PENDULUM, BLOCK)
    )
    assert float(moving) > 2 * float(standing)


def cast(things: np.ndarray, place: np.ndarray, heading: float) -> np.ndarray:
    """View of 24 rays of discs (x, y, red, green, blue) of 0.35 m before a wall at y = 3."""
    angle = heading + np.arange(24) * (2 * np.pi / 24)
    view = np.zeros((24, 4))
    for ray, (c, s) in enumerate(zip(np.cos(angle), np.sin(angle), strict=True)):
        found = [((3.0 - place[1]) / s, (0.4, 0.4, 0.4))] if s > 1e-9 else []
        for x, y, *color in things:
            dx, dy = x - place[0], y - place[1]
            along, room = c * dx + s * dy, 0.35**2 - (c * dy - s * dx) ** 2
            if room > 0 and along > 0:
                found.append((along - math.sqrt(room), tuple(color)))
        far, color = min(found, default=(8.0, (0, 0, 0)))
        if far < 8:
            view[ray] = 1 - far / 8, *color
    return view


def test_discs_and_walls_are_cast_anew_where_the_body_is_now() -> None:
    """Against casting rays in the scene itself, by loops."""
    rng, wrong, rays = np.random.default_rng(0), 0, 0
    for _ in range(60):
        # Near enough for two rays to meet each.
        bearing = rng.uniform(-np.pi, np.pi) + np.array([0.0, 2.2])
        spot = rng.uniform(0.7, 1.2, (2, 1)) * np.stack((np.cos(bearing), np.sin(bearing)), -1)
        things = np.concatenate((spot, [[1.0, 0.2, 0.1], [0.1, 0.9, 0.3]]), -1)
        heading, turn, ahead = rng.uniform(-3, 3), rng.uniform(-1, 1), rng.uniform(0, 0.3)
        on = heading + turn
        before = cast(things, np.zeros(2), heading)
        after = cast(things, ahead * np.array([np.cos(on), np.sin(on)]), on)
        step, angle = torch.tensor([ahead, turn], dtype=torch.float64)
        told = reprojected(torch.as_tensor(before), step, angle, 0.35).numpy()
        for color in things[:, 2:]:
            shows = (before[:, 1:] == color).all(-1).sum() > 1
            there = (after[:, 1:] == color).all(-1)
            if shows:  # it is known exactly
                rays += there.sum()
                wrong += (np.abs(told - after)[there] > 1e-3).any(-1).sum()
        wall = (after[:, 1:] == 0.4).all(-1) & (told[:, 1:] == 0.4).all(-1)
        np.testing.assert_allclose(told[wall], after[wall], atol=1e-3)
    assert rays > 200
    assert wrong == 0


def test_gains_of_step_and_turn_that_are_wrong_are_learnt_from_the_error_of_views() -> None:
    trace = record(PlayRoom(phase=1), Random(0), 20, 12)
    area = WorldModel((96, 3, 2), prior="noisy")
    assert [name for name, _ in area.named_parameters()] == ["gains"]
    assert area.gains is not None
    turning = torch.where(torch.tensor([True, False, False]), 0.0, trace["egomotion"])
    turns = trace.noted({"egomotion": turning})
    right = surprised(WorldModel((96, 3, 2), prior="exact"), turns)
    with torch.no_grad():
        area.gains.copy_(torch.tensor([0.7, 1.0]))
        assert torch.equal(surprised(area, turns), right)  # of a body that only turns
        area.gains.copy_(torch.tensor([0.7, 1.3]))
        assert not torch.equal(surprised(area, turns), right)
    learn(area, WorldPrediction(), "world_model", trace, VIEW, 90, 1e-2)
    assert float((area.gains.detach() - 1).abs().max()) < 0.05


def test_gradients_of_the_gains_are_those_of_finite_differences() -> None:
    trace = record(PlayRoom(phase=1), Random(0), 5, 3)
    torch.manual_seed(0)
    area = WorldModel((96, 3, 2), prior="noisy").double()
    inputs = tuple(trace[name].double() for name in VIEW)
    state = {name: x.double() for name, x in area.initial_state(3).items()}

    def told(gains: Tensor) -> Tensor:
        arguments = (inputs, state, trace.episode_start)
        output: Tensor = torch.func.functional_call(area, {"gains": gains}, arguments)[0]
        return output

    assert torch.autograd.gradcheck(told, tuple(area.parameters()), fast_mode=True)


def test_what_is_given_has_nothing_to_learn() -> None:
    sizes = (96, 3, 2)
    for area in (
        ForwardModel((4, 8, 1, 2), prior="exact"),
        InverseModel((4, 8), prior="exact"),
        WorldModel(sizes, prior="exact"),
    ):
        assert not list(area.parameters())
        assert not area.state_dict()


def test_what_does_not_fit_is_named() -> None:
    for area, sizes in (
        (ForwardModel, (4, 8, 1, 2)),
        (InverseModel, (4, 8)),
        (WorldModel, (96, 3, 2)),
    ):
        with pytest.raises(ValueError, match=r"'perfect'\): give one of exact, noisy, learnt"):
            area(sizes, prior="perfect")
    with pytest.raises(ValueError, match=r"ForwardModel\(prior='exact'\) wants a posture of 4"):
        ForwardModel((4, 1, 2), prior="exact")
    with pytest.raises(ValueError, match=r"InverseModel\(prior='noisy'\) wants a posture of 4"):
        InverseModel((3, 8), prior="noisy")
    with pytest.raises(ValueError, match=r"WorldModel\(prior='exact'\) wants vision of rays x 4"):
        WorldModel((96, 2), prior="exact")
