"""The placebo: a cost with a gradient and no meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from motley.costs.base import Cost, State, Trace


@dataclass(frozen=True)
class NoiseTarget(Cost):
    """Squared error of random numbers, drawn afresh at each step and so unpredictable.

    Stands in a study for "any further gradient helps". ``size`` and ``scale`` are to be those
    of the target that it is the placebo of; by default the two numbers of self-localisation.

    Attributes:
        reads: the area to predict from.
        size: how many numbers a step.
        scale: their standard deviation.
        seed: of the numbers.
    """

    trains: tuple[str, ...] = ("encoder", "core")
    reads: str = "core"
    size: int = 2
    scale: float = 0.5
    seed: int = 0

    def heads(self, sizes: Mapping[str, int]) -> nn.Linear:
        """Return the linear prediction: area -> noise."""
        return nn.Linear(sizes[self.reads], self.size)

    def annotate(self, trace: Trace, state: State) -> tuple[dict[str, Tensor], State]:
        """Draw the rollout's targets, (time, worlds, size); the state counts the draws."""
        draws = state.get("draws", torch.zeros(1, dtype=torch.int64))
        generator = torch.Generator().manual_seed(hash((self.seed, int(draws))) & (2**63 - 1))
        shape = (*trace.episode_start.shape, self.size)
        target = torch.randn(shape, generator=generator) * self.scale
        device = trace.episode_start.device
        return {f"{self.name}/target": target.to(device)}, {"draws": draws + 1}

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the squared error, (time, worlds)."""
        error: Tensor = heads(trace[self.reads]) - trace[f"{self.name}/target"]
        return error.square().mean(-1)
