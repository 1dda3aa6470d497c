"""Losses that shape areas: what each does to a small net trained by it alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor, nn

from motley.agents import Agent
from motley.agents.areas import PathIntegrator
from motley.costs import (
    AreaTarget,
    BehaviouralCloning,
    Cost,
    ExtrinsicReward,
    InverseDynamics,
    LatentSelfPrediction,
    NextObservation,
    NoiseTarget,
    Reconstruction,
    RewardPrediction,
    SelfLocalisation,
    Slowness,
    Sparsity,
    Trace,
)
from motley.costs.base import Sizes
from motley.envs import World
from motley.envs import trace as traces
from motley.envs.sb3 import WorldVecEnv
from motley.envs.tasks import TASKS
from motley.envs.tasks.delay_reach import DelayReach
from motley.studies import record

TIME, WORLDS, UNITS = 60, 16, 6


def world(seed: int) -> dict[str, Tensor]:
    """A point on a circle that an action moves on, mixed with fast noise, seen by ten sensors.

    ``hidden`` is the point; what is seen next depends on the action and the point only.
    """
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(6, 10, generator=torch.Generator().manual_seed(99))
    action = torch.randn(TIME, WORLDS, 2, generator=generator)
    first = torch.rand(WORLDS, generator=generator) * 2 * math.pi
    angle = first + torch.cat((torch.zeros(1, WORLDS), 0.3 * action[:-1, :, 0].cumsum(0)))
    hidden = torch.stack((angle.cos(), angle.sin()), -1)
    noise = torch.randn(TIME, WORLDS, 4, generator=generator)
    starts = torch.zeros(TIME, WORLDS, dtype=torch.bool)
    starts[0] = starts[TIME // 2] = True
    return {
        "vision": torch.cat((hidden, noise), -1) @ mix, "action": action, "hidden": hidden,
        "reward": hidden[..., 0] * action[..., 1], "episode_start": starts,
    }  # fmt: skip


def paid(seed: int) -> dict[str, Tensor]:
    """The same worlds, where what is paid is in equal parts for the action and for the point."""
    made = world(seed)
    return made | {"reward": math.sqrt(2) * made["hidden"][..., 0] + made["action"][..., 1]}


def train(
    cost: Cost, steps: int = 250, world: Callable[[int], dict[str, Tensor]] = world
) -> tuple[nn.Module, nn.Module, Callable[[int], Trace]]:
    """Train a perceptron that is both encoder and core by one cost; held-out worlds follow."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Linear(24, UNITS))
    teacher = nn.Linear(10, 3)
    sizes = {"vision": 10, "action": 2, "core": UNITS, "encoder": UNITS, "teacher": 3}
    heads = cost.heads(Sizes(sizes, {})) or nn.Module()
    optimizer = torch.optim.Adam([*net.parameters(), *heads.parameters()], lr=1e-2)

    def seen(seed: int) -> Trace:
        tensors = world(seed)
        out = net(tensors["vision"])
        trace = Trace(
            {**tensors, "core": out, "encoder": out, "teacher": teacher(tensors["vision"])}
        )
        notes, _ = cost.annotate(trace, {}, heads)
        return trace.noted(notes)

    for step in range(steps):
        optimizer.zero_grad()
        torch.autograd.backward(cost.loss(seen(step), heads).mean())
        optimizer.step()
    assert all(p.grad is None for p in teacher.parameters())
    return net, heads, seen


def held_out(
    cost: Cost, steps: int = 250, world: Callable[[int], dict[str, Tensor]] = world
) -> float:
    """The mean loss on worlds not trained on."""
    _, heads, seen = train(cost, steps, world)
    with torch.no_grad():
        return float(np.mean([float(cost.loss(seen(1000 + i), heads).mean()) for i in range(4)]))


def decoded(x: Tensor, y: Tensor) -> float:
    """R2 of y from x by least squares."""
    x = torch.cat((x.flatten(0, 1), torch.ones(x.shape[0] * x.shape[1], 1)), -1).detach()
    y = y.flatten(0, 1)
    left = y - x @ torch.linalg.lstsq(x, y).solution
    return 1.0 - float(left.square().sum() / (y - y.mean(0)).square().sum())


def delta(trace: Trace) -> float:
    """Mean square change in units of variance, over steps within an episode."""
    x = trace["core"].detach()
    change = (trace.next("core").detach() - x)[trace.has_next]
    return float((change.square().mean(0) / x.flatten(0, 1).var(0)).mean())


def test_slowness_lowers_the_delta_value_without_collapse() -> None:
    (_, _, before), (_, _, after) = train(Slowness(), steps=0), train(Slowness())
    assert delta(after(1000)) < 0.4 * delta(before(1000))
    x = after(1000)["core"].detach().flatten(0, 1)
    assert float(x.std(0).min()) > 0.05
    correlation = torch.corrcoef(x.t()) - torch.eye(UNITS)
    assert float(correlation.abs().max()) < 0.95
    assert decoded(after(1000)["core"], world(1000)["hidden"]) > 0.8  # what is slow there


def test_slowness_is_the_delta_value_of_slow_feature_analysis() -> None:
    """Against its definition, on one unit, where there is nothing to decorrelate."""
    x = torch.randn(20, 3, 1, generator=torch.Generator().manual_seed(1))
    starts = torch.zeros(20, 3, dtype=torch.bool)
    seen = Trace({"core": x, "episode_start": starts})
    loss = Slowness().loss(seen, nn.Module())
    expected = (x[1:] - x[:-1]).square().mean() / x.var(correction=0)
    assert float(loss.mean()) == pytest.approx(float(expected), rel=1e-5)
    scaled = Slowness().loss(Trace({"core": 0.01 * x, "episode_start": starts}), nn.Module())
    torch.testing.assert_close(scaled, loss, rtol=1e-3, atol=1e-5)


def test_sparsity_is_the_activity_ratio() -> None:
    rows = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, -3.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    seen = Trace({"encoder": rows.unsqueeze(1), "episode_start": torch.zeros(3, 1).bool()})
    assert Sparsity().loss(seen, nn.Module()).flatten().tolist() == [1.0, 0.25, 0.5]
    assert held_out(Sparsity()) < 0.5 * held_out(Sparsity(), steps=0)


def test_sparsity_leaves_what_another_cost_teaches() -> None:
    """Fewer units are active, and what was seen is known as well as without."""

    def taught(weight: float) -> tuple[float, float]:
        """Held-out share of what is seen that is not known, and the activity ratio."""
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Linear(24, 24))
        task, sparse = Reconstruction(reads="encoder"), Sparsity()
        heads = task.heads(Sizes({"vision": 10, "encoder": 24}, {}))
        optimizer = torch.optim.Adam([*net.parameters(), *heads.parameters()], 1e-2)

        def losses(seed: int) -> tuple[Tensor, Tensor]:
            tensors = world(seed)
            seen = Trace({**tensors, "encoder": net(tensors["vision"])})
            return task.loss(seen, heads).mean(), sparse.loss(seen, nn.Module()).mean()

        for step in range(250):
            unknown, ratio = losses(step)
            optimizer.zero_grad()
            torch.autograd.backward(unknown + weight * ratio)
            optimizer.step()
        unknown, ratio = (loss.detach() for loss in losses(1000))
        return float(unknown), float(ratio)

    (without, dense), (beside, thin) = taught(0.0), taught(0.1)
    assert thin < 0.5 * dense
    assert without < 0.01
    assert beside < 0.01


def test_the_next_observation_beats_persistence() -> None:
    cost = NextObservation()
    _, heads, seen = train(cost)
    trace = seen(1000)
    mask = trace.has_next
    with torch.no_grad():
        error = (heads(cost.inputs(trace)) - cost.target(trace))[mask].square().sum()
    stays = (trace["vision"] - cost.target(trace))[mask].square().sum()
    assert float(1 - error / stays) > 0.3
    assert held_out(cost) < 0.9  # and the mean: R2 above 0


def test_a_latent_that_predicts_itself_keeps_what_can_be_predicted() -> None:
    cost = LatentSelfPrediction()
    assert held_out(cost) < 0.35 < held_out(cost, steps=0)
    _, _, seen = train(cost)
    x = seen(1000)["core"].detach().flatten(0, 1)
    assert float(x.std(0).max()) > 0.05
    # No gradient through the target.
    trace = seen(1000)
    assert not cost.target(trace).requires_grad
    assert cost.inputs(trace).requires_grad


def test_reward_is_predicted_from_the_action() -> None:
    # Of two parts that weigh the same, whoever knows one alone leaves one half unexplained.
    assert held_out(RewardPrediction(), world=paid) < 0.2
    assert held_out(RewardPrediction()) > 0.9  # a linear head knows no product ...
    cost = RewardPrediction(reads="encoder")
    seen = world(3)
    trace = Trace({**seen, "encoder": seen["reward"].unsqueeze(-1) * 2.0})
    made = cost.heads(Sizes({"encoder": 1, "action": 2}, {}))
    assert isinstance(made, nn.Linear)
    with torch.no_grad():
        made.weight.copy_(torch.tensor([[0.5, 0.0, 0.0]]))
        made.bias.zero_()
    assert (
        float(cost.loss(trace, made).detach().abs().max()) < 1e-8
    )  # ... and need not, if an area does


def test_inverse_dynamics_keeps_what_the_body_controls() -> None:
    cost = InverseDynamics(reads="core")
    _, heads, seen = train(cost, 400)
    trace = seen(1000)
    with torch.no_grad():
        told = heads(cost.inputs(trace))[trace.has_next]
    action = trace["action"][trace.has_next]
    left = (told - action).square().mean(0) / action.var(0)
    assert float(left[0]) < 0.7  # moves the point
    assert float(left[1]) > 0.9  # moves nothing


def test_a_pupil_is_as_good_as_its_teacher_tells() -> None:
    """Row by row: the true teacher is learnt, the shuffled one is not."""
    cost = AreaTarget(teacher="teacher")
    assert held_out(cost) < 0.1
    shuffled = NoiseTarget.like(cost)
    _, heads, seen = train(shuffled)
    trace = seen(1000)
    with torch.no_grad():
        assert float(cost.loss(trace, heads).mean()) > 0.8


def test_a_learnt_integrator_finds_the_way_home_from_any_first_weights() -> None:
    """Four draws, on walks of 32 steps that are new at each step of Adam."""
    cost = SelfLocalisation()
    generator = torch.Generator().manual_seed(4)
    starts = torch.zeros(32, 16, dtype=torch.bool)
    starts[0] = True
    for seed in range(4):
        torch.manual_seed(seed)
        area = PathIntegrator((3,))
        head = cost.heads({"integrator": 2, cost.reads: 2})
        optimizer = torch.optim.Adam([*area.parameters(), *head.parameters()], lr=4e-3)
        losses = []
        for _ in range(300):
            turn = torch.randn(32, 16, generator=generator).clamp(-1, 1)
            ahead = torch.randn(32, 16, generator=generator).clamp(0, 1) / 2
            felt = torch.stack((ahead, turn.sin(), turn.cos()), -1)
            home, _ = area((felt,), area.initial_state(16), starts)
            trace = Trace({"egomotion": felt, "episode_start": starts, "integrator": home})
            notes, _ = cost.annotate(trace, {}, head)
            trace = Trace({**trace.tensors, **notes})
            loss = cost.loss(trace, head).mean()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(area.parameters(), 0.5)
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[0] > 0.5
        assert max(losses[-10:]) < 0.02, seed


def test_the_true_way_home_is_that_of_place_and_heading() -> None:
    generator = torch.Generator().manual_seed(2)
    position = torch.randn(9, 3, 2, generator=generator).cumsum(0)
    heading = torch.rand(9, 3, generator=generator) * 6
    starts = torch.zeros(9, 3, dtype=torch.bool)
    starts[0] = starts[4, 1] = True
    cost = SelfLocalisation(rung="true", reach=2.0)
    whole, _ = cost.annotate(
        Trace({"position": position, "heading": heading, "episode_start": starts}), {}, nn.Module()
    )
    first, state = cost.annotate(
        Trace({"position": position[:6], "heading": heading[:6], "episode_start": starts[:6]}),
        {}, nn.Module(),
    )  # fmt: skip
    second, _ = cost.annotate(
        Trace({"position": position[6:], "heading": heading[6:], "episode_start": starts[6:]}),
        state, nn.Module(),
    )  # fmt: skip
    name = "self_localisation/target"
    torch.testing.assert_close(torch.cat((first[name], second[name])), whole[name])
    for t in range(9):
        for i in range(3):
            begun = position[4 if i == 1 and t >= 4 else 0, i]
            x, y = (begun - position[t, i]).tolist()
            turn = float(heading[t, i])
            expected = complex(x, y) * np.exp(-1j * turn) / 2.0
            assert whole[name][t, i].tolist() == pytest.approx(
                [expected.real, expected.imag], abs=1e-5
            )


def test_a_sighting_is_told_back_over_the_whole_dark_stretch() -> None:
    """Against a thing's place and the body's true path, with exact felt motion; four rays."""
    rng = np.random.default_rng(0)
    time, worlds, thing = 12, 5, 3.0 * np.exp(0.7j)
    turn, ahead = rng.uniform(-1, 1, (time, worlds)), rng.uniform(0.1, 0.4, (time, worlds))
    heading = turn.cumsum(0)
    place = (ahead * np.exp(1j * heading)).cumsum(0)
    starts = torch.zeros(time, worlds, dtype=torch.bool)
    starts[0] = True
    vision = torch.zeros(time, worlds, 16)
    sight = rng.integers(0, 4, (time, worlds))

    def show(t: int, world: int) -> None:
        """Let the thing be on a ray then, which says where it was all along."""
        vision[t, world, 4 * sight[t, world]] = 1 - abs(thing) / 8

    def seen_from(t: int, then: int, world: int) -> complex:
        there = place[then, world] + abs(thing) * np.exp(
            1j * (heading[then, world] + sight[then, world] * math.pi / 2)
        )
        return complex((there - place[t, world]) * np.exp(-1j * heading[t, world]) / 8)

    for world in range(worlds):
        show(0, world)
        show(6, world)
    show(7, 0)
    vision[0, 1] = 0.0  # nothing is seen before
    vision[6, 2] = 0.0  # nothing is seen again
    starts[3, 3] = True  # it ends in between: the steps after it have seen nothing yet
    starts[6, 4] = True  # the sighting is another episode's
    felt = np.stack((ahead / 0.8, np.sin(turn), np.cos(turn)), -1)
    seen = Trace({
        "vision": vision, "egomotion": torch.as_tensor(felt, dtype=torch.float32),
        "core": torch.zeros(time, worlds, 1), "episode_start": starts,
    })  # fmt: skip
    cost = SelfLocalisation(rung="sighted")
    notes, state = cost.annotate(seen, {}, nn.Module())
    seen = seen.noted(notes)
    expected = torch.zeros(time, worlds, dtype=torch.bool)
    expected[1:6, 0] = True
    assert torch.equal(cost.mask(seen), expected)
    for t in range(1, 6):
        where = seen_from(t, 6, 0)
        assert cost.target(seen)[t, 0].tolist() == pytest.approx([where.real, where.imag], abs=1e-5)
    # What was seen is known on into the next rollout, till an episode begins.
    assert state["seen"].tolist() == [True, True, True, True, True]
    dark = {name: x[8:] for name, x in seen.tensors.items()}
    dark["vision"] = torch.zeros(4, worlds, 16)
    dark["vision"][2, :, 0] = 0.5
    dark["episode_start"] = torch.zeros(4, worlds, dtype=torch.bool)
    dark["episode_start"][1, 2] = True
    notes, _ = cost.annotate(
        Trace(dark), {"seen": torch.tensor([1, 0, 1, 0, 1]).bool()}, nn.Module()
    )
    counts = notes["self_localisation/counts"]
    assert counts[0].tolist() == [True, False, False, False, True]
    assert counts[1].tolist() == [True, False, False, False, True]
    assert not counts[2:].any()
    with pytest.raises(ValueError, match="give felt, sighted, true"):
        SelfLocalisation(rung="guessed")


SIGHTED = {"Homestead": (0.02, 0.04), "RoleBind": (0.15, 0.25), "DelayReach": (0.008, 0.025)}
"""Share of the oracle's steps of which the rung ``sighted`` has something to tell."""


@pytest.mark.parametrize("name", TASKS)
def test_which_tasks_pose_sightings_after_the_dark(name: str) -> None:
    """Those that the docstring names; what is felt between tells where the thing was all along."""
    task = TASKS[name]()
    world = World(task, 32)
    world.seed(np.arange(32))
    world.reset()
    begin, rows = np.ones(32, np.bool_), list[dict[str, Tensor]]()
    for _ in range(130):
        now = {**world.observe(), "episode_start": begin, "position": world.position.copy(),
               "heading": world.heading.copy()}  # fmt: skip
        rows.append({sense: torch.as_tensor(x) for sense, x in now.items()})
        _, terminated, truncated = world.step(task.oracle(world))
        begin = terminated | truncated
        world.reset(np.flatnonzero(begin))
    seen = Trace({sense: torch.stack([row[sense] for row in rows]) for sense in rows[0]})
    notes, _ = SelfLocalisation(rung="sighted").annotate(seen, {}, nn.Module())
    counts = notes["self_localisation/counts"]
    low, high = SIGHTED.get(name, (0.0, 0.001))
    assert low <= float(counts.float().mean()) <= high
    # A step's place in the world is that of the next step of the same stretch.
    both = counts[:-1] & counts[1:]
    x, y = (8 * notes["self_localisation/target"]).unbind(-1)
    c, s = seen["heading"].cos(), seen["heading"].sin()
    place = torch.stack((c * x - s * y, s * x + c * y), -1) + seen["position"]
    if both.any():
        assert float((place[1:] - place[:-1]).norm(dim=-1)[both].max()) < 0.1


class Remembered(gym.Env[np.ndarray, Any]):
    """A sign at the start says which of two actions is right three steps later."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.action_space = spaces.Discrete(2, start=3)

    def reset(self, *, seed=None, options=None):  # type: ignore[no-untyped-def]
        super().reset(seed=seed)
        self.t, self.sign = 0, float(self.np_random.choice([-1, 1]))
        return np.array([self.sign, 0.0], np.float32), {}

    def step(self, action: Any):  # type: ignore[no-untyped-def]
        self.t += 1
        seen = np.array([0.0, self.t / 3], np.float32)
        right = action == (4 if self.sign > 0 else 3)
        return seen, float(right and self.t == 4), self.t == 4, False, {}


def test_an_agent_learns_from_a_teacher_what_takes_a_memory(tmp_path: Path) -> None:
    rows: dict[str, list[Any]] = {"episode": [], "sense/observation": [], "action": []}
    for episode in range(40):
        sign = 1.0 if episode % 3 else -1.0
        for t in range(5):
            rows["episode"].append(episode)
            rows["sense/observation"].append([sign if t == 0 else 0.0, t / 3])
            # At the last moment none is chosen.
            rows["action"].append(np.nan if t == 4 else 4.0 if sign > 0 else 3.0)
    path = tmp_path / "teacher.npz"
    arrays: Any = {name: np.asarray(column, np.float32) for name, column in rows.items()}
    np.savez(path, **arrays)
    cost = BehaviouralCloning(recording=str(path))
    env = DummyVecEnv([Remembered for _ in range(8)])
    agent = Agent("uniform", env, [ExtrinsicReward(weight=1e-3), cost], n_steps=8, budget=None,
                  width=8, seed=0, learning_rate=1e-2)  # fmt: skip
    agent.learn(30 * 64)
    seen: Any = env.reset()
    state, starts, signs = None, np.ones(8, bool), seen[:, 0]
    for _ in range(4):
        action, state = agent.predict(seen, state, starts, deterministic=True)
        seen, reward, starts, _ = env.step(action)
    assert set(signs) == {-1.0, 1.0}
    assert reward.tolist() == [1.0] * 8
    assert agent.diagnostics()["cost/behavioural_cloning"] < 0.1
    with pytest.raises(ValueError, match="there is no such file"):
        Agent("uniform", env, [ExtrinsicReward(), BehaviouralCloning()])
    np.savez(path, episode=np.zeros(3), action=np.zeros(3))
    with pytest.raises(ValueError, match="has no sense/<name>"):
        Agent("uniform", env, [ExtrinsicReward(), cost])


def test_cloning_the_oracle_is_better_than_cloning_chance(tmp_path: Path) -> None:
    """A good teacher's episodes are worth more than as many of a random one's.

    Equal but for who teaches: agent, episodes, gradient steps.
    """
    task, score = DelayReach(level=0), {}
    for teacher in ("oracle", "random"):
        shown = traces.record(task, traces.policy(task, teacher), 16, 0, {})
        cloning = BehaviouralCloning(
            recording=str(shown.save(tmp_path / f"{teacher}.npz")), episodes=4
        )
        worlds = WorldVecEnv(task.name, 4, seed=0, level=0)
        costs = [ExtrinsicReward(weight=1e-6), cloning]
        agent = Agent("feedforward", worlds, costs, budget=None, n_steps=8, n_epochs=5,
                      n_minibatches=1, learning_rate=1e-2, seed=0)  # fmt: skip
        agent.learn(16 * 32)
        made = record.record(agent, task, 6, 500, deterministic=True)
        score[teacher] = float(np.nanmean(made["end/score01"]))
    assert score["oracle"] > 0.2
    assert score["random"] < 0.05
