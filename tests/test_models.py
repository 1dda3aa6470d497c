"""Forward, inverse, world and self models: what each is for, learnt by its own cost."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor, nn

from lived import ARM, Wander, learn, record, run
from motley.agents import Agent
from motley.agents.areas import ForwardModel, InverseModel, SelfModel, WorldModel
from motley.agents.areas.forward_model import delay_line
from motley.costs import (
    AdversarialCuriosity,
    Cost,
    Effort,
    MotorPrediction,
    NoiseTarget,
    SelfPrediction,
    SensoryPrediction,
    Slowness,
    Trace,
    WorldPrediction,
    cost_set,
)
from motley.costs.base import Sizes
from motley.costs.world_prediction import surprise
from motley.envs import World
from motley.envs.calibration import Random
from motley.envs.sb3 import WorldVecEnv
from motley.envs.senses import Observation
from motley.envs.streams import Bools, Floats
from motley.envs.task import Policy
from motley.envs.tasks.delay_reach import DelayReach
from motley.envs.tasks.delay_reach_policies import Late, Predictor
from motley.envs.tasks.play_room import PlayRoom


def test_a_delay_line_is_a_loop() -> None:
    torch.manual_seed(0)
    now, before = torch.randn(9, 3, 2), torch.randn(3, 4, 2)
    start = torch.rand(9, 3) < 0.2
    line = delay_line(now, before, start)
    for i in range(3):
        memory = [before[i, k] for k in range(4)]
        for t in range(9):
            memory = [torch.zeros(2)] * 4 if start[t, i] else memory
            memory = [*memory[-4:], now[t, i]]
            torch.testing.assert_close(line[t, i], torch.stack(memory))


def test_what_is_shifted_stays_in_its_episode() -> None:
    start = torch.tensor([[True], [False], [False], [True], [False]])
    trace = Trace({"episode_start": start})
    x = torch.arange(5.0).view(5, 1, 1)
    for steps, same in ((2, [1, 0, 0, 0, 0]), (1, [1, 1, 0, 1, 0]), (-1, [0, 1, 1, 0, 1])):
        mask = trace.same_episode(steps)
        assert mask.flatten().int().tolist() == same
        moved = trace.shifted(x, steps)[..., 0]
        assert torch.equal(moved[mask], x[..., 0][mask] + steps)


def persistence(cost: SensoryPrediction, trace: Trace) -> float:
    """R2 of taking what is sensed for what will be."""
    still, heads = trace.noted({"core": trace.join(cost.senses)}), nn.Identity()
    return 1.0 - float(cost.loss(still, heads).mean())


@pytest.fixture(scope="module")
def reaching() -> tuple[Trace, Trace]:
    """Noisy reaching with senses 3 steps late, to learn from and to test on."""
    task = DelayReach(level=1)
    wander = Wander(Predictor(task), 0.5)
    return record(task, wander, 160), record(task, wander, 160, seed=900)


@pytest.fixture(scope="module")
def models(reaching: tuple[Trace, Trace]) -> dict[int, tuple[ForwardModel, nn.Module]]:
    """Forward models of one and of three steps, by their steps."""
    made = {}
    for steps in (1, 3):
        torch.manual_seed(0)
        area = ForwardModel((4, 8, 1, 2))
        cost = SensoryPrediction(senses=("proprioception", "cue"), steps=steps)
        made[steps] = area, learn(area, cost, "forward_model", reaching[0], ARM, 300)
    return made


Models = dict[int, tuple[ForwardModel, nn.Module]]


@pytest.mark.parametrize("steps", [1, 3])
def test_a_forward_model_beats_persistence(
    steps: int, reaching: tuple[Trace, Trace], models: Models
) -> None:
    """One-step and d-step prediction, held out."""
    (area, heads), test = models[steps], reaching[1]
    cost = SensoryPrediction(senses=("proprioception", "cue"), steps=steps)
    with torch.no_grad():
        known = test.noted({"forward_model": run(area, test, *ARM)})
        r2 = 1.0 - float(cost.loss(known, heads).mean())
    assert r2 > 0.75
    assert 1.0 - r2 < 0.5 * (1.0 - persistence(cost, test))


class UpToDate:
    """Lets a policy that takes its senses for present ones see a forward model's prediction."""

    def __init__(self, policy: Policy, area: ForwardModel, heads: nn.Module):
        self.policy, self.area, self.heads = policy, area, heads

    def reset(self, n: int) -> None:
        self.policy.reset(n)
        self.state, self.action = self.area.initial_state(n), torch.zeros(n, 2)

    @torch.no_grad()
    def act(self, observation: Observation, episode_start: Bools) -> Floats:
        seen = [torch.as_tensor(observation[name])[None] for name in ARM[:-1]]
        start = torch.as_tensor(episode_start)[None]
        sent = (self.action * ~start[0][:, None])[None]
        out, self.state = self.area((*seen, sent), self.state, start)
        present = self.heads(out)[0].numpy()
        action = self.policy.act(
            {**observation, "proprioception": present[:, :4], "cue": present[:, 4:]},
            episode_start,
        )
        self.action = torch.as_tensor(action)
        return action


def hits(level: int, policy: Policy, n: int = 40) -> float:
    task = DelayReach(level)
    world = World(task, n)
    world.seed(5_000 + np.arange(n))
    world.reset()
    policy.reset(n)
    for _ in range(task.horizon):
        world.step(policy.act(world.observe(), world.elapsed == 0))
    return float(task.score(world).mean())


def test_with_a_forward_model_control_suffers_less_from_delay(models: Models) -> None:
    """The curve of control error against delay is flatter (Miall et al. 1993)."""
    prompt, late = DelayReach(0), DelayReach(1)
    at_once = hits(0, Late(prompt, 0.2))
    delayed = hits(1, Late(late, 0.2))
    predicted = hits(1, UpToDate(Late(late, 0.2), *models[3]))
    assert at_once > 0.9
    assert delayed < 0.1
    assert at_once - predicted < 0.7 * (at_once - delayed)


def plant(degrees: float, reaches: int = 10, worlds: int = 16) -> Trace:
    """A hand that a command moves by a tenth, turned by an angle; the way to a target shrinks.

    In each reach of 6 steps the hand is held for the first two, in which commands do nothing;
    after the last it is carried back, and has a new target.
    """
    generator = torch.Generator().manual_seed(0)
    action = torch.randn(reaches, 6, worlds, 2, generator=generator)
    target = torch.randn(reaches, 1, worlds, 2, generator=generator)
    free = (torch.arange(6) > 1).view(1, 6, 1, 1).expand(reaches, 6, worlds, 1).float()
    angle = math.radians(degrees)
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = 0.1 * action @ turn.t() * free
    way = target - moved.cumsum(1) + moved
    start = torch.zeros(6 * reaches, worlds, dtype=torch.bool)
    start[0] = True
    posture = torch.ones(6 * reaches, worlds, 4)
    lived = {"action": action, "cue": way, "go": free}
    tensors = {name: x.flatten(0, 1) for name, x in lived.items()}
    return Trace({**tensors, "proprioception": posture, "episode_start": start})


def error(area: InverseModel, heads: nn.Module, degrees: float) -> float:
    """Angle in degrees from the way that is wanted to the one that its command covers."""
    with torch.no_grad():
        wanted = torch.tensor([[0.05, 0.0], [0.0, 0.05]])
        told = area.command(torch.ones(2, 4), wanted)
        # The read-out turns the command for the way covered into the command itself.
        command = heads(told)
        angle = math.radians(degrees)
        x, y = command.unbind(-1)
        moved = torch.stack(
            (math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y),
            -1,
        )
        cross = wanted[:, 0] * moved[:, 1] - wanted[:, 1] * moved[:, 0]
        off = torch.atan2(cross, (wanted * moved).sum(-1))
    return math.degrees(float(off.mean()))


def test_an_inverse_model_adapts_and_has_an_after_effect() -> None:
    """The error returns with the other sign when the turn is taken away, and decays."""
    torch.manual_seed(0)
    area, cost = InverseModel((4, 2)), MotorPrediction(steps=0)
    heads = cost.heads(Sizes({"inverse_model": 4, "action": 2}, {}))
    optimizer = torch.optim.Adam([*area.parameters(), *heads.parameters()], 1e-2)

    def practise(degrees: float, updates: int) -> list[float]:
        trace, course = plant(degrees), []
        for _ in range(updates):
            course.append(error(area, heads, degrees))
            out = run(area, trace, "proprioception", "cue")
            loss = cost.loss(trace.noted({"inverse_model": out}), heads).mean()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        return course

    baseline = practise(0.0, 70)
    turned = practise(30.0, 70)
    washout = practise(0.0, 70)
    assert abs(baseline[-1]) < 3
    assert turned[0] == pytest.approx(30, abs=4)  # turned by as much as the world
    assert abs(turned[-1]) < 3
    assert washout[0] == pytest.approx(-30, abs=4)  # the after-effect
    assert abs(washout[-1]) < 3
    for course in (turned, washout):
        half = next(k for k, off in enumerate(course) if abs(off) < 15)
        assert 1 <= half < 100


def test_an_inverse_model_learns_from_commands_that_were_obeyed(
    reaching: tuple[Trace, Trace],
) -> None:
    """While the arm is held and as it is carried back, no command made what is seen to change."""
    torch.manual_seed(0)
    area, cost = InverseModel((4, 8)), MotorPrediction(steps=3)
    practice, test = reaching
    counts, starts, free = cost.mask(test), test.episode_start, test["go"][..., 0] > 0.5
    since, target = torch.zeros(24), test["cue"][..., :2] + test["cue"][..., 2:4]
    clipped = (test["cue"][..., :4].abs() > 0.999).any(-1)
    for t in range(len(starts)):
        since = torch.where(starts[t], 0, since + 1)
        # Seen now is what the command of 4 steps ago did, if the arm was free until then.
        obeyed = (since >= 4) & (free[t - 4] & free[t - 3] if t >= 4 else False)
        assert torch.equal(counts[t], obeyed)
        change = (target[t] - target[t - 1]).abs().amax(-1)
        assert (change[obeyed & ~clipped[t] & ~clipped[t - 1]] < 1e-3).all()
    assert 0.4 < float(counts.float().mean()) < 0.6

    heads = learn(area, cost, "inverse_model", practice, ("proprioception", "cue"), 250)
    with torch.no_grad():
        out = run(area, test, "proprioception", "cue")
        loss = cost.loss(test.noted({"inverse_model": out}), heads)
        assert 1.0 - float(loss.mean()) > 0.7
        # What is wanted now may tell a habit: it is not read.
        other = torch.cat((torch.randn_like(out[..., :2]), out[..., 2:]), -1)
        assert torch.equal(loss, cost.loss(test.noted({"inverse_model": other}), heads))


def test_motor_prediction_reads_a_core_whole_and_counts_all_where_nothing_is_held() -> None:
    cost, start = MotorPrediction(steps=0), torch.zeros(5, 2, dtype=torch.bool)
    sizes = Sizes({"core": 8, "action": 2}, {"core": "core"})
    heads = cost.heads(sizes)
    trace = Trace({"core": torch.randn(5, 2, 8), "episode_start": start})
    assert heads(cost.inputs(trace)).shape == (5, 2, 2)
    assert torch.equal(cost.mask(trace), trace.same_episode(-1))
    with pytest.raises(ValueError, match="has 5 features, which are no two commands"):
        cost.heads(Sizes({"inverse_model": 5, "action": 2}, {}))


def test_a_self_model_knows_where_its_world_model_will_err() -> None:
    """The world model beats persistence, and the self model foretells its error.

    Not measured: that play goes from moving oneself to attending to things and then to playing with
    two of them (docs/architecture.md).
    """
    torch.manual_seed(0)
    task = PlayRoom(phase=1, screen=True)
    practice = record(task, Random(0), 100, 40)
    test = record(task, Random(1), 120, seed=700)
    inputs = ("vision", "egomotion", "previous_action")
    world = WorldModel((96, 3, 2))
    learn(world, WorldPrediction(), "world_model", practice, inputs, 200)

    def after(trace: Trace) -> Trace:
        with torch.no_grad():
            return trace.noted({"world_model": run(world, trace, *inputs)})

    seen = after(test)
    moved = ~test.episode_start
    erred = surprise(seen["world_model"], test["vision"])[moved].square().mean()
    view = test["vision"]
    change = (view - torch.cat((view[:1], view[:-1])))[moved].square().mean()
    assert float(erred) < 0.9 * float(change)

    own, cost = SelfModel((world.size,)), SelfPrediction()
    heads = learn(own, cost, "self_model", after(practice), ("world_model",), 300)
    with torch.no_grad():
        known = seen.noted({"self_model": run(own, seen, "world_model")})
        counts, target = cost.mask(known), cost.target(known)
        error = (heads(cost.inputs(known)) - target)[counts].square().mean()
        assert float(error) < 0.9 * float(target[counts].var())
    # No gradient reaches the world model from the self model's error.
    out = run(world, test, *inputs).requires_grad_()
    loss = cost.loss(known.noted({"world_model": out}), heads).mean()
    assert torch.autograd.grad(loss, out, allow_unused=True)[0] is None


def test_a_hidden_layer_lets_the_error_to_come_depend_on_state_and_action_together() -> None:
    """The world model errs where an action meets a state of its own sign, and nowhere else."""
    generator = torch.Generator().manual_seed(0)

    def lived() -> Trace:
        state, action = (torch.randn(20, 32, 1, generator=generator) for _ in range(2))
        error = (state.sign() * action.sign() > 0).float()
        error = torch.cat((torch.zeros(1, 32, 1), error[:-1]))
        return Trace({
            "self_model": state, "action": action, "vision": torch.zeros(20, 32, 4),
            "world_model": torch.cat((torch.zeros_like(error), error), -1),
            "episode_start": torch.zeros(20, 32, dtype=torch.bool),
        })  # fmt: skip

    left = {}
    for hidden in (None, 16):
        torch.manual_seed(0)
        cost = SelfPrediction(hidden=hidden)
        heads = cost.heads(Sizes({"self_model": 1, "action": 1}, {}))
        optimizer = torch.optim.Adam(heads.parameters(), 0.03)
        for _ in range(100):
            loss = cost.loss(lived(), heads).mean()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        left[hidden] = float(cost.loss(lived(), heads).detach().mean())
    assert left[None] > 0.95
    assert left[16] < 0.5


def screens(generator: torch.Generator) -> Trace:
    """Two rays: a wheel that an action steps on, and a coin of +-1/2 in half of the worlds."""
    steps, worlds = 40, 16
    action = torch.randint(2, (steps, worlds), generator=generator)
    wheel = torch.cat((torch.zeros(1, worlds, dtype=torch.int64), action[:-1])).cumsum(0) % 4
    coin = torch.randint(2, (steps, worlds, 4), generator=generator) - 0.5
    coin[:, : worlds // 2] = 0.0
    sent = torch.cat((torch.zeros(1, worlds, 2), torch.eye(2)[action[:-1]]))
    start = torch.zeros(steps, worlds, dtype=torch.bool)
    start[0] = start[20, ::2] = True
    return Trace({"vision": torch.cat((torch.eye(4)[wheel], coin), -1), "previous_action": sent,
                  "action": torch.eye(2)[action], "episode_start": start})  # fmt: skip


def test_adversarial_curiosity_pays_what_the_world_model_cannot_foretell() -> None:
    """Of a wheel that it has learnt nothing, of a coin its variance, for good."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    world, cost, inputs = WorldModel((8, 2)), AdversarialCuriosity(), ("vision", "previous_action")

    def judged(seen: Trace, cost: AdversarialCuriosity = cost) -> tuple[Trace, Tensor]:
        with torch.no_grad():
            seen = seen.noted({"world_model": run(world, seen, *inputs)})
        return seen, cost.score(seen.noted(cost.annotate(seen, {}, nn.Module())[0]))

    _, naive = judged(screens(generator))
    optimizer = torch.optim.Adam(world.parameters(), 5e-3)
    for _ in range(200):
        seen = screens(generator)
        seen = seen.noted({"world_model": run(world, seen, *inputs)})
        loss = WorldPrediction().loss(seen, nn.Module()).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    seen, taught = judged(screens(generator))
    known = seen.has_next
    wheel, coin = (taught[:, part][known[:, part]].mean() for part in (slice(8), slice(8, None)))
    assert float(naive[:, :8].mean()) > 0.1
    assert float(wheel) < 0.02
    assert float(coin) == pytest.approx(0.25 / 2, rel=0.2)  # one ray of two
    # What it pays is what the world model is to make small.
    loss = WorldPrediction().loss(seen, nn.Module())
    assert float(taught[known].mean()) == pytest.approx(float(loss.mean()), rel=1e-4)
    assert not taught[~known].any()
    _, dealt = judged(seen, replace(cost, meaningless=True))
    assert torch.equal(dealt[known].sort().values, taught[known].sort().values)
    assert not torch.equal(dealt, taught)


def test_adversarial_curiosity_is_for_agents_with_a_world_model_which_it_does_not_train() -> None:
    costs = "heterogeneous+adversarial_curiosity"
    small: dict[str, Any] = {"n_envs": 4, "n_steps": 8, "budget": None, "width": 16}
    agent = Agent("play", "PlayRoom", costs, **small)
    for name in ("adversarial_curiosity", "value_adversarial_curiosity"):
        trained = agent.learner.routes[name]
        assert "actor" in trained
        assert not trained & {"world_model", "self_model"}
    agent.learn(32)
    assert agent.diagnostics()["score/adversarial_curiosity"] > 0
    with pytest.raises(ValueError, match=r"'adversarial_curiosity' does not fit .*'world_model'"):
        Agent("uniform", "PlayRoom", costs, **small)
    assert AdversarialCuriosity() not in cost_set("heterogeneous", {"vision": 96}, "play")


@pytest.mark.parametrize(("level", "delay"), [(0, 0), (2, 3), (4, 8)])
def test_what_looks_ahead_takes_the_delay_of_the_task(level: int, delay: int) -> None:
    worlds = WorldVecEnv("DelayReach", 2, seed=0, level=level)
    for name in ("heterogeneous", "placebo"):
        costs = {c.name: c for c in Agent("motor_prediction", worlds, name, n_steps=16).costs}
        for kind, steps in ((SensoryPrediction, max(delay, 1)), (MotorPrediction, delay)):
            own = kind.label()
            cost = costs.get(own) or costs[f"noise_target_{own}"]
            cost = cost.of if isinstance(cost, NoiseTarget) else cost
            assert isinstance(cost, kind)
            assert cost.steps == steps
    fixed = Agent("motor_prediction", worlds, ["reward", SensoryPrediction(steps=2)])
    assert SensoryPrediction(steps=2) in fixed.costs


def test_effort_is_the_squared_command() -> None:
    trace = Trace({"action": torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]]])})
    assert Effort().score(trace).tolist() == [[-25.0], [0.0]]


class Line(gym.Env[np.ndarray, Any]):
    """After 8 steps a hand on a line is to be on its target; a second joint moves nothing."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-4.0, 4.0, (1,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.t, self.way = 0, float(self.np_random.choice([-1.0, 1.0]))
        return np.array([self.way], np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.t, self.way = self.t + 1, self.way - 0.3 * float(action[0])
        over = self.t == 8
        hit = over and abs(self.way) < 0.25
        return np.array([self.way], np.float32), float(hit), over, False, {}


def test_with_effort_movement_costs_less_at_equal_success() -> None:
    """The energy of the commands falls, and the target is reached as often."""

    def spent(costs: list[str | Cost]) -> tuple[float, float]:
        """Share of targets reached, and the mean squared command, without noise."""
        env = DummyVecEnv([Line for _ in range(8)])
        env.seed(0)
        agent = Agent("feedforward", env, costs, n_steps=24, budget=None, seed=0,
                      learning_rate=5e-3)  # fmt: skip
        agent.learn(40 * 8 * 24)
        seen: Any = env.reset()
        starts, hits, squares = np.ones(8, bool), 0.0, []
        for _ in range(5 * 8):
            action, _ = agent.predict(seen, None, starts, deterministic=True)
            seen, reward, starts, _ = env.step(action)
            hits += float(reward.sum())
            squares.append(np.square(action).sum(-1).mean())
        return hits / 40, float(np.mean(squares))

    reached, energy = spent(["reward"])
    spared, less = spent(["reward", Effort(weight=0.5)])
    assert reached == spared == 1.0
    assert less < 0.5 * energy


@pytest.mark.parametrize(
    ("problem", "cost"), [("motor prediction", Effort()), ("path integration", Slowness())]
)
def test_a_cost_that_is_no_member_is_added_by_name(problem: str, cost: Cost) -> None:
    senses = {"proprioception": 4, "cue": 8, "go": 1, "egomotion": 3, "vision": 96}
    without = cost_set("heterogeneous", senses, problem, delay=3)
    added = cost_set(f"heterogeneous+{cost.name}", senses, problem, delay=3)
    own = {cost.name, f"value_{cost.name}"} if cost.scores else {cost.name}
    assert {c.name for c in added} - {c.name for c in without} == own
    assert set(without) < set(added)
    assert cost in added


def test_models_and_their_costs_refuse_what_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="steps=0"):
        SensoryPrediction(steps=0)
    with pytest.raises(ValueError, match="steps=-1"):
        MotorPrediction(steps=-1)
    late = Trace({"episode_start": torch.zeros(4, 2, dtype=torch.bool)})
    for cost in (
        SensoryPrediction(steps=4),
        MotorPrediction(steps=3),
        NoiseTarget.like(MotorPrediction(steps=3)),
    ):
        with pytest.raises(ValueError, match="4 apart, and a rollout has 4; give n_steps above 4"):
            cost.annotate(late, {}, nn.Module())
    with pytest.raises(ValueError, match=r"has 24 features, .* each of 24 rays"):
        surprise(torch.zeros(4, 2, 24), torch.zeros(4, 2, 96))
    for width, words in ((96, "each of 24 rays"), (99, r"each of 24.75 rays")):
        with pytest.raises(ValueError, match=f"has 24 features, .* {words}"):
            AdversarialCuriosity().heads({"world_model": 24, "vision": width})
    with pytest.raises(ValueError, match=r"SelfPrediction\(hidden=0\): give None, or at least 1"):
        SelfPrediction(hidden=0)
    with pytest.raises(ValueError, match="ForwardModel wants late senses"):
        ForwardModel((4, 2))
    with pytest.raises(ValueError, match="InverseModel wants a posture"):
        InverseModel((4,))
    with pytest.raises(ValueError, match="WorldModel wants vision of rays"):
        WorldModel((7, 2))
