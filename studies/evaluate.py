"""Evaluation: the same number of episodes from every world, on worlds that never train."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.vec_env import VecEnv

from motley.studies.config import EVALUATION, RunConfig, build_worlds, stream

EVAL = (
    "steps",
    "episodes",
    "score01",
    "score01_sampled",
    "score01_ood",
    "success",
    "return",
    "length",
    "wall_s",
)
"""Columns of eval.csv."""
OTHERS_WORLDS = 10
"""Worlds at once for other people's environments, which are stepped one by one."""

Floats = npt.NDArray[np.float64]


class Actor(Protocol):
    """What acts: an Agent, or any algorithm of SB3 with or without a memory."""

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: npt.NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[npt.NDArray[Any], Any]:
        """Actions (N, ...) for a batch of observations, and the state to give back."""
        ...


class Episodes(NamedTuple):
    """What came of E episodes, each (E,); NaN where the environment does not say."""

    returns: Floats
    lengths: Floats
    score01: Floats
    success: Floats


def play(actor: Actor, worlds: VecEnv, episodes: int, deterministic: bool = True) -> Episodes:
    """Play ``episodes`` episodes, each world an equal share of them from its first on.

    Taking whichever episodes end first would count short ones too often.

    Args:
        actor: acts; gets an array of observations or a dict of them.
        worlds: at least one, begun anew here; ends are read from its infos' ``episode``.
        episodes: how many; world i plays one more than others where they do not divide.
        deterministic: the mean action instead of a sample.
    """
    share = [len(range(i, episodes, worlds.num_envs)) for i in range(worlds.num_envs)]
    found: list[list[dict[str, Any]]] = [[] for _ in share]
    observation: Any = worlds.reset()
    state, start = None, np.ones(worlds.num_envs, np.bool_)
    while any(len(mine) < due for mine, due in zip(found, share, strict=True)):
        action, state = actor.predict(observation, state, start, deterministic)
        observation, _, start, infos = worlds.step(action)
        for i in np.flatnonzero(start):
            if len(found[i]) < share[i]:
                found[i].append(infos[i])
    ends = [info for mine in found for info in mine]
    nan = float("nan")
    return Episodes(
        np.array([info["episode"]["r"] for info in ends], np.float64),
        np.array([info["episode"]["l"] for info in ends], np.float64),
        np.array([info.get("score01", nan) for info in ends], np.float64),
        np.array([info.get("is_success", nan) for info in ends], np.float64),
    )


def evaluate(config: RunConfig, actor: Actor, index: int) -> dict[str, float]:
    """A row of eval.csv, but for its steps and time, on fresh worlds.

    The worlds are the same for every arm with the run's seed.

    Args:
        config: the run's.
        actor: what acts.
        index: how many evaluations came before; each has worlds of its own.
    """
    with undisturbed():
        seed = stream(config, EVALUATION, index)
        n = config.eval_episodes if config.ours else min(config.eval_episodes, OTHERS_WORLDS)

        def episodes(deterministic: bool, ood: bool) -> Episodes:
            worlds = build_worlds(config, n, seed, ood)
            try:
                return play(actor, worlds, config.eval_episodes, deterministic)
            finally:
                worlds.close()

        mean = episodes(True, config.ood)
        sampled = episodes(False, config.ood)
        unseen = episodes(True, True).score01.mean() if config.ours else np.float64("nan")
    return {
        "episodes": config.eval_episodes,
        "score01": float(mean.score01.mean()),
        "score01_sampled": float(sampled.score01.mean()),
        "score01_ood": float(unseen),
        "success": float(mean.success.mean()),
        "return": float(mean.returns.mean()),
        "length": float(mean.lengths.mean()),
    }


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put the global random generators back afterwards: building an algorithm of SB3 seeds them."""
    plain, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(plain)
            np.random.set_state(numpy)  # noqa: NPY002
