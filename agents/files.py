"""What an agent writes and reads: saved agents, parameters, checkpoints.

A saved agent is what it learnt; a checkpoint is everything that going on bit for bit takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from stable_baselines3.common.type_aliases import GymEnv

from motley.agents import checks, spaces, storage
from motley.agents.blueprints import Blueprint
from motley.agents.rollout import Present
from motley.agents.worlds import task_of, worlds_of
from motley.costs import sets

if TYPE_CHECKING:
    from motley.agents.agent import Agent

A = TypeVar("A", bound="Agent")

CHECKPOINTED = (
    *("blueprint", "costs", "width", "settings", "development", "n_steps", "seed"),
    *("n_envs", "task", "observation_space", "action_space"),
)
"""Facts in which an agent must agree with a checkpoint that it takes up."""


def facts_of(agent: Agent) -> dict[str, Any]:
    """Return what rebuilds the agent, as JSON values."""
    rate = agent.learning_rate
    return {
        "blueprint": agent.blueprint.to_json(),
        "costs": sets.to_json(agent.costs),
        "width": agent.width,
        "n_parameters": agent.n_parameters,
        "settings": asdict(agent.settings),
        "development": agent.development.to_json(),
        "competence": agent.learner.competence.to_json(),
        "routes": {cost: sorted(areas) for cost, areas in agent.learner.routes.items()},
        "n_steps": agent.n_steps,
        "clip_range": agent.clip_range,
        # A schedule is code, which a file does not hold: the rate now stands for it.
        "learning_rate": float(agent.policy.optimizer.param_groups[0]["lr"])
        if callable(rate)
        else rate,
        "seed": agent.seed,
        "n_envs": agent.n_envs,
        "task": task_of(agent.env),
        "observation_space": spaces.to_json(agent.observation_space),
        "action_space": spaces.to_json(agent.action_space),
        "num_timesteps": agent.num_timesteps,
        "n_updates": agent.n_updates,
    }


def tensors_of(agent: Agent) -> dict[str, torch.Tensor]:
    """Return parameters, normalisers and the optimiser's moments, by name."""
    parameters = {f"learner/{k}": v for k, v in agent.learner.state_dict().items()}
    moments = agent.policy.optimizer.state_dict()["state"]
    optimiser = {f"optimizer/{i}/{k}": v for i, s in moments.items() for k, v in s.items()}
    return parameters | optimiser


def take_tensors(agent: Agent, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put back what :func:`tensors_of` returned."""
    agent.learner.load_state_dict(
        {k.removeprefix("learner/"): v for k, v in tensors.items() if k.startswith("learner/")}
    )
    optimizer = agent.policy.optimizer
    state = optimizer.state_dict()
    moments = storage.unflatten(tensors, "optimizer/")
    state["state"] = {int(i): dict(entries) for i, entries in moments.items()}
    optimizer.load_state_dict(state)


def load(
    cls: type[A],
    path: storage.PathLike,
    env: GymEnv | str | None,
    device: torch.device | str,
    changed: Mapping[str, Any],
) -> A:
    """Read a saved agent; see :meth:`motley.agents.Agent.load`.

    Args:
        cls: Agent, or a subclass of it.
        path: the file.
        env: as the constructor takes it, or None.
        device: of the tensors.
        changed: arguments of the constructor that replace the file's.

    Raises:
        ValueError: see there.
        FileNotFoundError: there is no such file.
    """
    device = checks.device(device)
    facts, tensors = storage.read(path, device)
    given = {name: facts[name] for name in ("n_steps", "clip_range", "learning_rate", "seed")}
    given["development"] = facts["development"]
    given |= facts["settings"] | {"width": facts["width"], "budget": None, "device": device}
    given["final_rate"] = 1.0  # the file's rate is what was reached, not where a schedule begins
    blueprint = Blueprint.from_json(facts["blueprint"])
    costs = sets.from_json(facts["costs"])
    env_kwargs = changed.get("env_kwargs")
    given |= {name: value for name, value in changed.items() if name != "env_kwargs"}
    agent = cls(blueprint, None, costs, **given, _init_setup_model=False)
    agent.observation_space = spaces.from_json(facts["observation_space"])
    agent.action_space = spaces.from_json(facts["action_space"])
    agent.n_envs = facts["n_envs"]
    assert agent.seed is not None
    n_envs = changed.get("n_envs", agent.n_envs)
    env = worlds_of(env, n_envs, agent.seed, env_kwargs)
    if env is not None:
        wrapped = cls._wrap_env(env, agent.verbose)
        for name in ("observation_space", "action_space"):
            if getattr(wrapped, name) != getattr(agent, name):
                raise ValueError(
                    f"the agent's {name} is {getattr(agent, name)}, the environment's "
                    f"{getattr(wrapped, name)}"
                )
        agent.env, agent.n_envs = wrapped, wrapped.num_envs
    agent._setup_model()
    take_tensors(agent, tensors)
    take_age(agent, facts)
    return agent


def take_age(agent: Agent, facts: Mapping[str, Any]) -> None:
    """Put back how old and how competent the agent was."""
    agent.num_timesteps, agent.n_updates = facts["num_timesteps"], facts["n_updates"]
    agent.learner.competence.restore(facts["competence"])


def set_parameters(
    agent: Agent, given: storage.PathLike | Mapping[str, Any], exact_match: bool
) -> None:
    """Take over parameters; see :meth:`motley.agents.Agent.set_parameters`."""
    if not isinstance(given, Mapping):
        take_tensors(agent, storage.read(given, agent.device)[1])
        return
    unknown = set(given) - {"policy", "policy.optimizer"}
    if unknown or (exact_match and "policy" not in given):
        raise ValueError(
            f"parameters are a dict of 'policy' and 'policy.optimizer', not {sorted(given)}"
        )
    if "policy" in given:
        agent.learner.load_state_dict(given["policy"], strict=exact_match)
    if "policy.optimizer" in given:
        agent.policy.optimizer.load_state_dict(given["policy.optimizer"])


def write_checkpoint(agent: Agent, path: str | Path) -> None:
    """Write the agent, its optimiser, random numbers, normalisers, states and worlds."""
    tensors = tensors_of(agent)
    tensors["generator"] = agent._generator.get_state()
    tensors |= storage.flatten(agent.learner.cost_states, "cost_state/")
    present = agent._present
    if present is not None:
        tensors |= {"start": present.start, "action": present.action}
        tensors |= storage.flatten(present.senses, "senses/")
        tensors |= storage.flatten(present.state, "state/")
    facts = facts_of(agent)
    facts["ended"], facts["diagnostics"] = agent._diary.ended, agent._diary.facts
    # Within a rollout of several agents it is not known how one stands in its worlds.
    worlds = None if present is None else _worlds(agent)
    if worlds is not None:
        state = {name: np.asarray(x) for name, x in worlds.get_state().items()}
        facts["worlds"] = {name: str(x.dtype) for name, x in state.items()}
        tensors |= {f"worlds/{name}": _as_tensor(x) for name, x in state.items()}
    storage.write(path, facts, tensors)


def read_checkpoint(agent: Agent, path: str | Path) -> None:
    """Put an agent into the state that :func:`write_checkpoint` wrote.

    Raises:
        ValueError: the file is of an agent with other areas, costs or settings.
    """
    facts, tensors = storage.read(path, agent.device)
    mine = facts_of(agent)
    for name in CHECKPOINTED:
        if _plain(facts[name]) != _plain(mine[name]):
            raise ValueError(
                f"{path} was written with another {name}: {facts[name]}, not {mine[name]}"
            )
    take_tensors(agent, tensors)
    agent._generator.set_state(tensors["generator"].cpu())
    agent.learner.cost_states = storage.unflatten(tensors, "cost_state/")
    take_age(agent, facts)
    agent._diary.ended, agent._diary.facts = facts["ended"], facts["diagnostics"]
    agent._present = agent._last_obs = None
    worlds = _worlds(agent)
    if worlds is None or "worlds" not in facts:
        return
    assert agent.env is not None
    agent.env.reset()
    worlds.set_state(
        {
            name: tensors[f"worlds/{name}"].cpu().numpy().view(np.dtype(dtype))
            for name, dtype in facts["worlds"].items()
        }
    )
    agent._present = Present(
        storage.unflatten(tensors, "senses/"),
        tensors["start"],
        tensors["action"],
        storage.unflatten(tensors, "state/"),
    )
    # `learn` asks for the last observation before it begins; the worlds are not reset for it.
    agent._last_obs = worlds.observe()
    agent._last_episode_starts = tensors["start"].cpu().numpy()


def _worlds(agent: Agent) -> Any:
    """Return the worlds where they can be copied, else None."""
    env = agent.env
    return env if hasattr(env, "get_state") and hasattr(env, "set_state") else None


def _as_tensor(x: np.ndarray) -> torch.Tensor:
    """Return the bytes as a tensor; safetensors has no unsigned 64-bit numbers everywhere."""
    if x.dtype == bool:
        return torch.from_numpy(np.ascontiguousarray(x))
    signed = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}[x.dtype.itemsize]
    return torch.from_numpy(np.ascontiguousarray(x).view(signed))


def _plain(value: Any) -> Any:
    """Return JSON values with tuples as lists, to compare with what was read."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
