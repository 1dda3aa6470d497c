"""Worlds for an agent, by id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.vec_env import VecEnv

from motley.agents.brain import NOTED, Brain
from motley.agents.readable import Readable
from motley.costs import Cost
from motley.costs.base import unfit
from motley.costs.registry import unknown
from motley.envs.sb3 import WorldVecEnv
from motley.envs.task import Task
from motley.envs.tasks import TASKS

GIVEN = ("id", "num_envs", "seed")
"""Arguments of worlds that are not for ``env_kwargs``; of others' environments the first."""


def worlds_of(
    env: Any, n_envs: int, seed: int, env_kwargs: Mapping[str, Any] | None = None
) -> GymEnv | None:
    """Return the worlds that an agent is given: those of an id, or an environment made readable.

    Args:
        env: an id, an environment or a VecEnv; None is none.
        n_envs: how many worlds of an id.
        seed: see :func:`make_worlds`.
        env_kwargs: likewise.

    Raises:
        ValueError: ``env`` or ``env_kwargs`` is something else, or see :func:`make_worlds`.
    """
    if not isinstance(env_kwargs, Mapping | None):
        raise ValueError(f"env_kwargs must be a dict, not {env_kwargs!r}")
    if isinstance(env, str):
        return make_worlds(env, n_envs, seed, env_kwargs)
    if env_kwargs:
        raise ValueError(f"env_kwargs {dict(env_kwargs)} go with an id, not with {env!r}")
    if isinstance(env, gym.Env):
        return Readable(env)
    if env is None or isinstance(env, VecEnv):
        return env
    raise ValueError(
        f"env must be an id such as 'DarkHome', a gymnasium.Env or a VecEnv of SB3, not {env!r}"
    )


def make_worlds(
    id: str, n_envs: int, seed: int, env_kwargs: Mapping[str, Any] | None = None
) -> VecEnv:
    """Return ``n_envs`` worlds of an id: our own batch for our tasks, else SB3's.

    Args:
        id: ``motley/DarkHome-v0``, a task's name, or any id that Gymnasium knows
            (``minigrid:MiniGrid-DoorKey-5x5-v0`` imports the module first).
        n_envs: how many worlds.
        seed: of the first world; world i gets ``seed + i``.
        env_kwargs: constructor arguments of the environment.

    Raises:
        ValueError: there is no such environment (the nearest are named), or our task takes no such
            argument.
    """
    kwargs: dict[Any, Any] = dict(env_kwargs or {})
    ours = GIVEN if _is_ours(id) else GIVEN[:1]
    for argument in kwargs:
        if not isinstance(argument, str) or argument in ours:
            raise ValueError(
                f"env_kwargs cannot have {argument!r}: they are what {id} takes by name, and which "
                f"worlds there are is said by env, n_envs and seed"
            )
    if _is_ours(id):
        return WorldVecEnv(id, n_envs, seed=seed, **kwargs)
    try:
        return make_vec_env(id, n_envs, seed=seed, env_kwargs=kwargs, wrapper_class=Readable)
    except gym.error.UnregisteredEnv as error:
        raise ValueError(
            unknown("environment", id, (*TASKS, *gym.registry)) + "; one that a package brings is "
            "written with that package, as in 'minigrid:MiniGrid-Empty-5x5-v0'"
        ) from error


def _is_ours(id: str) -> bool:
    """Whether an id is of our tasks, or looks so: the door says which there are."""
    name = id.removeprefix("motley.envs:").removeprefix("motley/").removesuffix("-v0")
    return name in TASKS or (id not in gym.registry and "motley/" in id)


def check_truths(costs: Iterable[Cost], env: VecEnv, brain: Brain) -> None:
    """Refuse costs that ask of worlds what these cannot tell, see :attr:`Cost.truths`.

    Any environment can tell some, by an attribute ``truths``, their names, and a method
    ``truth(name)``, what is so now.

    Raises:
        ValueError: the truth is not told, or has the name of something that areas may read; the
            message names the cost, the truth and the mend.
    """
    asked = [(cost.name, truth) for cost in costs for truth in cost.truths]
    told = tuple(env.get_attr("truths", 0)[0]) if asked and env.has_attr("truths") else ()
    for cost, truth in asked:
        what = f"it asks of the worlds {truth!r}, which no body senses, and "
        if truth in {*brain.sizes, *brain.roles, *NOTED}:
            lack = f"{what}the agent has something else of that name"
            raise unfit(cost, "this agent", f"{lack}; rename that sense or area")
        if truth not in told:
            raise unfit(
                cost,
                "this task",
                f"{what}this environment tells {', '.join(told) or 'nothing'}; train it in a task "
                f"that tells it, as Motley's tell position and heading, or leave that cost out; an "
                f"environment of your own tells it by `truths`, the names, and `truth(name)`",
            )


def problem_of(env: VecEnv | None) -> str | None:
    """Return the problem that the environment's task poses, where it says."""
    task = getattr(env, "task", None)
    return getattr(task, "problem", None)


def task_of(env: GymEnv | None) -> dict[str, Any] | None:
    """Return which of our tasks the worlds are of, as JSON values; None for other worlds."""
    task = getattr(env, "task", None)
    return as_json(task) if isinstance(task, Task) else None


def setting_of(env: VecEnv | None) -> dict[str, Any] | None:
    """Return all that worlds are of: our task and its variant, or another's id and arguments.

    None where an environment has no id.
    """
    task = getattr(env, "task", None)
    if isinstance(task, Task):
        return as_json(task)
    spec = None if env is None else env.get_attr("spec", 0)[0]
    return None if spec is None else {"name": spec.id, "arguments": spec.kwargs}


def as_json(task: Task) -> dict[str, Any]:
    """Return a task's name, level, whether it is out of distribution, and its variant."""
    told = {"name": task.name, "level": task.level, "ood": task.ood}
    return {**told, "variant": task.variant}


def delay_of(env: VecEnv | None) -> int:
    """Return by how many steps the environment's task says that its senses come late; else 0."""
    return int(getattr(getattr(env, "task", None), "delay", 0))
