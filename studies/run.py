"""One training run and its folder.

A run folder holds ``config.json`` (and with it the format of every file), ``versions.json``,
``progress.csv`` (a row an update), ``eval.csv`` (a row an evaluation), ``model.zip`` (the agent
as last evaluated), ``checkpoints/`` (what going on takes), ``tensorboard/`` and, written last,
``done``. Killed at any instant and run again, it goes on from its last checkpoint and ends with
the same numbers.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure

from motley.agents import Agent, storage
from motley.agents.remarks import remarks
from motley.studies import peers, versions
from motley.studies.config import RunConfig, as_word, build_agent, check, read_config
from motley.studies.evaluate import EVAL, evaluate, undisturbed
from motley.studies.folder import (
    CsvLog,
    FolderError,
    locked,
    read_csv,
    read_json,
    write_json,
)
from motley.studies.listener import Listener
from motley.studies.model import refuse_foreign
from motley.studies.statistics import steps_to_solved

TRIED = 8
"""Worlds at most of the update that is tried out before a run begins."""
PROGRESS = ("steps", "wall_s", "return", "score01", "success")


class _SolvedEarlyError(Exception):
    """The run has solved its task, and was to go on no longer than that."""


class InterruptedRunError(Exception):
    """Ctrl-C: the run stands in a checkpoint."""

    def __init__(self, out: Path, steps: int) -> None:
        super().__init__(
            f"stopped at {steps:,} steps, saved; go on with: motley train --resume --out {out}"
        )


def run(
    config: RunConfig, out: Path, *, resume: bool = False, listeners: Sequence[Listener] = ()
) -> dict[str, float]:
    """Train, evaluating as it goes; returns the last row of eval.csv.

    Args:
        config: what to train on what.
        out: the run folder.
        resume: go on from the folder's last checkpoint; an empty folder begins, a finished run
            returns at once, with its model written anew where that is missing.
        listeners: are told of each row.

    Raises:
        ConfigError: the configuration cannot be.
        ValueError: a cost does not fit the task, or what it gives has the wrong shape.
        FloatingPointError: a cost, or what the environment gives, is not finite.
        FolderError: the folder holds something else, its checkpoint is another run's or broken,
            its evaluations are missing, or another process trains in it.
        InterruptedRunError: ctrl-C was pressed.
    """
    peer = config.structure in peers.PEERS
    (peers.check if peer else check)(config)
    # What cannot be built, or learn, is refused before there is a folder, and a folder before that.
    _check_folder(config, out, resume)
    agent = None if peer or _finished(config, out) else _build(config)
    fresh = agent is not None and not (out / "config.json").exists()
    notes = _try_out(config) if fresh else []
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderError(
            f"{out} cannot be made a folder ({error.strerror}); give another --out"
        ) from error
    with locked(out):
        _check_folder(config, out, resume)  # which another process may have begun meanwhile
        if not _finished(config, out):
            if peer:
                peers.train(config, out, listeners)
            else:
                agent = agent or _build(config)
                _train(agent, config, out, listeners, notes or remarks(agent))
    found = read_csv(out / "eval.csv")
    if not len(found.get("steps", ())):
        raise FolderError(
            f"{out / 'eval.csv'} has no evaluations, though the run is finished: train anew in "
            f"another folder"
        )
    return {name: float(column[-1]) for name, column in found.items()}


def _check_folder(config: RunConfig, out: Path, resume: bool) -> None:
    """Refuse a folder in which this run can neither begin nor go on.

    Raises:
        FolderError: it holds something else, another run, or this one, which is not to go on.
    """
    if not out.is_dir():
        return
    began = (out / "config.json").exists()
    if not began and any(p.name[0] != "." for p in out.iterdir()):
        raise FolderError(f"{out} holds something that is no run; give --out another folder")
    if began and not resume:
        raise FolderError(
            f"{out} holds a run already: go on with --resume, or give --out another folder"
        )
    if began and (why := mismatch(config, out)):
        raise FolderError(f"{why}; give --out another folder{_or_go_on(config, out)}")


def _finished(config: RunConfig, out: Path) -> bool:
    """Whether there is nothing left to do.

    A missing or broken model can be written anew where there is a checkpoint; of a peer none is
    kept.
    """
    lost = not is_zipfile(out / "model.zip") and (out / "checkpoint.json").exists()
    return (out / "done").exists() and (config.structure in peers.PEERS or not lost)


def _words(name: str, value: Any) -> str:
    """Return a setting of a configuration as it is given in a command, where it can be."""
    if name != "variant":
        return repr(value)
    return ", ".join(as_word(*each) for each in (value or {}).items()) or "the usual one"


def _differing(config: RunConfig, out: Path) -> dict[str, str]:
    """Return what a setting was and is now, by its name, where it is another than the folder's."""
    old, new = read_config(out), config.to_json()
    return {
        k: f"{k} was {_words(k, old.get(k))}, is now {_words(k, new.get(k))}"
        for k in dict.fromkeys((*new, *old))
        if k != "imports" and old.get(k) != new.get(k)
    }


def _or_go_on(config: RunConfig, out: Path) -> str:
    """Return what to leave out so that the run in ``out`` goes on; "" where it cannot."""
    found = _differing(config, out)
    if not found:
        return ""
    flags = " and ".join("--set" if k == "agent" else f"--{k.replace('_', '-')}" for k in found)
    why = "its learning rate falls over all of its steps, so that it cannot be made longer"
    return f", or go on as it was begun, without {flags}" + (f": {why}" if "steps" in found else "")


def mismatch(config: RunConfig, out: Path) -> str:
    """Return why the run in ``out`` is not this configuration's; "" where it is.

    Raises:
        FolderError: there is none that can be read.
    """
    if differing := _differing(config, out):
        told = "; ".join(differing.values())
        return f"{out} was begun with another configuration ({told})"
    facts = read_json(out / "versions.json")
    then = facts.get("task_hash") or facts.get("environment")
    now = config.task_hash or versions.environment(config.task)
    if then == now:
        return ""
    if then is None:
        return f"{out} was begun by an older Motley, which did not note the code of {config.task}"
    return (
        f"{out} was begun with another version of the task {config.task} ({then}, now it is "
        f"{now}), so that scores would not compare"
    )


def _build(config: RunConfig) -> Agent:
    torch.set_num_threads(1)  # two threads on a busy machine are many times slower than one
    return build_agent(config)


def _try_out(config: RunConfig) -> list[str]:
    """Take an update of a throw-away agent in a few worlds of its own, which disturbs nothing.

    So a cost that cannot be computed fails here, by the error that the run would end with.
    Returns what is to be remarked of the agent, and shows in an update.
    """
    settings = {**config.agent, "n_epochs": 1, "n_minibatches": 1}
    with undisturbed():
        agent = _build(replace(config, n_envs=min(config.n_envs, TRIED), agent=settings))
        agent.learn(agent.n_steps * agent.n_envs)
        assert agent.env is not None
        agent.env.close()
    return remarks(agent)


def _train(
    agent: Agent,
    config: RunConfig,
    out: Path,
    listeners: Sequence[Listener],
    notes: Sequence[str],
) -> None:
    if not (out / "config.json").exists():
        write_json(out / "versions.json", versions.of_run(config, agent.n_parameters))
        write_json(out / "config.json", config.to_json())
    wall = 0.0
    if (out / "checkpoint.json").exists():
        saved = read_json(out / "checkpoint.json")
        try:
            refuse_foreign(config, out, out / saved["file"])
            agent.restore(out / saved["file"])
        except (storage.BrokenFileError, FileNotFoundError) as error:
            raise FolderError(f"{error}: train anew in another folder") from error
        wall = saved["wall_s"]
    agent.set_logger(configure(str(out / "tensorboard"), ["tensorboard"]))
    for listener in listeners:
        listener.started(config, out, agent.num_timesteps, agent.n_parameters)
        for text in notes:
            listener.remarked(text)
    try:
        with _polite_interrupt() as asked, suppress(_SolvedEarlyError):
            recorder = Recorder(config, out, wall, listeners, asked)
            agent.learn(
                max(config.steps - agent.num_timesteps, 0),
                callback=recorder,
                reset_num_timesteps=False,
            )
    finally:
        for listener in listeners:
            listener.stopped()
        agent.logger.close()
        assert agent.env is not None
        agent.env.close()
    write_json(out / "done", {"steps": agent.num_timesteps, "wall_s": recorder.wall})


class Recorder(BaseCallback):
    """Writes the run folder, always between two updates, where nothing is half done.

    Args:
        config: the run's.
        out: the run folder.
        wall: seconds of training before this process.
        listeners: are told of each row.
        asked: set when the run is to stop.
    """

    def __init__(
        self,
        config: RunConfig,
        out: Path,
        wall: float,
        listeners: Sequence[Listener],
        asked: threading.Event,
    ) -> None:
        super().__init__()
        self.config, self.out, self.wall = config, out, wall
        self.listeners, self.asked = listeners, asked
        self._since: float | None = None

    def _on_training_start(self) -> None:
        steps = self.model.num_timesteps if self.model.num_timesteps else -1
        self.progress = CsvLog(self.out / "progress.csv", PROGRESS, steps)
        self.eval = CsvLog(self.out / "eval.csv", EVAL, steps)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self._record(last=False)
        self._since = time.perf_counter()

    def _on_training_end(self) -> None:
        self._record(last=True)

    def _record(self, last: bool) -> None:
        agent, steps = self.model, self.model.num_timesteps
        assert isinstance(agent, Agent)
        if self._since is not None:  # evaluations and checkpoints are not training time
            self.wall += time.perf_counter() - self._since
        if steps > max(self.progress.last, 0):
            row = {"steps": steps, "wall_s": round(self.wall, 3)} | agent.diagnostics()
            self.progress.append(row)
            for listener in self.listeners:
                listener.progressed(row)
        every = self.config.eval_every
        if steps > self.eval.last and (last or steps // every > self.eval.last // every):
            self._evaluate(agent, steps)
            self._checkpoint(agent, steps)
        elif steps == self.eval.last and not is_zipfile(self.out / "model.zip"):
            agent.save(self.out / "model.zip")  # it was taken away, or cut short
        elif self.asked.is_set():
            self._checkpoint(agent, steps)
        if self.config.until_solved and not last and self._solved():
            raise _SolvedEarlyError
        if self.asked.is_set() and not last:
            raise InterruptedRunError(self.out, steps)

    def _solved(self) -> bool:
        found = read_csv(self.out / "eval.csv")
        return not steps_to_solved(found["steps"], found["score01"]).censored

    def _evaluate(self, agent: Agent, steps: int) -> None:
        agent.save(self.out / "model.zip")
        index = len(read_csv(self.out / "eval.csv")["steps"])
        with undisturbed():
            # Read anew from its file, so that nothing in an evaluation can touch training.
            learnt = Agent.load(self.out / "model.zip", device=self.config.device)
        found = evaluate(self.config, learnt, index)
        row = {"steps": steps, **found, "wall_s": round(self.wall, 3)}
        self.eval.append(row)
        for name, value in found.items():
            agent.logger.record(f"eval/{name}", value)
        agent.logger.dump(steps)
        for listener in self.listeners:
            listener.evaluated(row)

    def _checkpoint(self, agent: Agent, steps: int) -> None:
        folder = self.out / "checkpoints"
        folder.mkdir(exist_ok=True)
        file = folder / f"{steps:012d}.zip"
        agent.checkpoint(file)
        state = {"file": f"checkpoints/{file.name}", "steps": steps, "wall_s": self.wall}
        write_json(self.out / "checkpoint.json", state)
        for old in folder.iterdir():  # the newest is whole now
            if old != file:
                old.unlink()


@contextmanager
def _polite_interrupt() -> Iterator[threading.Event]:
    """Give an event that the first ctrl-C sets; the second one interrupts as usual."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def on_signal(number: int, frame: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
