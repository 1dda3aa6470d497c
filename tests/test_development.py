"""When each cost counts and each area learns: schedules, triggers, gates, and their controls."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motley.agents import Agent
from motley.costs import (
    Development,
    Entropy,
    ExtrinsicReward,
    NextObservation,
    Schedule,
    SelfLocalisation,
    Trigger,
    Value,
    constant,
    controls,
    critical_period,
    fade_to_reward,
    once,
    ramp,
    stage,
)
from motley.costs.development import Competence
from motley.studies.config import ConfigError, RunConfig, build_agent, check

pytestmark = pytest.mark.filterwarnings("ignore:.*has no calibration")
AGES = range(0, 1001, 5)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (constant(2.0), {0: 2.0, 500: 2.0}),
        (ramp(1.0, 0.0, 100, 300), {0: 1.0, 100: 1.0, 150: 0.75, 300: 0.0, 999: 0.0}),
        (stage(3.0, 100, 200), {0: 0.0, 99: 0.0, 100: 3.0, 199: 3.0, 200: 0.0, 500: 0.0}),
        (stage(3.0, 0, 200), {0: 3.0, 199: 3.0, 200: 0.0}),
        (
            critical_period(100, 500, opening=100, closing=200),
            {50: 0.0, 150: 0.5, 200: 1.0, 300: 1.0, 400: 0.5, 500: 0.0},
        ),
        (critical_period(100, 200), {99: 0.0, 100: 1.0, 199: 1.0, 200: 0.0}),
    ],
)
def test_schedules_over_age(schedule: Schedule, expected: dict[int, float]) -> None:
    assert {age: schedule.at(age) for age in expected} == expected


def test_a_trigger_starts_the_clock_when_the_last_episodes_were_good_enough() -> None:
    trigger = Trigger("success", 0.5, episodes=4)
    rising, falling = once(trigger, 0.0, 2.0, within=100), once(trigger, 1.0, 0.0)
    competence = Competence()
    for age, result in enumerate((1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0)):
        competence.note("success", result)
        competence.note("return", 9.0)
        competence.look(10 * age, {trigger})
        assert (trigger in competence.fired) == (age >= 3)
    assert competence.fired == {trigger: 30}  # and stays fired
    values = [rising.at(age, competence.fired) for age in (0, 30, 80, 130, 500)]
    assert values == [0.0, 0.0, 1.0, 2.0, 2.0]
    assert [falling.at(age, competence.fired) for age in (30, 31)] == [0.0, 0.0]
    assert falling.at(500) == 1.0  # not fired
    again = Competence()
    again.restore(json.loads(json.dumps(competence.to_json())))
    assert (again.fired, again.ended) == (competence.fired, competence.ended)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="ages >= 0 that do not fall"):
        Schedule(((5, 0.0), (4, 1.0)))
    with pytest.raises(ValueError, match="values are >= 0"):
        constant(-1.0)
    with pytest.raises(ValueError, match="give one of"):
        Trigger("cleverness")
    with pytest.raises(ValueError, match="'weights' and 'plasticity'"):
        Development.from_json({"costs": {}})
    with pytest.raises(ValueError, match="a schedule is a number"):
        Development.from_json({"weights": {"entropy": "later"}})
    given: Any
    for given, message in (
        ({"core": "later"}, "plasticity of 'core': a schedule is a number"),
        ({"core": {"points": [[0, 1]], "since": {"when": 3}}}, "since is null or has measure"),
        ({"core": {"points": [[0, 1]], "since": "grown"}}, "since is null or has measure"),
        ({"core": {"points": [[0, 1]], "sinse": None}}, "plasticity of 'core': a schedule is a"),
        ({"core": True}, "plasticity of 'core': a schedule is a number"),
        (["core"], "plasticity of a development is a dict"),
    ):
        with pytest.raises(ValueError, match=message):
            Development(plasticity=given)
    for given in ([], (), 0, "", False):
        with pytest.raises(ValueError, match="weights of a development is a dict of schedules"):
            Development(weights=given)
        with pytest.raises(ValueError, match="plasticity of a development is a dict of schedules"):
            Development(plasticity=given)
    with pytest.raises(ValueError, match="unknown cost 'next_observatio'; did you mean next"):
        small(development={"weights": {"next_observatio": 0.1}})
    with pytest.raises(ValueError, match="unknown area or role 'cortex'"):
        small(development={"plasticity": {"cortex": 0}})


def test_a_development_goes_through_json() -> None:
    development = Development(
        {"entropy": ramp(0.1, 0.0, 5, 9), "reward": once(Trigger(), 0.0, 1.0)},
        {"core": critical_period(3, 9)},
    )
    data = json.loads(json.dumps(development.to_json()))
    assert Development.from_json(data) == development
    assert Development(**data) == development
    short = Development({"entropy": [[5, 0.1], [9, 0]], "reward": 1})
    assert short == Development.from_json({"weights": {"entropy": [[5, 0.1], [9, 0]], "reward": 1}})
    assert short.weights == {"entropy": ramp(0.1, 0.0, 5, 9), "reward": constant(1)}


STAGED = Development(
    {"a": stage(2.0, 0, 250), "b": stage(1.0, 250, 700), "c": ramp(0.0, 4.0, 500, 1000)},
    {"core": critical_period(100, 600, opening=100, closing=100)},
)


def exposure(schedule: Schedule) -> float:
    """The integral over 1,000 steps, by steps of one."""
    return float(np.mean([schedule.at(age) for age in range(1000)]))


@pytest.mark.parametrize("name", ["reversed", "permuted", "simultaneous"])
def test_retiming_keeps_each_costs_total_exposure(name: str) -> None:
    retimed = {
        "reversed": controls.reversed_time(STAGED, 1000),
        "permuted": controls.permuted_time(STAGED, 1000, seed=1),
        "simultaneous": controls.simultaneous(STAGED, 1000),
    }[name]
    for part, before in (
        (retimed.weights, STAGED.weights),
        (retimed.plasticity, STAGED.plasticity),
    ):
        assert part.keys() == before.keys()
        for key, schedule in part.items():
            assert exposure(schedule) == pytest.approx(exposure(before[key]), abs=0.01)
            assert schedule != before[key]


def test_reversed_time_runs_backwards() -> None:
    backwards = controls.reversed_time(STAGED, 1000)
    for key, schedule in STAGED.weights.items():
        for age in AGES[1:-1]:
            if age not in (250, 300, 700, 750):  # at a jump, one side or the other holds
                assert backwards.weights[key].at(age) == pytest.approx(schedule.at(1000 - age))


def test_permuted_time_deals_out_quarters_alike_for_all() -> None:
    orders = set()
    for seed in range(12):
        permuted = controls.permuted_time(STAGED, 1000, seed)
        places = []
        for quarter in range(4):
            middles = range(250 * quarter + 5, 250 * quarter + 250, 60)
            found = [
                source
                for source in range(4)
                if all(
                    permuted.weights[key].at(age)
                    == pytest.approx(STAGED.weights[key].at(age + 250 * (source - quarter)))
                    for key in STAGED.weights
                    for age in middles
                )
            ]
            assert len(found) == 1
            places += found
        assert sorted(places) == [0, 1, 2, 3]
        assert all(a != b for a, b in enumerate(places))
        orders.add(tuple(places))
    assert len(orders) > 2
    waits = Development({"a": once(Trigger(), 0.0, 1.0)})
    with pytest.raises(ValueError, match="replay a run's log first"):
        controls.permuted_time(waits, 1000, 0)


def test_fading_leaves_the_reward_alone() -> None:
    costs = [ExtrinsicReward(), Value(), NextObservation(weight=3.0), Entropy(weight=0.2)]
    fading = fade_to_reward(costs, 100, 200)
    assert {name: s.at(150) for name, s in fading.weights.items()} == {
        "next_observation": 1.5, "entropy": 0.1,
    }  # fmt: skip
    assert all(schedule.at(200) == 0.0 for schedule in fading.weights.values())


def test_fading_begins_from_what_was_there_before() -> None:
    """Until then a weight goes as its cost or the development says, jumps at that age included."""
    own = {"next_observation": ramp(0.0, 1.0, 0, 100), "self_localisation": stage(0.2, 50, 900)}
    given = Development(
        {"self_localisation": stage(4.0, 0, 500), "reward": ramp(0.0, 1.0, 0, 900)},
        {"core": critical_period(100, 800)},
    )
    costs = [ExtrinsicReward(), Value(), NextObservation(weight=own["next_observation"]),
             SelfLocalisation(weight=own["self_localisation"])]  # fmt: skip
    alone, both = fade_to_reward(costs, 500, 600), fade_to_reward(costs, 500, 600, given)
    assert alone.plasticity == {}
    assert both.plasticity == given.plasticity
    assert both.weights["reward"] == given.weights["reward"]
    assert alone.weights.keys() == own.keys()
    for fading, before in (
        (alone, own),
        (both, {**own, "self_localisation": given.weights["self_localisation"]}),
    ):
        for name, schedule in before.items():
            faded, last = fading.weights[name], schedule.at(500)
            assert [faded.at(age) for age in range(500)] == [schedule.at(a) for a in range(500)]
            assert [faded.at(age) for age in (500, 550, 600, 999)] == [last, last / 2, 0.0, 0.0]
    assert both.weights["self_localisation"].at(499) == 4.0  # and has jumped to nothing at 500
    waits = Development({"self_localisation": once(Trigger(), 0.0, 1.0)})
    with pytest.raises(ValueError, match="no time of its own to fade: replay a run's log first"):
        fade_to_reward(costs, 500, 600, waits)


COSTS = [ExtrinsicReward(), NextObservation(), SelfLocalisation()]
STEP = 128


def small(**settings: Any) -> Agent:
    settings = {"n_envs": 8, "n_steps": 16, "n_epochs": 1, "n_minibatches": 2, **settings}
    return Agent("path_integration", "motley/DarkHome-v0", COSTS, seed=1, budget=None, width=8,
                 final_rate=1.0, env_kwargs={"level": 0}, **settings)  # fmt: skip


def numbers(agent: Agent, area: str) -> np.ndarray:
    """Weights of an area and Adam's moments of them."""
    state = agent.policy.optimizer.state
    parameters = agent.learner.area_parameters[area]
    moments = [x for p in parameters if p in state for _, x in sorted(state[p].items())]
    whole = torch.cat([x.detach().flatten().float() for x in (*parameters, *moments)])
    return whole.numpy().copy()


def test_a_shut_area_stays_bit_for_bit_and_learns_again_when_it_opens() -> None:
    shut, again = 2 * STEP, 5 * STEP
    gate = ((0, 1.0), (shut, 1.0), (shut, 0.0), (again, 0.0), (again, 1.0))
    agent = small(development=Development(plasticity={"core": Schedule(gate)}))
    before = {area: numbers(agent, area) for area in ("core", "encoder")}
    for update in range(7):
        agent.learn(STEP, reset_num_timesteps=False)
        after = {area: numbers(agent, area) for area in before}
        changed = {a: not np.array_equal(before[a], after[a]) for a in before}
        is_open = not 2 <= update < 5
        assert changed == {"core": is_open, "encoder": True}
        facts = agent.diagnostics()
        assert facts["plasticity/core"] == float(is_open)
        assert facts["plasticity/encoder"] == 1.0
        before = after


def test_half_a_gate_is_half_a_step() -> None:
    def moved(gate: float) -> np.ndarray:
        agent = small(n_minibatches=1, development={"plasticity": {"core": gate}})
        before = agent.learner.area_parameters["core"][0].detach().clone()
        agent.learn(STEP)
        return (agent.learner.area_parameters["core"][0].detach() - before).numpy()

    np.testing.assert_allclose(moved(0.5), 0.5 * moved(1.0), rtol=2e-2, atol=1e-6)


WAITING = Development(
    {
        "next_observation": once(Trigger("return", -1.0, episodes=8), 0.0, 2.0, within=3 * STEP),
        "self_localisation": ramp(1.0, 0.0, STEP, 4 * STEP),
    },
    {"core": once(Trigger("return", -1.0, episodes=12), 1.0, 0.25)},
)


def lived(development: Development, n_updates: int) -> tuple[Agent, dict[str, list[float]]]:
    agent, log = small(development=development), dict[str, list[float]]()
    for _ in range(n_updates):
        agent.learn(STEP, reset_num_timesteps=False)
        facts = agent.diagnostics() | {"steps": agent.num_timesteps}
        for name, value in facts.items():
            log.setdefault(name, []).append(value)
    return agent, log


def test_a_log_replays_to_the_same_weights() -> None:
    agent, log = lived(WAITING, 10)
    weights = log["weight/next_observation"]
    assert weights[0] == 0.0 < weights[-1]
    assert log["plasticity/core"][0] == 1.0 > log["plasticity/core"][-1] == 0.25
    assert set(agent.learner.competence.fired) == WAITING.triggers
    replayed = Development.replayed(log)
    assert not replayed.triggers
    again, second = lived(replayed, 10)
    for name, column in log.items():
        if name.startswith(("weight/", "plasticity/")):
            assert second[name] == column
    for area in agent.blueprint:
        assert np.array_equal(numbers(agent, area), numbers(again, area))


def test_competence_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    whole, _ = lived(WAITING, 9)
    half, _ = lived(WAITING, 4)
    half.checkpoint(tmp_path / "half.zip")
    resumed = small(development=WAITING)
    resumed.restore(tmp_path / "half.zip")
    assert resumed.learner.competence.ended == half.learner.competence.ended
    resumed.learn(5 * STEP, reset_num_timesteps=False)
    assert resumed.learner.competence.fired == whole.learner.competence.fired
    for area in whole.blueprint:
        assert np.array_equal(numbers(whole, area), numbers(resumed, area))
    loaded = Agent.load(_saved(whole, tmp_path))
    assert loaded.learner.weights(9 * STEP) == whole.learner.weights(9 * STEP)
    with pytest.raises(ValueError, match="another development"):
        small().restore(tmp_path / "half.zip")


def _saved(agent: Agent, folder: Path) -> Path:
    agent.save(folder / "whole.zip")
    return folder / "whole.zip"


def test_a_faded_cost_is_as_if_left_out_from_then_on() -> None:
    """Once faded, an update gives what it gives without the cost, from the same weights."""
    plain = small(development={"weights": {"next_observation": 0, "self_localisation": 0}})
    without = Agent("path_integration", "motley/DarkHome-v0", "reward", seed=1, budget=None,
                    width=8, final_rate=1.0, env_kwargs={"level": 0}, n_envs=8, n_steps=16,
                    n_epochs=1, n_minibatches=2)  # fmt: skip
    for agent in (plain, without):
        agent.learn(3 * STEP)
    for area in plain.blueprint:
        assert np.array_equal(numbers(plain, area), numbers(without, area))


def test_a_run_names_its_routing_and_what_becomes_of_time() -> None:
    staged = {"weights": {"next_observation": [[0, 1], [500, 1], [500, 0]]}}
    settings = {"development": staged, "n_steps": 16, "budget": None, "width": 8}
    config = RunConfig(steps=1000, n_envs=4, time="reversed", routing="global", agent=settings)
    check(config)
    agent = build_agent(config)
    weights = [agent.learner.weights(age)["next_observation"] for age in (0, 499, 501, 999)]
    assert weights == [0.0, 0.0, 1.0, 1.0]
    assert set(agent.learner.routes.values()) == {frozenset(agent.blueprint)}
    with pytest.raises(ConfigError, match="unknown routing 'other'"):
        check(replace(config, routing="other"))
    with pytest.raises(ConfigError, match="unknown time 'other'"):
        check(replace(config, time="other"))
    with pytest.raises(ConfigError, match="--time reversed changes a development"):
        check(replace(config, agent={}))
