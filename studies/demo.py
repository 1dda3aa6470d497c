"""The demonstration: two arms with equally many parameters learn one task, side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from motley.studies.config import RunConfig, import_plugins
from motley.studies.folder import FolderError, last_row
from motley.studies.notices import fail, in_words, plain_warnings
from motley.studies.run import InterruptedRunError, mismatch, run

ARMS = {"matched": ("matched", "heterogeneous"), "uniform": ("uniform", "reward")}
"""Arm -> structure and costs."""
REFUSED = 2
"""Exit code of a process whose arm cannot be trained, and which has said why."""


def configs(steps: int, seed: int) -> dict[str, RunConfig]:
    """The runs, by arm."""
    return {
        arm: RunConfig("DarkHome", structure=structure, costs=costs, steps=steps, seed=seed)
        for arm, (structure, costs) in ARMS.items()
    }


def train(
    runs: Mapping[str, RunConfig],
    out: Path,
    on_look: Callable[[dict[str, tuple[float, float]]], None],
    flag: str = "--runs",
) -> None:
    """Train the arms at once, as many as there are cores; each goes on where it was stopped.

    Args:
        runs: configuration by arm; an arm's run folder is ``out / arm``.
        out: the folder of all.
        on_look: called twice a second with the steps and the newest score01 of each arm.
        flag: of the command, by which another folder is given.

    Raises:
        KeyboardInterrupt: ctrl-C, when the arms have saved.
        FolderError: a run folder was begun with something else, before any is trained; or an arm
            failed.
    """
    refuse_other_runs(runs, out, flag)
    context = _context()
    waiting = {arm: context.Process(target=_arm, args=(runs[arm], out / arm)) for arm in runs}
    going: dict[str, BaseProcess] = {}
    try:
        while waiting or going:
            while waiting and len(going) < cores():
                arm = next(iter(waiting))
                going[arm] = waiting.pop(arm)
                _start(going[arm])
            time.sleep(0.5)
            ended = [arm for arm, process in going.items() if not process.is_alive()]
            on_look({arm: look(out / arm) for arm in runs})  # after: so the last row is seen
            for arm in ended:
                code = going.pop(arm).exitcode
                if code == 130:
                    raise KeyboardInterrupt
                if code == REFUSED:
                    raise FolderError(f"the arm {arm} cannot be trained, as told above")
                if code:
                    raise FolderError(
                        f"the arm {arm} ended with code {code}; see it alone: "
                        f"motley train --resume --out {out / arm}"
                    )
    finally:
        for process in going.values():
            while process.is_alive():  # asked again and again, since it may have been starting
                assert process.pid is not None
                os.kill(process.pid, signal.SIGINT)
                process.join(0.5)


def refuse_other_runs(runs: Mapping[str, RunConfig], out: Path, flag: str) -> None:
    """Refuse run folders that were begun with something else, all of them at once.

    Args:
        runs: as :func:`train` takes them.
        out: the folder of all.
        flag: of the command, by which another folder is given.

    Raises:
        FolderError: names the first of them, and what differs.
    """
    begun = {arm: config for arm, config in runs.items() if (out / arm / "config.json").exists()}
    found = [why for arm, config in begun.items() if (why := mismatch(config, out / arm))]
    if found:
        more = len(found) - 1
        others = f"; the same holds of {more} more below {out}" if more else ""
        which = f"all {more + 1}" if more else "that one"
        raise FolderError(f"{found[0]}{others}: give {flag} another folder, or delete {which}")


def _context() -> ForkServerContext | SpawnContext:
    """How processes begin: on Linux from one that has imported everything, in no time.

    It has imported and computed nothing yet, so that a fork of it is whole.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _start(process: BaseProcess) -> None:
    """Start an arm deaf to ctrl-C until its run listens, so that no import is torn up."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)


def look(folder: Path) -> tuple[float, float]:
    """Steps so far and the newest score01 of a run under way; 0 and NaN before the first row."""
    steps = last_row(folder / "progress.csv").get("steps", 0.0)
    return steps, last_row(folder / "eval.csv").get("score01", float("nan"))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _arm(config: RunConfig, out: Path) -> None:
    """Train one arm in a process of its own, which ends when its parent does."""
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        import_plugins(config.imports)
        with plain_warnings():
            run(config, out, resume=True)
    except InterruptedRunError:
        raise SystemExit(130) from None
    except Exception as error:
        if (text := in_words(error)) is None:
            raise  # a fault of ours, or of a library's
        raise SystemExit(fail(text, REFUSED)) from None


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # killed: what is not in a checkpoint is learnt anew
