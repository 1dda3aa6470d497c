"""Checkpoints: everything that going on bit for bit takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from motley.agents import storage
from motley.agents.rollout import Present

if TYPE_CHECKING:
    from motley.agents.agent import Agent


def write(agent: Agent, path: str | Path) -> None:
    """Write the agent, its optimiser, random numbers, normalisers, states and worlds."""
    tensors = agent._tensors()
    tensors["generator"] = agent._generator.get_state()
    tensors |= storage.flatten(agent.learner.cost_states, "cost_state/")
    present = agent._present
    if present is not None:
        tensors |= {"start": present.start, "action": present.action}
        tensors |= storage.flatten(present.senses, "senses/")
        tensors |= storage.flatten(present.state, "state/")
    facts = agent._describe_for_file()
    facts["ended"], facts["diagnostics"] = agent._ended, agent._facts
    worlds = _worlds(agent)
    if worlds is not None:
        state = {name: np.asarray(x) for name, x in worlds.get_state().items()}
        facts["worlds"] = {name: str(x.dtype) for name, x in state.items()}
        tensors |= {f"worlds/{name}": _as_tensor(x) for name, x in state.items()}
    storage.write(path, facts, tensors)


def read(agent: Agent, path: str | Path) -> None:
    """Put an agent into the state that :func:`write` wrote.

    Raises:
        ValueError: the file is of an agent with other areas, costs or settings.
    """
    facts, tensors = storage.read(path, agent.device)
    mine = agent._describe_for_file()
    for name in ("blueprint", "costs", "width", "settings", "n_steps", "seed"):
        if _plain(facts[name]) != _plain(mine[name]):
            raise ValueError(
                f"{path} was written with another {name}: {facts[name]}, not {mine[name]}"
            )
    agent._take_tensors(tensors)
    agent._generator.set_state(tensors["generator"].cpu())
    agent.learner.cost_states = storage.unflatten(tensors, "cost_state/")
    agent.num_timesteps, agent.n_updates = facts["num_timesteps"], facts["n_updates"]
    agent._ended, agent._facts = facts["ended"], facts["diagnostics"]
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
    present = Present(
        {name: x.cpu().numpy() for name, x in storage.unflatten(tensors, "senses/").items()},
        storage.unflatten(tensors, "state/"),
        agent.learner.distribution.features,
        agent.device,
    )
    present.start, present.action = tensors["start"], tensors["action"]
    agent._present = present
    # `learn` asks for the last observation before it begins; the worlds are not reset for it.
    agent._last_obs = worlds.observe()
    agent._last_episode_starts = present.start.cpu().numpy()


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
