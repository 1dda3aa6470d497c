"""What training reports: to whoever asks for diagnostics, and to SB3's logger."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import HumanOutputFormat, Logger
from stable_baselines3.common.utils import safe_mean

from motley.costs.development import Competence

if TYPE_CHECKING:
    from motley.agents.agent import Agent

ENDS = {"return": "episode", "score01": "score01", "success": "is_success"}
"""What is noted of an episode's end, and the key of ``info`` that tells it."""


class Diary:
    """Episodes that ended since the last look, and the newest measurements of the update.

    Attributes:
        ended: one number an episode, by name.
        facts: ``cost/``, ``value/``, ``grad/`` and PPO's own, each of the newest update that
            measured it.
    """

    def __init__(self) -> None:
        self.ended: dict[str, list[float]] = {name: [] for name in ENDS}
        self.facts: dict[str, float] = {}

    def note_ends(
        self,
        infos: Sequence[Mapping[str, Any]],
        dones: npt.NDArray[np.bool_],
        competence: Competence,
    ) -> None:
        """Note the episodes that ended in this step, ``dones`` (worlds,), also as competence."""
        for info in compress(infos, dones):
            for name, key in ENDS.items():
                if key in info:
                    value = info[key]
                    result = float(value["r"] if key == "episode" else value)
                    self.ended[name].append(result)
                    competence.note(name, result)

    def take(self) -> dict[str, float]:
        """Return means over the episodes since the last call (NaN: none ended), and the facts."""
        means = {
            name: float(np.mean(values)) if values else float("nan")
            for name, values in self.ended.items()
        }
        for values in self.ended.values():
            values.clear()
        return means | self.facts


def record(agent: Agent, facts: Mapping[str, float], dump: bool) -> None:
    """Give an update's facts to SB3's logger.

    Args:
        agent: whose logger.
        facts: names without a slash go under ``train/``.
        dump: write the table out now, with SB3's usual rows of time and episodes.
    """
    logger = agent.logger
    for name, value in facts.items():
        kind = "" if "/" in name else "train/"
        logger.record(f"{kind}{name}", value)
    logger.record("train/learning_rate", agent.policy.optimizer.param_groups[0]["lr"])
    logger.record("train/n_updates", agent.n_updates, exclude="tensorboard")
    if not dump:
        return
    elapsed = max((time.time_ns() - agent.start_time) / 1e9, sys.float_info.epsilon)
    steps = agent.num_timesteps - agent._num_timesteps_at_start
    logger.record("time/fps", int(steps / elapsed))
    logger.record("time/total_timesteps", agent.num_timesteps, exclude="tensorboard")
    if agent.ep_info_buffer:
        for key, name in (("r", "ep_rew_mean"), ("l", "ep_len_mean")):
            mean = safe_mean([info[key] for info in agent.ep_info_buffer])
            logger.record(f"rollout/{name}", mean)
    if agent.ep_success_buffer:
        logger.record("rollout/success_rate", safe_mean(agent.ep_success_buffer))
    logger.dump(step=agent.num_timesteps)


@contextmanager
def without_folder(model: BaseAlgorithm) -> Iterator[None]:
    """Let a model that logs to no file learn without SB3's empty folder in the temporary directory.

    SB3 makes such a folder at each call of ``learn``, even where nothing is logged.
    """
    given = model._custom_logger
    if not given and model.tensorboard_log is None:
        shown = [HumanOutputFormat(sys.stdout)] if model.verbose else []
        model.set_logger(Logger(None, [*shown]))
    try:
        yield
    finally:
        model._custom_logger = given  # `verbose` and `tensorboard_log` may still be changed
