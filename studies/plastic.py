"""Plastic evaluation: how an agent's weights adapt to a place, and what that costs elsewhere.

An evaluation keeps the weights, so that whatever adapts does so through the agent's state. Here it
goes on learning where it is evaluated, at the rate that it ended with and by the same costs: what
it then does better has gone into its weights, and what it does worse where it was trained is their
after-effect (for a visuomotor rotation, Krakauer et al. 2000).
"""

from __future__ import annotations

from collections.abc import Callable

from stable_baselines3.common.callbacks import BaseCallback

from motley.agents import Agent
from motley.studies.config import PLASTIC, RunConfig, build_worlds, stream


class _Told(BaseCallback):
    """Tells how many steps were lived since learning began."""

    def __init__(self, on_steps: Callable[[int], None]) -> None:
        super().__init__()
        self.on_steps, self._begun = on_steps, 0

    def _on_training_start(self) -> None:
        self._begun = self.model.num_timesteps

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self.on_steps(self.model.num_timesteps - self._begun)


def adapt(
    agent: Agent,
    there: RunConfig,
    steps: int,
    seed: int,
    on_steps: Callable[[int], None] = lambda done: None,
) -> None:
    """Let an agent go on learning, in as many worlds as it learnt in.

    Args:
        agent: learns; as lesioned as it stands, at the rate that it has.
        there: in which task; at its level, in its distribution and variant.
        steps: environment steps, at least; whole rollouts are lived.
        seed: of the worlds, which are others than those of training and of evaluations.
        on_steps: told after each rollout how many steps were lived.
    """
    worlds = build_worlds(there, agent.n_envs, stream(there, PLASTIC, seed), there.ood)
    try:
        agent.set_env(worlds)
        agent.learn(steps, _Told(on_steps), log_interval=None, reset_num_timesteps=False)
    finally:
        worlds.close()
