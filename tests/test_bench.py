"""`motley bench`: what it measures, what it records, what it refuses."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from motley.envs import TASKS
from motley.scripts.bench import Bench, main
from motley.studies import bench, bench_cases
from motley.studies.bench import Bar, Result
from motley.studies.bench_cases import Case

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
    assert bench.ratio(ours, peer) == 2.0


def test_verdicts_speak_of_what_was_measured_only() -> None:
    results = [
        result("envs/DarkHome/single", 0.02),  # 50,000 steps/s
        result("envs/DarkHome/vector", 0.01),  # 100,000
        result("training/DarkHome/motley", 1.0),
        result("training/DarkHome/PPO", 0.5),
    ]
    found = bench.verdicts(results, ("DarkHome", "CacheRecall"))
    assert [(v.bar.key, v.bar.peer, v.reached) for v in found] == [
        ("envs/DarkHome/single", None, True),
        ("envs/DarkHome/vector", None, False),
        ("training/DarkHome/motley", "training/DarkHome/PPO", True),
    ]
    assert found[2].measured == 0.5


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
    results = [result("training/DarkHome/motley", 1.0), result("training/DarkHome/PPO", 0.5)]
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
    results = [result("training/DarkHome/motley", 1.0), result("training/DarkHome/PPO", 0.1)]
    (verdict,) = bench.verdicts(results, ())
    assert verdict.bar == Bar("training/DarkHome/motley", 0.35, "training/DarkHome/PPO")
    data = bench.record(results, [verdict], bench.machine(None))
    assert "0.1 (missed)" in bench.markdown(data)


@pytest.mark.parametrize(
    "args",
    [
        Bench(write_docs=True, quick=True),
        Bench(write_docs=True, rounds=3),
        Bench(write_docs=True, suites=("envs",)),
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
    learners = []
    whole = bench_cases._learning

    def keep(key: str, title: str, learner: object, rollouts: int) -> Case:
        learners.append(learner)
        return whole(key, title, learner, rollouts)

    monkeypatch.setattr(bench_cases, "_learning", keep)
    cases = bench_cases.training_cases(quick=True)
    ours, default, shared, forward = learners
    for one, learner in zip(cases, learners, strict=True):
        one.run()
        one.run()
        assert learner.num_timesteps == 2 * one.steps  # type: ignore[attr-defined]
    # Equal parameters, to 2%; equal minibatches and epochs.
    near = bench_cases.parameters(shared) / bench_cases.parameters(ours)  # type: ignore[arg-type]
    assert abs(near - 1) < 0.02
    for learner in (default, shared, forward):
        assert learner.batch_size * bench_cases.N_MINIBATCHES == bench_cases.N_ENVS * 16  # type: ignore[attr-defined]
        assert learner.n_epochs == bench_cases.N_EPOCHS  # type: ignore[attr-defined]
    weights = [p.detach().numpy().copy() for p in forward.policy.parameters()]  # type: ignore[attr-defined]
    assert all(np.isfinite(w).all() for w in weights)


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
