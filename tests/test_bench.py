"""`motley bench`: what it measures, what it records, what it refuses."""

import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motley.agents import Agent
from motley.envs import TASKS
from motley.scripts.bench import main
from motley.scripts.flags import Bench
from motley.studies import bench, bench_cases
from motley.studies.bench import Bar, Result
from motley.studies.bench_cases import Case
from motley.studies.bench_roof import Roof, experience

# A task's speed can be timed before its score is calibrated.
pytestmark = pytest.mark.filterwarnings("ignore:.* has no calibration")


def case(key: str, run: object = None, steps: int = 10) -> Case:
    return Case(key, key.title(), "", steps, lambda: None if run is None else run())  # type: ignore[operator]


def result(key: str, *seconds: float, steps: int = 1_000) -> Result:
    return Result(key, key.title(), "", steps, seconds, seconds)


def test_rounds_are_interleaved_after_one_warm_up() -> None:
    calls: list[str] = []
    cases = [case(name, lambda name=name: calls.append(name)) for name in "ab"]
    results = bench.measure(cases, rounds=3)
    assert calls == list("abababab")
    assert [len(r.wall_s) for r in results] == [3, 3]


def test_rate_is_steps_over_wall_time() -> None:
    (slow,) = bench.measure([case("a", lambda: time.sleep(0.05), steps=100)], rounds=2)
    assert 1_000 < slow.median <= 2_000
    assert slow.cpu_share < bench.ENOUGH_CPU  # asleep is not computing


def test_measure_refuses_no_rounds_and_a_double_key() -> None:
    with pytest.raises(ValueError, match="at least one round, not 0"):
        bench.measure([case("a")], rounds=0)
    with pytest.raises(ValueError, match="share a key"):
        bench.measure([case("a"), case("a")], rounds=1)


def test_ratio_is_taken_round_by_round() -> None:
    # A spell in which everything is ten times slower leaves the ratio alone.
    ours, peer = result("a", 1.0, 10.0, 1.0), result("b", 2.0, 20.0, 2.0)
    assert Bar("a", None, "b").measured({"a": ours, "b": peer}) == [2.0, 2.0, 2.0]


def test_verdicts_speak_of_what_was_measured_only() -> None:
    results = [
        result("envs/DarkHome/single", 0.02),  # 50,000 steps/s
        result("envs/DarkHome/vector", 0.01),  # 100,000
        result("training/64x128/motley", 1.0),
        result("training/64x128/PPO", 0.5),
    ]
    found = bench.verdicts(results, ("DarkHome", "CacheRecall"))
    assert [(v.bar.key, v.bar.peer, v.reached) for v in found] == [
        ("envs/DarkHome/single", None, True),
        ("envs/DarkHome/vector", None, False),
        ("training/64x128/motley", "training/64x128/PPO", True),
    ]
    assert found[2].measured == 0.5


def test_the_median_of_the_tasks_is_taken_round_by_round() -> None:
    seconds = {"A": (1.0, 4.0), "B": (2.0, 1.0), "C": (4.0, 2.0)}
    results = [result(f"envs/{task}/vector", *each) for task, each in seconds.items()]
    [found] = bench.middle(results, tuple(seconds))
    assert found.rates == [500.0, 500.0]
    [verdict] = bench.verdicts([found], ())
    assert (verdict.bar.bound, verdict.measured, verdict.reached) == (800_000, 500, False)
    assert not bench.middle(results, ("A", "D"))  # not all were measured
    assert not bench.middle([], ())


def test_a_ratio_that_nothing_is_asked_of_is_told() -> None:
    results = [result("update/five/motley", 2.0, 4.0), result("update/reward/motley", 1.0, 1.0)]
    (verdict,) = bench.verdicts(results, ())
    assert verdict.reached is None
    data = bench.record(results, [verdict], bench.machine(None))
    assert "| none | 0.375 | 0.25 to 0.5 |" in bench.markdown(data)


def test_the_kernels_share_of_a_batch_is_told() -> None:
    def result(door: str, wall: tuple[float, ...]) -> Result:
        return Result(f"envs/DarkHome/{door}", door, "", 1_000, wall, wall)

    both = [result("vector", (4.0, 2.0, 1.0)), result("kernels", (0.5, 0.5, 9.0))]
    where = bench.machine(None)
    assert "| DarkHome | 25% |" in bench.markdown(bench.record(both, [], where))
    for part in both:
        assert "in the kernels" not in bench.markdown(bench.record([part], [], where))


def test_one_core_is_one_thread_and_is_given_back() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    try:
        with bench.one_core() as core:
            assert torch.get_num_threads() == 1
            if before is not None:
                assert os.sched_getaffinity(0) == {core}
        assert torch.get_num_threads() == 2
        assert before is None or os.sched_getaffinity(0) == before
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("number", "text"),
    [(1_234_567, "1,230,000"), (40_049, "40,000"), (123.4, "123"), (8.456, "8.46"), (0.35, "0.35")],
)
def test_three_digits(number: float, text: str) -> None:
    assert bench.digits(number) == text


def test_docs_tables_replace_the_old_ones(tmp_path: Path) -> None:
    results = [result("training/64x128/motley", 1.0), result("training/64x128/PPO", 0.5)]
    data = bench.record(results, bench.verdicts(results, ()), bench.machine(None))
    page = tmp_path / "page.md"
    page.write_text(f"# Speed\n\n{bench.BEGIN}\nold\n{bench.END}\n\nafter\n")
    bench.write_docs(data, page)
    once = page.read_text()
    assert "old" not in once
    assert once.startswith("# Speed")
    assert once.endswith("after\n")
    assert "| 1,000 |" in once
    bench.write_docs(data, page)
    assert page.read_text() == once
    page.write_text("# Speed\n")
    with pytest.raises(ValueError, match="needs one line"):
        bench.write_docs(data, page)


def test_a_missed_bar_is_marked() -> None:
    results = [result("training/64x128/motley", 1.0), result("training/64x128/PPO", 0.1)]
    (verdict,) = bench.verdicts(results, ())
    assert verdict.bar == Bar("training/64x128/motley", 0.35, "training/64x128/PPO")
    data = bench.record(results, [verdict], bench.machine(None))
    assert "0.1 (missed)" in bench.markdown(data)


@pytest.mark.parametrize(
    "args",
    [
        Bench(write_docs=True, quick=True),
        Bench(write_docs=True, rounds=3),
        Bench(write_docs=True, suites=("envs", "training")),
    ],
)
def test_docs_take_no_figures_that_are_not_to_be_quoted(args: Bench) -> None:
    with pytest.raises(ValueError, match="--write-docs needs"):
        main(args)


def test_every_registered_task_is_timed_through_every_door() -> None:
    cases = {c.key: c for c in bench_cases.env_cases(quick=True)}
    for task in TASKS:
        for door in ("single", "vector", "sb3", "kernels"):
            assert f"envs/{task}/{door}" in cases
    for one in cases.values():
        one.run()


def test_learners_take_the_steps_that_they_are_credited_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learners = {}
    whole = bench_cases._learning

    def keep(key: str, title: str, learner: Any, rollouts: int, one_dnn: bool = True) -> Case:
        learners[key] = learner
        return whole(key, title, learner, rollouts, one_dnn)

    monkeypatch.setattr(bench_cases, "_learning", keep)
    cases = bench_cases.training_cases(quick=True)
    for one in cases:
        one.run()
        if one.key in learners:
            assert learners[one.key].num_timesteps == one.steps
    # Equal parameters, to 2%; equal minibatches and epochs.
    for key in ("training/64x16", "training/64x8", "training/256x4"):
        ours, shared = learners[f"{key}/motley"], learners[f"{key}/shared"]
        assert abs(bench_cases.parameters(shared) / bench_cases.parameters(ours) - 1) < 0.02
        for peer in ("RecurrentPPO", "shared", "shared-plain", "PPO"):
            learner = learners[f"{key}/{peer}"]
            assert learner.batch_size * bench_cases.N_MINIBATCHES == ours.n_envs * ours.n_steps
            assert learner.n_epochs == bench_cases.N_EPOCHS
    ours, peer = (learners[f"training/64x16-256/{name}"] for name in ("motley", "PPO"))
    assert bench_cases.parameters(ours) == bench_cases.parameters(peer)
    assert ours.n_envs * ours.n_steps / ours.settings.n_minibatches == peer.batch_size == 256
    weights = [p.detach().numpy() for p in peer.policy.parameters()]
    assert all(np.isfinite(w).all() for w in weights)


def test_the_roof_computes_what_the_agent_does() -> None:
    agent = Agent("uniform", bench_cases.worlds(8), "reward", n_steps=16, budget=None, width=8)
    batch = experience(agent)
    roof = Roof(agent, batch)
    learner = agent.learner
    losses, _ = learner.losses(batch, learner.weights(0), agent.clip_range)
    learner.route(losses)
    torch.autograd.backward(roof.loss(torch.arange(8)))
    pairs = {
        "areas.core.recurrent.weight": roof.recurrent.weight,
        "areas.encoder.layer0.weight": roof.encoder.weight,
        "areas.actor.log_std": roof.log_std,
    }
    for name, bare in pairs.items():
        ours = agent.brain.get_parameter(name)
        torch.testing.assert_close(ours.grad, bare.grad, atol=1e-6, rtol=1e-4)


def test_time_beyond_the_worlds_own_is_bounded_from_above() -> None:
    results = [result("rollout/motley", 0.3), result("rollout/worlds", 0.1)]
    (verdict,) = bench.verdicts(results, ())
    assert verdict.measured == pytest.approx(1e6 * 64 * (0.3 - 0.1) / 1_000)
    assert not verdict.reached
    data = bench.record(results, [verdict], bench.machine(None))
    assert "| at most 200 | 12,800 (missed) |" in bench.markdown(data)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores cannot be kept to")
def test_two_processes_take_twice_the_steps(tmp_path: Path) -> None:
    main(Bench(suites=("scaling",), rounds=1, quick=True, out=tmp_path))
    rows = json.loads((tmp_path / "bench.json").read_text())["results"]
    if len(os.sched_getaffinity(0)) > 1:
        assert [row["steps"] for row in rows] == [40 * 1_024, 2 * 40 * 1_024]
    else:
        assert not rows
    workers = [p for p in multiprocessing.active_children() if p.name.startswith("scaling")]
    for worker in workers:  # none is left over
        worker.join(20)
    assert not any(worker.is_alive() for worker in workers)


def test_command_writes_every_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(Bench(suites=("envs",), rounds=2, quick=True, out=tmp_path))
    data = json.loads((tmp_path / "bench.json").read_text())
    assert data["format_version"] == bench.FORMAT_VERSION
    assert data["machine"]["versions"]["gymnasium"]
    rows = {row["key"]: row for row in data["results"]}
    row = rows["envs/DarkHome/single"]
    assert len(row["rates"]) == 2
    assert row["min"] <= row["median"] <= row["max"]
    assert {bar["key"] for bar in data["bars"]} >= {"envs/DarkHome/single", "envs/DarkHome/vector"}
    assert "DarkHome, one world" in " ".join(capsys.readouterr().out.split())


def test_a_missing_peer_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no_such_peer.*motley-rl\[bench\]"):
        bench_cases.peer("no_such_peer")
