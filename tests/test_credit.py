"""Credit rules: each against the gradient, and against what its paper says of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor, nn

from motley.agents import WIDTH, Agent, Area, Blueprint, Node
from motley.agents.actions import action_distribution
from motley.agents.areas import (
    GRU,
    Actor,
    EpisodicMemory,
    FoodFinder,
    HeadDirection,
    PathIntegrator,
    Perceptron,
)
from motley.agents.brain import Brain
from motley.agents.credit import (
    CREDIT,
    Backprop,
    CreditRule,
    DirectFeedbackAlignment,
    FeedbackAlignment,
    NodePerturbation,
    SignConcordantFeedback,
    TruncatedBackprop,
    credit_rule,
)
from motley.costs import (
    RND,
    AreaTarget,
    Cost,
    ExtrinsicReward,
    InverseDynamics,
    LatentSelfPrediction,
    NextObservation,
    RewardPrediction,
    SelfPrediction,
    Slowness,
    Trace,
)
from motley.costs.base import Sizes

pytestmark = pytest.mark.filterwarnings("ignore:.*has no calibration")
ACTIONS = action_distribution(spaces.Box(-1.0, 1.0, (3,)))
FEEDBACK: dict[str, type[CreditRule]] = {
    "plain": FeedbackAlignment,
    "sign": SignConcordantFeedback,
    "direct": DirectFeedbackAlignment,
}


def deep(rule: CreditRule, seed: int = 0) -> Brain:
    """Two hidden layers of 30 tanh units from 10 numbers to 3."""
    blueprint = Blueprint(
        {
            "actor": Node(Actor, ("eye",), "actor", {"hidden": (30, 30)}),
            "critic": Node(Perceptron, ("eye",), "critic", {"size": 4}),
        }
    )
    brain = Brain(blueprint, {"eye": 10}, ACTIONS, seed)
    with torch.no_grad():
        brain.actor.last.weight *= 100.0  # from the small one of a policy to that of a net
    rule.attach(brain, seed)
    return brain


def run(brain: Brain, x: Tensor) -> Tensor:
    """Take the rows of ``x`` as worlds of one step."""
    start = torch.ones(1, len(x), dtype=torch.bool)
    output: Tensor = brain({"eye": x.unsqueeze(0)}, {}, start, ("actor",))[0]["actor"]
    return output[0]


def gradients(brain: Brain, loss: Tensor) -> list[Tensor]:
    layers = [*brain.actor.layers, brain.actor.last]
    return list(torch.autograd.grad(loss, [layer.weight for layer in layers]))


def angle(one: Tensor, other: Tensor) -> float:
    """In degrees."""
    cosine = nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0)
    return math.degrees(math.acos(min(float(cosine), 1.0)))


def twin(brain: Brain) -> Brain:
    """The same weights with backprop."""
    other = deep(Backprop())
    other.load_state_dict(brain.state_dict(), strict=False)
    return other


def learn(rule: CreditRule, updates: int) -> tuple[list[float], list[list[float]]]:
    """Learn a function from small weights; and each layer's angle to backprop, by fifties."""
    generator = torch.Generator().manual_seed(1)
    teacher = torch.randn(10, 3, generator=generator) * 2 / 10**0.5
    probe = torch.randn(1000, 10, generator=generator)
    brain = deep(rule)

    def error(brain: Brain, x: Tensor) -> Tensor:
        return (run(brain, x) - torch.tanh(x @ teacher)).square().mean()

    with torch.no_grad():
        for layer in [*brain.actor.layers, brain.actor.last]:
            layer.weight *= 0.3
    optimizer = torch.optim.SGD(brain.actor.parameters(), lr=0.3)
    losses, angles = [], []
    for update in range(updates + 1):
        if update % 50 == 0:
            other = twin(brain)
            exact = gradients(other, error(other, probe))
            ours = gradients(brain, error(brain, probe))
            angles.append([angle(a, b) for a, b in zip(ours, exact, strict=True)])
        loss = error(brain, torch.randn(64, 10, generator=generator))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses, angles


@pytest.mark.parametrize("kind", FEEDBACK)
def test_feedback_comes_to_align_with_the_gradient_and_solves_the_task(kind: str) -> None:
    """Lillicrap et al. (2016): the angle falls below 90 degrees, in 3 times backprop's steps."""
    losses, angles = learn(FEEDBACK[kind](), 150)
    exact, _ = learn(Backprop(), 50)
    for layer in range(2):
        first, *later = (angles[i][layer] for i in range(4))
        assert first < 70 if kind == "sign" else first > 80
        assert max(later) < min(first, 65)
    assert max(angles[i][2] for i in range(4)) < 0.1  # the last layer's error is its own
    assert np.mean(losses[-20:]) < np.mean(exact[-20:]) < 0.2 * exact[0]


@pytest.mark.parametrize("kind", FEEDBACK)
def test_feedback_leaves_values_as_they_are(kind: str) -> None:
    brain, x = deep(FEEDBACK[kind]()), torch.randn(5, 10)
    assert torch.equal(run(brain, x), run(twin(brain), x))


def test_feedback_is_its_equations() -> None:
    """The error of a layer is the one behind it through B (plain), or the last one's (direct)."""
    x, wanted = torch.randn(7, 10), torch.randn(7, 3)
    for kind in FEEDBACK:
        brain = deep(FEEDBACK[kind]())
        layers = [*brain.actor.layers, brain.actor.last]
        backs = [layer.feedback for layer in layers]
        if kind == "sign":
            backs = [b.abs() * la.weight.sign() for b, la in zip(backs, layers, strict=True)]
        with torch.no_grad():
            h1 = torch.tanh(layers[0](x))
            h2 = torch.tanh(layers[1](h1))
            error = layers[2](h2) - wanted
            if kind == "direct":
                error2 = (error @ backs[2]) * (1 - h2**2)
                error1 = (error @ backs[1]) * (1 - h1**2)
            else:
                error2 = (error @ backs[2]) * (1 - h2**2)
                error1 = (error2 @ backs[1]) * (1 - h1**2)
        found = gradients(brain, (run(brain, x) - wanted).square().sum() / 2)
        expected = [error1.t() @ x, error2.t() @ h1, error.t() @ h2]
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def perturbed(rule: NodePerturbation, units: int, times: int) -> tuple[Tensor, Tensor]:
    """Estimates of a linear layer's gradient, (times, numbers), and the gradient."""
    torch.manual_seed(0)
    area = Perceptron((3,), units, depth=1)
    (layer,) = area.layers
    rule.take(area, layer)
    x, wanted = torch.randn(1, 1, 3), torch.randn(1, 1, units)
    start = torch.ones(1, 1, dtype=torch.bool)

    def losses() -> Tensor:
        loss: Tensor = (area((x,), {}, start)[0] - wanted).square().sum(-1)
        return loss

    generator = torch.Generator().manual_seed(0)
    found = torch.stack(
        [rule.estimate([layer], losses, start, generator)[layer.weight].flatten()
         for _ in range(times)]
    )  # fmt: skip
    exact = torch.autograd.grad(losses().mean(), layer.weight)[0].flatten()
    return found, exact


def test_perturbation_is_the_gradient_on_average_and_noisier_with_more_units() -> None:
    """Werfel et al. (2005): variance grows in proportion to the number of units."""
    rule, spread = NodePerturbation(1e-3), {}
    for units in (4, 16, 64):
        found, exact = perturbed(rule, units, 1500)
        error = (found.mean(0) - exact).norm() / exact.norm()
        assert error < 4 * (units / 1500) ** 0.5
        spread[units] = float((found - exact).square().sum(1).mean() / exact.square().sum())
    slope = math.log(spread[64] / spread[4]) / math.log(16)
    assert 0.8 < slope < 1.2


@pytest.mark.parametrize("late", [0, 3])
def test_perturbation_through_time_is_the_gradient_on_average(late: int) -> None:
    """Of a GRU's own loop, with a start inside the sequence."""
    torch.manual_seed(0)
    area, rule = GRU((2,), 3), NodePerturbation(1e-3)
    layers = [area.input, area.recurrent]
    for layer in layers:
        rule.take(area, layer)
    worlds = 6_000  # as many independent estimates
    x = torch.randn(4, 1, 2).expand(4, worlds, 2)
    start = torch.zeros(4, worlds, dtype=torch.bool)
    start[0] = True
    start[late] = True

    def losses() -> Tensor:
        loss: Tensor = area((x,), area.initial_state(worlds), start)[0].square().sum(-1)
        return loss

    found = rule.estimate(layers, losses, start, torch.Generator().manual_seed(0))
    wanted = [p for layer in layers for p in layer.parameters()]
    for p, exact in zip(wanted, torch.autograd.grad(losses().mean(), wanted), strict=True):
        assert (found[p] - exact).norm() < 0.25 * exact.norm() + 1e-3


def follows(cost: Cost, ahead: int) -> float:
    """Cosine of the gradient of a cost of a perceptron and node perturbation's estimate of it."""
    torch.manual_seed(0)
    area, rule = Perceptron((3,), 4, depth=1), NodePerturbation(1e-2)
    (layer,) = area.layers
    rule.take(area, layer)
    time, worlds = 8, 6_000  # as many independent estimates
    seen, action = (torch.randn(time, 1, n).expand(time, worlds, n) for n in (3, 2))
    start = torch.zeros(time, worlds, dtype=torch.bool)
    start[[0, 4]] = True
    sizes = {"core": 4, "action": 2, "vision": 3}
    heads = cost.heads(Sizes(sizes, {}))
    assert heads is not None

    def losses() -> Tensor:
        tensors = {"core": area((seen,), {}, start)[0], "vision": seen, "action": action}
        tensors |= {"reward": action[..., 0], "episode_start": start}
        return cost.loss(Trace(tensors), heads)

    generator = torch.Generator().manual_seed(0)
    found = rule.estimate([layer], losses, start, generator, ahead)[layer.weight]
    exact = torch.autograd.grad(losses().mean(), layer.weight)[0]
    return float(nn.functional.cosine_similarity(found.flatten(), exact.flatten(), dim=0))


@pytest.mark.parametrize(
    "cost", [RewardPrediction(), NextObservation(), InverseDynamics(reads="core")], ids=str
)
def test_perturbation_follows_a_cost_as_far_ahead_as_it_reads_areas(cost: Cost) -> None:
    assert follows(cost, cost.looks_ahead) > 0.95
    if isinstance(cost, InverseDynamics):
        assert follows(cost, 0) < 0.9  # without what noise does to the loss of the step before


def test_an_agent_tells_perturbation_how_far_its_costs_look_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[int] = []
    estimate = NodePerturbation.estimate

    def spy(rule: NodePerturbation, layers: Any, losses: Any, *rest: Any) -> Any:
        told.append(rest[-1])
        return estimate(rule, layers, losses, *rest)

    monkeypatch.setattr(NodePerturbation, "estimate", spy)
    own = InverseDynamics(trains=("core",), reads="core")
    settings = {"n_epochs": 1, "n_minibatches": 1, "log_gradients_every": 10}
    small("node_perturbation", costs=[ExtrinsicReward(), own], **settings).learn(64)
    assert set(told) == {0, 1}  # the reward's areas, and the core alone


@dataclass(frozen=True)
class Modest(Cost):
    """A plug-in whose loss sends no gradient to an area that it trains, nor to one that lacks."""

    trains: tuple[str, ...] = ("core", "encoder")

    @property
    def follows(self) -> tuple[str, ...]:
        return ("encoder", "absent")

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        return trace["core"].square().mean(-1) * trace["encoder"].detach().square().mean(-1)


@pytest.mark.parametrize(
    "cost",
    [
        Slowness(),
        LatentSelfPrediction(),
        AreaTarget(trains=("encoder", "core")),  # its teacher is the encoder
        AreaTarget(trains=("encoder",), reads="encoder", teacher="memory|core"),
        Modest(),
    ],
    ids=str,
)
def test_perturbation_refuses_a_cost_whose_gradient_it_would_not_follow(cost: Cost) -> None:
    with pytest.raises(ValueError, match=f"cost '{cost.name}' does not fit .*'node_pert.*: noise"):
        small("node_perturbation", costs=[ExtrinsicReward(), cost])
    small("backprop", costs=[ExtrinsicReward(), cost])


def test_perturbation_refuses_a_follower_by_what_the_routing_makes_of_it() -> None:
    """Curiosity trains no area that it looks at, until everything trains everything."""
    looking = [ExtrinsicReward(), RND(senses=("core",), trains=("actor",))]
    small("node_perturbation", costs=looking)
    with pytest.raises(ValueError, match=r"cost 'rnd' does not fit .*'node_pert.*: noise"):
        small("node_perturbation", costs=looking, routing="global")


def test_perturbation_refuses_a_self_model_that_trains_its_world_model() -> None:
    play = Blueprint(
        {
            "world": Node(Perceptron, ("vision",), "world_model", {"size": 32}),
            "self": Node(Perceptron, ("world",), "self_model", {"size": 4}),
            "actor": Node(Actor, ("vision",), "actor"),
            "critic": Node(Perceptron, ("vision",), "critic", {"size": 4}),
        }
    )
    reward = ExtrinsicReward(trains=("actor", "critic"))
    small("node_perturbation", play, [reward, SelfPrediction()])
    own = SelfPrediction(trains=("world_model",))
    with pytest.raises(ValueError, match=r"'self_prediction' does not fit .*'node_pert.*: noise"):
        small("node_perturbation", play, [reward, own])


@pytest.mark.parametrize("teacher", ["encoder", "vision"])
def test_perturbation_takes_a_teacher_that_is_left_alone(teacher: str) -> None:
    small("node_perturbation", costs=[ExtrinsicReward(), AreaTarget(teacher=teacher)])


def steps_needed(by_weights: bool, rate: float, most: int = 500) -> int:
    """Updates in which ten units learn a function of 20 inputs, to a tenth of the first error.

    Each sees the same 32 worlds twice an update, with noise and without, each world with its own.
    """
    generator, scale = torch.Generator().manual_seed(0), 1e-3
    normal = partial(torch.randn, generator=generator)
    area, rule = Perceptron((20,), 10, depth=1), NodePerturbation(scale)
    (layer,) = area.layers
    rule.take(area, layer)
    teacher = normal(10, 20) / 20**0.5
    start = torch.ones(1, 32, dtype=torch.bool)
    first = math.inf
    with torch.no_grad():
        layer.weight.zero_()
        for step in range(most):
            x = normal(1, 32, 20)
            wanted = torch.tanh(x @ teacher.t())

            def error(y: Tensor, wanted: Tensor = wanted) -> Tensor:
                return (y - wanted).square().sum(-1)

            def losses(x: Tensor = x) -> Tensor:
                return error(area((x,), {}, start)[0])

            clean = losses()
            first = min(first, float(clean.mean())) if step == 0 else first
            if not 0.1 * first < clean.mean() < 10 * first:
                return step if clean.mean() < first else most
            if by_weights:  # Spall (1992), with Werfel's noise
                noise = scale * normal(1, 32, 10, 20)
                weights = layer.weight + noise
                y = torch.tanh((weights @ x.unsqueeze(-1)).squeeze(-1))
                change = ((error(y) - clean)[..., None, None] * noise).mean((0, 1)) / scale**2
            else:
                change = rule.estimate([layer], losses, start, generator)[layer.weight]
            layer.weight -= rate * change
    return most


def test_node_perturbation_needs_fewer_steps_than_weight_perturbation() -> None:
    """At equal width and as many losses, each at its best rate (Werfel et al. 2005).

    Theirs is a ratio of the number of inputs, 20 here, where all is linear.
    """
    rates = [0.002 * 2**i for i in range(8)]
    nodes, weights = ([steps_needed(by, rate) for rate in rates] for by in (False, True))
    for found in (nodes, weights):  # the best rate is none of the ends
        assert min(found) < min(found[0], found[-1])
    assert 5 * min(nodes) < min(weights)


def remembering(rule: CreditRule) -> Brain:
    """An area with a memory, one after it, a loop, and a look back."""
    brain = Brain(
        Blueprint(
            {
                "core": Node(GRU, ("eye",), "core", {"size": 5}),
                "late": Node(Perceptron, ("core@-1",), "readout", {"size": 4}),
                "loop": Node(Perceptron, ("eye", "loop@-1"), "readout", {"size": 4}),
                "actor": Node(Actor, ("core", "late", "loop"), "actor"),
                "critic": Node(Perceptron, ("core",), "critic"),
            }
        ),
        {"eye": 3},
        ACTIONS,
    )
    rule.attach(brain, 0)
    return brain


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 100])
def test_truncation_cuts_the_gradient_at_its_steps_and_nothing_else(steps: int) -> None:
    time = 10
    start = torch.zeros(time, 2, dtype=torch.bool)
    brain, whole = remembering(TruncatedBackprop(steps)), remembering(Backprop())
    x = torch.randn(time, 2, 3, requires_grad=True)
    state = brain.initial_state(2)
    output = brain({"eye": x}, state, start)[0]
    torch.testing.assert_close(output["actor"], whole({"eye": x}, state, start)[0]["actor"])
    for name in ("core", "late", "loop"):
        for t in range(time):
            (d_x,) = torch.autograd.grad(output[name][t].sum(), x, retain_graph=True)
            reached = {s for s in range(time) if d_x[s].any()}
            last = t - 1 if name == "late" else t
            assert reached == set(range(t - t % steps, last + 1))
    # Stretch by stretch, with autograd's own detach between them.
    parts, now = [], state
    for t in range(0, time, steps):
        out, now = whole({"eye": x[t : t + steps]}, now, start[t : t + steps])
        now = {a: {n: v.detach() for n, v in held.items()} for a, held in now.items()}
        parts.append(out["actor"])
    weight = torch.randn(time, 2, 3)

    def gradient(brain: Brain, output: Tensor) -> tuple[Tensor, ...]:
        wanted = [p for name in ("core", "late", "loop") for p in brain.areas[name].parameters()]
        return torch.autograd.grad((output * weight).sum(), wanted)

    found, hand = gradient(brain, output["actor"]), gradient(whole, torch.cat(parts))
    for a, b in zip(found, hand, strict=True):
        torch.testing.assert_close(a, b)


CORES = {
    "gru": Node(GRU, ("key", "cue", "go"), "core", {"size": 16}),
    "memory": Node(EpisodicMemory, ("key", "cue", "go"), "core", {"prior": "learnt_key"}),
}


def recalls(core: str, credit: str, delay: int, updates: int) -> float:
    """Share of right answers of a core that learnt to recall what was shown ``delay`` steps ago.

    One of three cues is shown with a key while the body is held (``go`` is 0); then others are, and
    at the end the key alone. Only that step is taught.
    """
    blueprint = Blueprint(
        {
            "core": CORES[core],
            "actor": Node(Actor, ("core",), "actor"),
            "critic": Node(Perceptron, ("core",), "critic", {"size": 4}),
        }
    )
    brain = Brain(blueprint, {"key": 4, "cue": 3, "go": 1}, ACTIONS)
    credit_rule(credit).attach(brain, 0)
    learnt = [*brain.areas["core"].parameters(), *brain.actor.parameters()]
    optimizer = torch.optim.Adam(learnt, lr=0.03)
    generator = torch.Generator().manual_seed(0)

    def answers(worlds: int) -> tuple[Tensor, Tensor]:
        """Logits of what is told, (worlds, 3), and what it was, (worlds,)."""
        key = torch.randn(delay + 1, worlds, 4, generator=generator)
        which = torch.randint(3, (delay + 1, worlds), generator=generator)
        cue, go = torch.eye(3)[which], torch.ones(delay + 1, worlds, 1)
        key[-1], cue[-1], go[0] = key[0], 0.0, 0.0
        start = torch.zeros(delay + 1, worlds, dtype=torch.bool)
        start[0] = True
        seen, before = {"key": key, "cue": cue, "go": go}, brain.initial_state(worlds)
        output: Tensor = brain(seen, before, start, ("core", "actor"))[0]["actor"]
        return output[-1], which[0]

    for _ in range(updates):
        loss = nn.functional.cross_entropy(*answers(32))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.no_grad():
        told, shown = answers(1_000)
        return float((told.argmax(-1) == shown).float().mean())


def test_truncation_keeps_a_core_from_learning_to_recall_and_a_store_not() -> None:
    """Memory turns credit over time into credit over reads (Marblestone et al. 2016, 2.2.2.1)."""
    steps = (1, 4, 16)
    held = {k: recalls("gru", f"bptt_{k}", delay=12, updates=200) for k in steps}
    assert held[16] > 0.95
    assert max(held[1], held[4]) < 0.6  # chance is a third
    assert recalls("gru", "bptt_4", delay=2, updates=50) > 0.95  # what 4 steps do reach
    assert recalls("memory", "bptt_1", delay=12, updates=0) < 0.7
    assert min(recalls("memory", f"bptt_{k}", delay=12, updates=30) for k in steps) > 0.95


def small(
    credit: str,
    structure: Any = "uniform",
    costs: str | Sequence[Cost] = "heterogeneous",
    **more: Any,
) -> Agent:
    settings = {"n_envs": 4, "n_steps": 16, "budget": None, "width": 8, "seed": 0, **more}
    return Agent(structure, "motley/DarkHome-v0", costs, credit=credit, **settings)


@pytest.mark.parametrize("credit", [*CREDIT, "bptt_4"])
def test_an_agent_learns_by_each_and_a_saved_one_keeps_it(credit: str, tmp_path: Path) -> None:
    agent = small(credit, n_envs=16, n_steps=32, log_gradients_every=1)
    before = {name: p.detach().clone() for name, p in agent.brain.named_parameters()}
    agent.learn(1024)  # in fewer steps no food is found, and nothing leads the actor
    changed = [n for n, p in agent.brain.named_parameters() if not torch.equal(before[n], p)]
    assert set(changed) == set(before)
    told = agent.diagnostics()
    assert told["grad/next_observation/core"] > 0
    assert told["grad/next_observation/actor"] == 0
    agent.save(tmp_path / "agent")
    again = Agent.load(tmp_path / "agent", agent.get_env())
    assert again.settings.credit == credit
    assert type(again.brain.credit) is type(credit_rule(credit))
    ours = dict(agent.brain.named_buffers())
    assert all(torch.equal(x, ours[name]) for name, x in again.brain.named_buffers())
    again.learn(64, reset_num_timesteps=False)


def test_rules_that_change_nothing_give_the_same_weights() -> None:
    """Truncation beyond the rollout is backprop, to the bit."""
    one, other = small("backprop").learn(128), small("bptt_16").learn(128)
    for a, b in zip(one.brain.parameters(), other.brain.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("task", ["GateMaze", "RoleBind"])
def test_truncation_beyond_the_rollout_is_backprop_in_a_loop_with_a_memory(task: str) -> None:
    found = []
    for credit in ("backprop", "bptt_8", "bptt_4"):
        agent = Agent("matched", task, "reward", n_envs=2, credit=credit, seed=0)
        space = agent.brain.sizes
        generator = torch.Generator().manual_seed(0)
        names = [name for name in space if name not in agent.brain.areas]
        seen = {name: torch.rand(8, 2, space[name], generator=generator) for name in names}
        seen = {name: x.requires_grad_() for name, x in seen.items()}
        starts = torch.zeros(8, 2, dtype=torch.bool)
        outputs, _ = agent.brain(seen, agent.brain.initial_state(2), starts)
        core = outputs["core" if task == "RoleBind" else "memory"][-1].sum()
        given = torch.autograd.grad(core, [*seen.values()], allow_unused=True)
        parts: list[torch.Tensor | None] = [*given]
        found.append(torch.stack([x.abs().sum((1, 2)) for x in parts if x is not None]).sum(0))
    whole, eight, four = found
    torch.testing.assert_close(eight, whole)
    assert (whole > 1e-4).all()
    assert (four[:4] == 0).all()
    assert (four[4:] > 0).all()


def test_a_lesioned_area_learns_nothing_by_any_rule() -> None:
    for credit, area in (("backprop", "actor"), ("node_perturbation", "core")):
        agent = small(credit)
        agent.lesion(area)
        before = [p.clone() for p in agent.brain.areas[area].parameters()]
        agent.learn(64)
        after = agent.brain.areas[area].parameters()
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_rule_that_an_area_does_not_support_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match=r"unknown credit rule 'backporp'; did you mean backprop"):
        small("backporp")
    with pytest.raises(ValueError, match=r"'memory' \(EpisodicMemory\) cannot learn by NodePertur"):
        small("node_perturbation", "episodic_memory")
    with pytest.raises(ValueError, match="give at least 1"):
        small("bptt_0")

    class Odd(Area):
        """States a rule that its weights do not allow."""

        credit = ("perturbation",)

        def __init__(self, sizes: tuple[int, ...]):
            super().__init__(sizes, 1)
            self.gain = nn.Parameter(torch.ones(1))

    blueprint = Blueprint(
        {
            "odd": Node(Odd, ("vision",), "encoder"),
            "core": Node(GRU, ("vision",), "core", {"size": WIDTH}),
            "actor": Node(Actor, ("core",), "actor"),
            "critic": Node(Perceptron, ("core",), "critic"),
        }
    )
    with pytest.raises(ValueError, match=r"'odd' \(Odd\).*gain is not the weight of a Linear"):
        small("node_perturbation", blueprint)


def test_a_store_learns_by_feedback() -> None:
    """What it attends to learns as if its values were read out by the feedback weights."""
    assert recalls("memory", "feedback_alignment", delay=10, updates=30) > 0.95
    torch.manual_seed(0)
    one, other = (EpisodicMemory((3, 8, 1), prior="learnt_key", tolerance=4.0) for _ in range(2))
    other.load_state_dict(one.state_dict())
    rule = FeedbackAlignment()
    for layer in (one.value, one.key):
        assert layer is not None
        rule.take(one, layer)
    assert one.value is not None
    assert one.key is not None
    assert other.value is not None
    assert other.key is not None
    with torch.no_grad():
        other.value.weight.copy_(one.value.feedback)
    inputs = (torch.randn(6, 2, 3) / 3, torch.randn(6, 2, 8), torch.zeros(6, 2, 1))
    start, weight = torch.zeros(6, 2, dtype=torch.bool), torch.randn(6, 2, one.size)
    outputs = [area(inputs, area.initial_state(2), start)[0] for area in (one, other)]
    found, hand = (
        torch.autograd.grad((output * weight).sum(), key.weight)[0]
        for output, key in zip(outputs, (one.key, other.key), strict=True)
    )
    assert found.norm() > 0.1
    torch.testing.assert_close(found, hand, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("rule", FEEDBACK.values())
def test_no_error_goes_back_by_feedback_through_weights_that_are_no_layers(
    rule: type[CreditRule],
) -> None:
    def attached(node: Node, rule: Callable[[], CreditRule] = rule) -> None:
        nodes = {"learnt": Node(Perceptron, ("egomotion",), "encoder", {"size": 8}), "late": node,
                 "actor": Node(Actor, ("late",), "actor"),
                 "critic": Node(Perceptron, ("late",), "critic")}  # fmt: skip
        senses = {"egomotion": 3, "vision": 8, "interoception": 2}
        rule().attach(Brain(Blueprint(nodes), senses, ACTIONS), 0)

    for area in (PathIntegrator, HeadDirection):
        with pytest.raises(ValueError, match=rf"'late' \({area.__name__}\) cannot send errors .*"
                           rf"'learnt' by {rule.__name__}"):  # fmt: skip
            attached(Node(area, ("egomotion", "learnt@-1"), "late"))
        attached(Node(area, ("egomotion", "learnt"), "late"), Backprop)
        attached(Node(area, ("egomotion", "vision"), "late"))
        attached(Node(area, ("egomotion", "learnt"), "late", {"prior": "exact"}))
    with pytest.raises(ValueError, match=r"'late' \(FoodFinder\) cannot send errors"):
        attached(Node(FoodFinder, ("interoception", "learnt"), "late"))
    attached(Node(FoodFinder, ("interoception", "vision", "learnt"), "late"))
