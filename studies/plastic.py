"""Plastic evaluation: how an agent's weights adapt to a place, and what that costs elsewhere.

An evaluation keeps the weights, so that whatever adapts does so through the agent's state. Here it
goes on learning where it is evaluated, at the rate that it ended with and by the same costs: what
it then does better has gone into its weights, and what it does worse where it was trained is their
after-effect (for a visuomotor rotation, Krakauer et al. 2000).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from motley.agents import Agent
from motley.studies.config import PLASTIC, RunConfig, build_worlds, stream


def adapt(
    agent: Agent,
    there: RunConfig,
    steps: int,
    seed: int,
    on_steps: Callable[[int], None] = lambda steps: None,
) -> None:
    """Let an agent go on learning, in as many worlds as it learnt in.

    Args:
        agent: learns; as lesioned as it stands, at the rate that it has.
        there: in which task; at its level, in its distribution and variant.
        steps: environment steps, at least; whole rollouts are lived.
        seed: of the worlds, which are others than those of training and of evaluations.
        on_steps: is told of the steps so far.
    """
    begun = agent.num_timesteps

    def tell(*facts: Any) -> bool:
        on_steps(agent.num_timesteps - begun)
        return True

    worlds = build_worlds(there, agent.n_envs, stream(there, PLASTIC, seed), there.ood)
    try:
        agent.set_env(worlds)
        agent.learn(steps, tell, log_interval=None, reset_num_timesteps=False)
    finally:
        worlds.close()
