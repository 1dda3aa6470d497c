"""Which cost trains which area: measured, against tables, graphs and separate gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fits import fits
from motley.agents import BLUEPRINTS, Agent
from motley.agents.blueprints import PROBLEMS
from motley.agents.gradients import Tape
from motley.agents.rollout import collect
from motley.agents.scoring import scored
from motley.agents.spaces import Senses
from motley.agents.wiring import needed_by
from motley.costs import (
    COST_SETS,
    COSTS,
    Cost,
    Development,
    Entropy,
    ExtrinsicReward,
    InverseDynamics,
    LatentSelfPrediction,
    NextObservation,
    NoiseTarget,
    Prediction,
    Reconstruction,
    RewardPrediction,
    Trace,
    ramp,
    stage,
)
from motley.costs.controls import Deals, movable
from motley.costs.routing import table, trained_areas
from motley.envs.tasks import TASKS

pytestmark = pytest.mark.filterwarnings("ignore:.*has no calibration")
TASK = "motley/DarkHome-v0"
TASK_OF = {PROBLEMS[task.problem]: name for name, task in TASKS.items() if task.problem in PROBLEMS}

# Written out by hand: cost -> areas, on DarkHome.
HETEROGENEOUS = {
    "path_integration": {
        "reward": {"encoder", "core", "search", "actor", "critic"},
        "value_reward": {"encoder", "core", "search", "actor", "critic"},
        "next_observation": {"encoder", "core"},
        "self_localisation": {"integrator"},
    },
    "uniform": {
        "reward": {"encoder", "core", "search", "actor", "critic"},
        "value_reward": {"encoder", "core", "search", "actor", "critic"},
        "next_observation": {"encoder", "core"},
        "self_localisation": {"encoder", "core"},
    },
}

# The areas that a cost looks at, by role; its gradient can reach these and what feeds them.
LOOKS_AT = {
    "reward": ("actor",),
    "value_reward": ("critic",),
    "next_observation": ("core",),
    "self_localisation": ("integrator", "core"),
    "reconstruction": ("memory", "core"),
    "local_td_error": ("memory", "core"),
    "held_content": ("memory", "core"),
    "match_prediction": ("core",),
    "occlusion_prediction": ("tracker", "core"),
    "mover_event": ("appearance", "core"),
    "meal_appearance": ("food", "core"),
    "gaze_from_hand": ("gaze", "core"),
    "sensory_prediction": ("forward_model", "core"),
    "motor_prediction": ("inverse_model", "core"),
    "world_prediction": ("world_model",),
    "self_prediction": ("self_model", "core"),
    "learning_progress": ("actor",),
    "value_learning_progress": ("critic",),
}
for _need in range(8):
    LOOKS_AT[f"drive_reduction_{_need}"] = ("actor",)
    LOOKS_AT[f"value_drive_reduction_{_need}"] = ("critic",)
LOOKS_AT |= {f"noise_target_{name}": areas for name, areas in LOOKS_AT.items()}


NEEDS = {"ManyNeeds": 4, "Homestead": 3}


def small(structure: str, costs: Any, task: str = TASK, **settings: Any) -> Agent:
    settings = {"n_envs": 8, "n_steps": 64, "n_epochs": 1, "n_minibatches": 1, **settings}
    settings = {"budget": 30_000, "seed": 4, "log_gradients_every": 1, **settings}
    return Agent(structure, task, costs, **settings)


def reached(agent: Agent, cost: str) -> set[str]:
    """Areas with parameters that the cost depends on, from the wiring alone."""
    roles = agent.brain.roles
    looks_at = [roles[role] for role in LOOKS_AT[cost] if role in roles][:1]
    assert looks_at or not agent.learner.routes[cost]  # a cost of an area that is not there
    needed = needed_by(looks_at, agent.brain.inputs)
    return {name for name in needed if agent.learner.area_parameters[name]}


SHIPPED = [name for name, make in COST_SETS.items() if make.__module__.startswith("motley.costs.")]
"""Studies may have registered more, by which tests were imported before this one."""


ZERO_AT_FIRST = (*(f"drive_reduction_{need}" for need in range(8)), "learning_progress")
SHUT = 512
"""The age up to which a development of these tests keeps a cost and an area shut: one update."""


def check_gradients(structure: str, costs: str, task: str, closed: frozenset[str]) -> None:
    """Measure gradients until every entry of the routing has had one, and no other ever.

    Args:
        structure: of the agent.
        costs: a named set.
        task: what the agent is for.
        closed: costs and areas that are shut in the first update and open afterwards.
    """
    late = {name: stage(1.0, SHUT, 10**9) for name in closed}
    stages = Development(
        {name: late[name] for name in closed if name in COSTS},
        {name: late[name] for name in closed if name not in COSTS},
    )
    agent = small(structure, costs, f"motley/{task}-v0", development=stages)
    routes = agent.learner.routes
    assert closed <= {*routes, *agent.blueprint}
    if (structure, costs, task) in {(s, "heterogeneous", "DarkHome") for s in HETEROGENEOUS}:
        assert routes == HETEROGENEOUS[structure]
    expected = {cost: routes[cost] & reached(agent, cost) for cost in routes}
    waiting = {(cost, area) for cost, areas in expected.items() for area in areas}
    # Needs that the task does not have teach nothing, and their heads have no say.
    absent = range(NEEDS.get(task, 0), 8)
    untaught = tuple(f"drive_reduction_{need}" for need in absent)
    unused = {f"drive_{need}" for need in absent}
    if structure.endswith("swapped") and len(absent) % 2:
        unused.add(f"drive_{absent[0] - 1}")  # it trades places with a need that is not there
    waiting = {c for c in waiting if not c[0].endswith(untaught) and c[1] not in unused}
    for n in range(10):
        agent.learn(1, reset_num_timesteps=False)
        assert agent.num_timesteps == SHUT * (n + 1)
        measured = {
            tuple(name.split("/")[1:]): norm
            for name, norm in agent.diagnostics().items()
            if name.startswith("grad/")
        }
        shut = {c for c in product(routes, agent.blueprint) if n == 0 and closed & set(c)}
        assert set(measured) - shut == set(product(routes, agent.blueprint)) - shut
        found = {cell for cell, norm in measured.items() if norm}
        stray = {cell for cell in found if cell[1] not in expected[cell[0]]} | (found & shut)
        assert not stray
        if shut:  # all else learns as ever, but for scores that are zero at first
            missing = waiting - shut - found
            assert not {cell for cell in missing if not cell[0].endswith(ZERO_AT_FIRST)}
        waiting -= found
        if not waiting:
            return
    raise AssertionError(f"no gradient in ten updates: {sorted(waiting)}")


@pytest.mark.parametrize("costs", SHIPPED)
@pytest.mark.parametrize("structure", [s for s in BLUEPRINTS if s != "feedforward"])
def test_gradients_are_zero_exactly_where_the_routing_is(structure: str, costs: str) -> None:
    """In the task that the structure is matched to, where all of it is used."""
    task = TASK_OF.get(structure.partition(".")[0], "DarkHome")
    check_gradients(structure, costs, task, frozenset())


@pytest.mark.parametrize(
    ("structure", "task", "closed"),
    [
        *(("uniform", task, ("next_observation", "encoder")) for task in TASKS),
        ("uniform", "GateMaze", ("held_content", "core")),
        ("matched", "CacheRecall", ("reconstruction", "memory")),
        ("matched", "GateMaze", ("local_td_error", "memory")),
        ("matched", "OccluderHunt", ("next_observation", "tracker")),
        ("matched", "DelayReach", ("motor_prediction", "core")),
    ],
)
def test_so_are_they_where_a_stage_shuts_a_cost_and_an_area(
    structure: str, task: str, closed: tuple[str, ...]
) -> None:
    """Under the costs of every task, shut at first and open later."""
    check_gradients(structure, "heterogeneous", task, frozenset(closed))


@pytest.mark.parametrize("cost", [InverseDynamics(), NextObservation()])
def test_the_placebo_of_a_cost_that_compares_steps_keeps_their_order(cost: Prediction) -> None:
    """Where nothing has a memory, minibatches are of single steps unless a cost asks for more."""
    agent = small("memoryless", [ExtrinsicReward(), NoiseTarget.like(cost)])
    agent.learn(1)
    told = agent.diagnostics()
    # One who gives the mean errs by 1, and the head begins with less than that besides.
    assert 0.5 < told[f"cost/noise_target_{cost.name}"] < 10
    assert told[f"grad/noise_target_{cost.name}/encoder"] > 0


@pytest.mark.parametrize("structure", HETEROGENEOUS)
@pytest.mark.parametrize("cut", [False, True], ids=["one by one", "swept"])
def test_a_step_uses_the_sum_of_the_gradients_routed(structure: str, cut: bool) -> None:
    """Against one separate gradient a cost, added up by the table above."""
    agent = small(structure, "heterogeneous")
    learner = agent.learner
    agent._setup_learn(1)
    assert agent.env is not None
    rollout = collect(
        agent.env, agent.brain, learner.distribution, agent.policy.senses, agent._stand(),
        agent.noise(), lambda facts: True,
    )  # fmt: skip
    assert rollout is not None
    batch, _ = scored(learner, rollout, 0)
    losses, _ = learner.losses(batch, learner.weights(0), 0.2)
    assert set(losses) == set(HETEROGENEOUS[structure])
    named = dict(learner.named_parameters())
    expected: dict[str, Tensor] = {}
    for cost, loss in losses.items():
        for name, parameter in named.items():
            part, owner = name.split(".")[0], name.split(".")[1]
            if part == "brain":
                counts = name.split(".")[2] in HETEROGENEOUS[structure][cost]
            else:
                counts = owner == cost
            if not counts:
                continue
            gradient = torch.autograd.grad(loss, parameter, retain_graph=True, allow_unused=True)[0]
            if gradient is not None:
                expected[name] = expected.get(name, torch.zeros_like(gradient)) + gradient
    learner.optimizer.zero_grad(set_to_none=True)
    if cut:
        tape = Tape(agent.brain.inputs)
        losses, _ = learner.losses(batch, learner.weights(0), 0.2, tape)
        learner.route(losses, tape=tape)
    else:
        learner.route(losses)
    given = {name: p.grad for name, p in named.items() if p.grad is not None}
    assert set(given) >= set(expected)
    for name, gradient in given.items():
        torch.testing.assert_close(
            gradient, expected.get(name, torch.zeros_like(gradient)), atol=1e-7, rtol=1e-4
        )


def weights(agent: Agent) -> dict[str, np.ndarray]:
    return {name: x.clone().numpy() for name, x in agent.brain.state_dict().items()}


def differing(one: Agent, two: Agent) -> set[str]:
    a, b = weights(one), weights(two)
    assert a.keys() == b.keys()
    return {name.split(".")[1] for name in a if not np.array_equal(a[name], b[name])}


@dataclass(frozen=True)
class Motion(Cost):
    """Pays for forward motion."""

    def score(self, trace: Trace) -> Tensor:
        return trace["egomotion"][..., 0]


LATER = ramp(0.0, 1.0, 10_000_000, 20_000_000)


@pytest.mark.parametrize("weight", [0.0, LATER], ids=["number", "schedule"])
@pytest.mark.parametrize("cost", [NextObservation, Entropy, Motion])
def test_a_cost_at_weight_zero_is_as_if_left_out(cost: type[Cost], weight: Any) -> None:
    settings: dict[str, Any] = {"n_epochs": 2, "n_minibatches": 2}
    plain = small("path_integration", "reward", **settings).learn(1024)
    zero = small("path_integration", ["reward", cost(weight=weight)], **settings).learn(1024)
    assert zero.n_updates == 2
    assert differing(plain, zero) == set()
    counted = small("path_integration", ["reward", cost(weight=0.5)], **settings).learn(1024)
    assert differing(plain, counted)


def test_a_cost_that_compares_steps_and_counts_for_nothing_leaves_minibatches_alone() -> None:
    """Without a memory, steps are shuffled, unless a cost needs their order."""
    settings: dict[str, Any] = {"n_epochs": 2, "n_minibatches": 4, "budget": None}
    later = NextObservation(weight=LATER, reads="critic", trains=("critic",))
    plain = small("feedforward", "reward", **settings).learn(1024)
    assert (
        differing(plain, small("feedforward", ["reward", later], **settings).learn(1024)) == set()
    )


@pytest.mark.parametrize("trains", [("encoder",), ("core", "critic"), ("readout",)])
def test_a_cost_changes_exactly_the_areas_it_trains(trains: tuple[str, ...]) -> None:
    """In one gradient step; what the actor gives depends on all areas but the critic."""
    plain = small("path_integration", "reward").learn(512)
    cost = Reconstruction(reads="actor", trains=trains)
    more = small("path_integration", ["reward", cost]).learn(512)
    names = {"readout": "search"}
    assert differing(plain, more) == {names.get(t, t) for t in trains} - {"critic"}


ROLES = {"eyes": "encoder", "ears": "encoder", "gru": "core", "motor": "actor", "critic": "critic"}


@pytest.mark.parametrize(
    ("trains", "expected"),
    [
        (("all",), set(ROLES)),
        (("encoder",), {"eyes", "ears"}),
        (("ears", "actor"), {"ears", "motor"}),
        (("memory|core",), {"gru"}),
        (("core|encoder",), {"gru"}),
        (("memory",), set()),
        (("all", "-encoder"), {"gru", "motor", "critic"}),
        (("-eyes", "encoder", "core"), {"ears", "gru"}),
        (("all", "-memory"), set(ROLES)),
        (("integrator|encoder", "integrator|core"), {"eyes", "ears", "gru"}),
    ],
)
def test_routing_goes_by_name_and_role(trains: tuple[str, ...], expected: set[str]) -> None:
    assert trained_areas(Entropy(trains=trains), ROLES) == expected


def test_an_unknown_role_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'entropy' does not fit .*: it trains 'cortex'") as said:
        trained_areas(Entropy(trains=("cortex",)), ROLES)
    roles = ", ".join(dict.fromkeys(ROLES.values()))
    assert str(said.value).endswith(f"or a role, {roles}, or all")  # those that are here


def test_two_costs_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two costs are called 'entropy'"):
        small("uniform", ["reward", Entropy(), Entropy(weight=1.0)])


def test_the_table_marks_what_is_trained() -> None:
    text = table({"a": frozenset({"x"}), "bb": frozenset({"x", "yy"})}, ["x", "yy"])
    assert [line.split() for line in text.splitlines()] == [
        ["x", "yy"], ["a", "x", "."], ["bb", "x", "x"],
    ]  # fmt: skip


def test_a_cost_that_reads_an_area_there_is_not_names_both() -> None:
    with pytest.raises(ValueError, match=r"'next_observation' does not fit .*'feedforward'"):
        small("feedforward", "homogeneous", budget=None)


WITH_ALL = ["actor", "core", "encoder", "search"]
"""Areas that feed the actor in ``uniform``, and so what reads the actor can train."""


def four() -> list[Cost]:
    """Four costs that all look at the actor, each to train an area of its own."""
    return [
        ExtrinsicReward(),
        RewardPrediction(reads="actor", trains=("encoder",)),
        LatentSelfPrediction(reads="actor", trains=("core",)),
        Reconstruction(reads="actor", trains=("actor",)),
        InverseDynamics(reads="actor", trains=("readout",)),
    ]


def measured(agent: Agent) -> dict[str, set[str]]:
    """Areas with a gradient of each cost, in the newest update."""
    found: dict[str, set[str]] = {}
    for name, norm in agent.diagnostics().items():
        if name.startswith("grad/") and norm > 0:
            _, cost, area = name.split("/")
            found.setdefault(cost, set()).add(area)
    return found


def test_shuffling_changes_exactly_the_entries_it_says(tmp_path: Path) -> None:
    written = small("uniform", four()).learner.routes
    tables = set()
    for seed in (1, 2, 3):
        agent = small("uniform", four(), routing="shuffled", seed=seed).learn(512)
        routes = agent.learner.routes
        moved = {name for name in routes if routes[name] != written[name]}
        assert moved == {cost.name for cost in four()} - {"reward"}
        assert sorted(map(sorted, (routes[n] for n in moved))) == [[area] for area in WITH_ALL]
        assert all(measured(agent)[name] == routes[name] for name in moved)
        tables.add(tuple(sorted((n, *routes[n]) for n in moved)))
    assert len(tables) > 1  # a seed draws its own
    agent.checkpoint(tmp_path / "half.zip")
    again = small("uniform", four(), routing="shuffled", seed=3)
    assert again.learner.routes == routes
    again.restore(tmp_path / "half.zip")
    for one in (agent, again):
        one.learn(512, reset_num_timesteps=False)
    assert differing(agent, again) == set()
    agent.save(tmp_path / "model.zip")
    assert Agent.load(tmp_path / "model.zip").learner.routes == routes


@pytest.mark.parametrize("task", ["Homestead", "DelayReach", "Caregiver"])
def test_every_matched_structure_with_costs_for_three_areas_can_be_shuffled(task: str) -> None:
    """No cost keeps an area, no area gains or loses one, and all entries have a gradient."""
    few: dict[str, Any] = {"n_envs": 16, "n_steps": 32}
    task = f"motley/{task}-v0"
    written = small("matched", "heterogeneous", task, n_envs=2)
    areas = {name: node.role for name, node in written.blueprint.items()}
    above = {name: needed_by([name], written.brain.inputs) for name in areas}
    own = movable(written.costs, areas, above)
    assert len(own) >= 3
    for seed in (0, 1):
        agent = small("matched", "heterogeneous", task, routing="shuffled", seed=seed, **few)
        routes = agent.learner.routes
        assert {n for n in routes if routes[n] != written.learner.routes[n]} == set(own)
        assert not any(routes[name] & own[name] for name in own)
        assert sorted(a for n in own for a in routes[n]) == sorted(
            a for of in own.values() for a in of
        )
        waiting = set(own)
        for _ in range(10):
            agent.learn(1, reset_num_timesteps=False)
            found = measured(agent)
            assert all(found.get(name, set()) <= routes[name] for name in own)
            waiting -= {name for name in own if found.get(name, set()) == routes[name]}
            if not waiting:
                break
        assert not waiting


def by_brute_force(written: dict[str, frozenset[str]], above: dict[str, set[str]]) -> list[Any]:
    """All tables cost x area with the degrees of the written one, filtered by the definition."""
    areas, found = sorted(frozenset().union(*written.values())), []
    sets = [frozenset(c) for k in range(1, len(areas) + 1) for c in combinations(areas, k)]
    for dealt in product(sets, repeat=len(written)):
        pairs = list(zip(dealt, written.values(), strict=True))
        if any(new & old for new, old in pairs):
            continue
        if sorted(map(len, dealt)) != sorted(map(len, written.values())):
            continue
        if any(
            sum(a in new for new in dealt) != sum(a in w for w in written.values()) for a in areas
        ):
            continue
        if all(any(new <= above[a] for a in new) for new in dealt):
            found.append(dict(zip(written, dealt, strict=True)))
    return found


def test_deals_are_counted_and_drawn_one_by_one() -> None:
    """Against all tables there are; a set without an area at its end is none."""
    above = {"a": {"a"}, "b": {"b"}, "c": {"a", "b", "c"}, "d": {"d"}, "e": {"d", "e"}}
    for sets in (
        ["a", "b", "c"],
        ["ac", "b", "d"],
        ["ac", "a", "b"],
        ["abc", "d", "e"],
        ["ac", "c", "b"],
        ["abc", "abc"],
    ):
        written = {f"cost {i}": frozenset(areas) for i, areas in enumerate(sets)}
        deals, expected = Deals(written, above), by_brute_force(written, above)
        assert len(deals) == len(expected)
        drawn = [deals[i] for i in range(len(deals))]
        assert sorted(map(str, map(sorted_sets, drawn))) == sorted(
            map(str, map(sorted_sets, expected))
        )
    with pytest.raises(IndexError, match="there are 0 deals"):
        deals[0]
    # The derangements of 12 things, of which there are more than can be listed in a test.
    many = Deals(
        {str(i): frozenset((f"x{i}",)) for i in range(12)}, {f"x{i}": {f"x{i}"} for i in range(12)}
    )
    assert len(many) == round(math.factorial(12) / math.e)


def sorted_sets(dealt: Any) -> list[Any]:
    return sorted((name, sorted(areas)) for name, areas in dealt.items())


def test_a_cost_that_waits_is_dealt_out_with_the_others() -> None:
    waiting = {"weights": {"reconstruction": [[10_000, 0.0], [10_000, 1.0]]}}
    agent = small("uniform", four(), routing="shuffled", development=waiting).learn(512)
    written = small("uniform", four()).learner.routes
    assert all(agent.learner.routes[c.name] != written[c.name] for c in four()[1:])
    assert "reconstruction" not in measured(agent)


def test_the_global_sum_trains_everything_with_everything() -> None:
    agent = small("uniform", four(), routing="global").learn(512)
    found = measured(agent)
    assert set(agent.learner.routes.values()) == {frozenset(agent.blueprint)}
    assert all(found[cost.name] == set(WITH_ALL) for cost in four())


@pytest.mark.parametrize(
    ("task", "ways"),
    [("DarkHome", 1), ("CacheRecall", 1), ("ManyNeeds", 1), ("GateMaze", 0), ("RoleBind", 0),
     ("OccluderHunt", 1), ("PlayRoom", 1)],
)  # fmt: skip
def test_too_few_ways_to_shuffle_are_refused_when_the_agent_is_made(task: str, ways: int) -> None:
    with pytest.raises(ValueError, match=rf"there are {ways} \(.*next_observation: core, encoder"):
        small("matched", "heterogeneous", f"motley/{task}-v0", n_envs=2, routing="shuffled")
    with pytest.raises(ValueError, match=r"there are 0 \(no cost can move"):
        small("matched", "reward", f"motley/{task}-v0", n_envs=2, routing="shuffled")


def test_a_stage_closes_its_part_of_the_routing() -> None:
    """A cost out of its stage and an area out of its critical period have no gradient."""
    stages = Development(
        {"inverse_dynamics": stage(1.0, 512, 1024), "reconstruction": stage(1.0, 0, 512)},
        {"core": stage(1.0, 0, 512)},
    )
    agent = small("uniform", four(), development=stages)
    for n in range(2):
        agent.learn(512, reset_num_timesteps=False)
        found = measured(agent)
        assert ("inverse_dynamics" in found) == (n == 1)
        assert ("reconstruction" in found) == (n == 0)
        assert any("core" in areas for areas in found.values()) == (n == 0)
        assert found["reward"] == set(WITH_ALL) - ({"core"} if n else set())


ANYWHERE = [n for n, cost in COSTS.items() if n not in ("reward", "value", "behavioural_cloning")]


FEW: dict[str, Any] = {"n_envs": 4, "n_steps": 16, "n_minibatches": 2, "budget": None, "width": 16}


@lru_cache
def on_reward_alone(structure: str, task: str) -> Agent:
    return small(structure, "reward", task, **FEW).learn(128)


@pytest.mark.parametrize("name", ANYWHERE)
def test_every_cost_at_weight_zero_is_as_if_left_out(name: str) -> None:
    """In the task whose problem it is for, if there is one."""
    structure, task = fits(name)
    plain = on_reward_alone(structure, task)
    cost = replace(COSTS[name].fitted(Senses(plain.observation_space).sizes), weight=LATER)
    zero = small(structure, ["reward", cost], task, **FEW).learn(128)
    assert differing(plain, zero) == set()


@pytest.mark.parametrize("routing", ["matched", "global"])
@pytest.mark.parametrize("credit", ["backprop", "node_perturbation"])
def test_what_its_user_freezes_stays(routing: str, credit: str) -> None:
    costs = ["reward", "next_observation"]
    agent = small("uniform", costs, n_steps=8, routing=routing, credit=credit)
    agent.brain.areas["encoder"].requires_grad_(False)
    before = {name: p.detach().clone() for name, p in agent.brain.named_parameters()}
    agent.learn(64)
    moved = {name for name, p in agent.brain.named_parameters() if not torch.equal(p, before[name])}
    frozen = {name for name in before if name.startswith("areas.encoder.")}
    assert not frozen & moved
    assert {
        f"areas.core.{name}" for name, _ in agent.brain.areas["core"].named_parameters()
    } <= moved
    # Frozen after they have learnt, with moments of the optimiser, all but the critic's last bias.
    agent.brain.requires_grad_(False)
    *_, (left, bias) = agent.brain.areas["critic"].named_parameters()
    bias.requires_grad_(True)
    before = {name: p.detach().clone() for name, p in agent.learner.named_parameters()}
    agent.learn(64)
    moved = {n for n, p in agent.learner.named_parameters() if not torch.equal(p, before[n])}
    assert {name for name in moved if name.startswith("brain.")} == {f"brain.areas.critic.{left}"}
    assert any(name.startswith("heads.") for name in moved)
    agent.brain.requires_grad_(True)
    agent.learn(64)
    later = dict(agent.learner.named_parameters())
    assert not any(torch.equal(later[f"brain.{name}"], before[f"brain.{name}"]) for name in frozen)
