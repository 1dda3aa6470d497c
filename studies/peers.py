"""Peers: others' algorithms on our tasks, as the bar that our agents have to beat.

A peer's run folder has the same tables as ours. It has no checkpoints, since SB3 saves neither its
random numbers nor its worlds: a run that was killed begins anew.
"""

from __future__ import annotations

import importlib
import inspect
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.preprocessing import is_image_space
from torch.backends import mkldnn

from motley.agents.diary import without_folder
from motley.studies import versions
from motley.studies.config import (
    TRAINING,
    ConfigError,
    RunConfig,
    build_worlds,
    check_run,
    nearest,
    stream,
)
from motley.studies.evaluate import EVAL, evaluate
from motley.studies.folder import CsvLog, write_json
from motley.studies.listener import Listener


@dataclass(frozen=True)
class Peer:
    """An algorithm of another project.

    Attributes:
        module, name: where its class is. policy: the network's name without the kind of observation
            that it is for.
        extra: what of ours to install for it: ``pip install 'motley-rl[extra]'``; "" is nothing.
        policy_kwargs: settings of the network.
        one_dnn: it learns with oneDNN; see :func:`one_dnn`.
    """

    module: str
    name: str
    policy: str
    extra: str = ""
    policy_kwargs: Mapping[str, Any] = field(default_factory=dict)
    one_dnn: bool = True

    def load(self) -> type[BaseAlgorithm]:
        """Import the class.

        Raises:
            ConfigError: its package is not installed.
        """
        try:
            found: type[BaseAlgorithm] = getattr(importlib.import_module(self.module), self.name)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"{self.name} needs {self.module}: pip install 'motley-rl[{self.extra}]'"
            ) from error
        return found


_SHARED = {"shared_lstm": True, "enable_critic_lstm": False}
PEERS: dict[str, Peer] = {
    "PPO": Peer("stable_baselines3", "PPO", "Policy"),
    "RecurrentPPO": Peer("sb3_contrib", "RecurrentPPO", "LstmPolicy", "bench", one_dnn=False),
    "RecurrentPPO.small": Peer(
        "sb3_contrib",
        "RecurrentPPO",
        "LstmPolicy",
        "bench",
        {"lstm_hidden_size": 64, "net_arch": [64], **_SHARED},
        one_dnn=False,
    ),
}
"""Peers by the name that stands for a structure; ``.small`` has one shared LSTM of 64."""


@contextmanager
def one_dnn(allowed: bool) -> Iterator[None]:
    """Let PyTorch compute with oneDNN, if it may, or not, which changes numbers by rounding only.

    sb3-contrib's LSTM steps one by one through a minibatch that holds episodes' ends, for which
    oneDNN is slow where few worlds are stepped at once (`motley bench` has both).
    """
    switch: Any = mkldnn  # its stubs take a property for its value
    before = switch.enabled
    switch.enabled = before and allowed
    try:
        yield
    finally:
        switch.enabled = before


def check(config: RunConfig) -> None:
    """Refuse what cannot be trained.

    Raises:
        ConfigError: the message names the setting and what would do.
    """
    check_run(config)
    peer = PEERS[config.structure]
    if config.costs != "reward":
        raise ConfigError(f"{config.structure} is trained by reward alone: give --costs reward")
    for name, value in PLAIN.items():
        given = getattr(config, name)
        if given != value:
            raise ConfigError(
                f"{config.structure} is trained as its authors wrote it and has no areas: it takes "
                f"no --{name} {given}; leave it out, or give --{name} {value}"
            )
    known = [n for n in inspect.signature(peer.load().__init__).parameters if n not in GIVEN]
    for name in config.agent:
        if name == "development":
            raise ConfigError(
                f"{config.structure} has neither costs nor areas for a development: leave --set "
                f"development out"
            )
        if name not in known:
            raise ConfigError(nearest("setting", name, known, f"the page of {peer.name}"))


PLAIN = {"routing": "matched", "time": "staged", "credit": "backprop", "until_solved": False}
"""What a peer, which has no areas, does in place of a choice."""
GIVEN = ("self", "policy", "env", "seed", "device", "policy_kwargs", "_init_setup_model")


def build(config: RunConfig) -> BaseAlgorithm:
    """The peer in its training worlds, unlearnt; its defaults but for ``config.agent``."""
    peer, seed = PEERS[config.structure], stream(config, TRAINING)
    worlds = build_worlds(config, config.n_envs, seed, config.ood)
    make: Any = peer.load()
    settings = {"policy_kwargs": dict(peer.policy_kwargs), **config.agent}
    seen = worlds.observation_space
    kind = "Mlp" if not is_image_space(seen) else "Cnn"
    kind = "MultiInput" if isinstance(seen, spaces.Dict) else kind
    model: BaseAlgorithm = make(
        kind + peer.policy, worlds, seed=seed, device=config.device, **settings
    )
    return model


def train(config: RunConfig, out: Path, listeners: Sequence[Listener]) -> None:
    """Train and evaluate into the folder ``out``, from the beginning.

    Args:
        config: what to train on what; :func:`check` has passed it.
        out: the run folder.
        listeners: are told of each row.
    """
    torch.set_num_threads(1)
    model = build(config)
    size = sum(p.numel() for p in model.policy.parameters() if p.requires_grad)
    write_json(out / "versions.json", versions.of_run(config, size))
    write_json(out / "config.json", config.to_json())
    recorder = Recorder(config, out, listeners)
    for listener in listeners:
        listener.started(config, out, 0, size)
    try:
        with without_folder(model), one_dnn(PEERS[config.structure].one_dnn):
            model.learn(config.steps, callback=recorder)
    finally:
        for listener in listeners:
            listener.stopped()
        assert model.env is not None
        model.env.close()
    facts = {"steps": model.num_timesteps, "wall_s": recorder.wall}
    facts |= {"n_parameters": size, "n_epochs": getattr(model, "n_epochs", 1)}
    write_json(out / "done", facts)


class Recorder(BaseCallback):
    """Writes ``progress.csv`` and ``eval.csv`` between two updates.

    Args:
        config: the run's.
        out: the run folder.
        listeners: are told of each row.
    """

    def __init__(self, config: RunConfig, out: Path, listeners: Sequence[Listener]) -> None:
        super().__init__()
        self.config, self.listeners, self.wall = config, listeners, 0.0
        self.progress = CsvLog(
            out / "progress.csv", ("steps", "wall_s", "return", "score01", "success"), -1
        )
        self.eval = CsvLog(out / "eval.csv", EVAL, -1)
        self._ended: list[Mapping[str, Any]] = []
        self._evaluations = 0
        self._since = time.perf_counter()

    def _on_step(self) -> bool:
        self._ended += [info for info in self.locals["infos"] if "episode" in info]
        return True

    def _on_rollout_start(self) -> None:
        self._record(last=False)

    def _on_training_end(self) -> None:
        self._record(last=True)

    def _record(self, last: bool) -> None:
        steps, every = self.num_timesteps, self.config.eval_every
        self.wall += time.perf_counter() - self._since
        if steps > max(self.progress.last, 0):
            ended = self._ended
            row = {
                "steps": steps,
                "wall_s": round(self.wall, 3),
                "return": _mean([info["episode"]["r"] for info in ended]),
                "score01": _mean([info["score01"] for info in ended if "score01" in info]),
                "success": _mean([info["is_success"] for info in ended if "is_success" in info]),
            }
            self.progress.append(row)
            for listener in self.listeners:
                listener.progressed(row)
            self._ended = []
        if steps > self.eval.last and (last or steps // every > self.eval.last // every):
            found = evaluate(self.config, self.model, self._evaluations)
            row = {"steps": steps, **found, "wall_s": round(self.wall, 3)}
            self.eval.append(row)
            for listener in self.listeners:
                listener.evaluated(row)
            self._evaluations += 1
        self._since = time.perf_counter()


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
