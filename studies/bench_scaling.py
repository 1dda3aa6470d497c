"""Two processes on two cores beside one: what the batches of worlds share slows them down."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import cast

import gymnasium as gym

import motley.envs  # noqa: F401  registers the tasks
from motley.studies.bench_cases import BATCH, Case

TASK = "DarkHome"


def scaling_cases(quick: bool = False) -> list[Case]:
    """One and two processes, each with a batch of worlds on a core of its own.

    Without two cores to keep to, there is nothing to compare: no cases. The processes end when the
    cases are dropped, or with this process, however it ends.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        return []
    calls = 40 if quick else 1_000
    # The first and the last: neighbours may be two threads of one core.
    workers = [_worker(core) for core in (cores[0], cores[-1])]
    return [
        Case(
            f"scaling/{TASK}/{count}",
            f"{TASK}, {BATCH:,} worlds in each of {count} process{'es' if count > 1 else ''}",
            "a core each",
            count * calls * BATCH,
            _together(workers[:count], calls),
        )
        for count in (1, 2)
    ]


def _together(workers: list[Connection], calls: int) -> Callable[[], object]:
    def run() -> None:
        for worker in workers:
            worker.send(calls)
        waiting = list(workers)
        while waiting:
            for worker in cast(list[Connection], wait(waiting)):
                worker.recv()
                waiting.remove(worker)

    return run


def _worker(core: int) -> Connection:
    """Start a process that ends when its line is closed; returns the line."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    spawn.Process(
        target=_step, name=f"scaling on core {core}", args=(there, core), daemon=True
    ).start()
    there.close()
    here.recv()
    return here


def _step(line: Connection, core: int) -> None:
    """Take as many steps as the line says, again and again, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is for the process that asks
    os.sched_setaffinity(0, {core})
    env = gym.make_vec(f"motley/{TASK}-v0", num_envs=BATCH, vectorization_mode="vector_entry_point")
    env.action_space.seed(core)
    actions = [env.action_space.sample() for _ in range(40)]
    env.reset(seed=core)
    with suppress(EOFError, OSError):
        line.send("ready")
        while True:
            for call in range(line.recv()):
                env.step(actions[call % len(actions)])
            line.send("done")
