"""Telling what was sensed from what an area made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from motley.costs.base import Cost, Trace, masked_mean_square


@dataclass(frozen=True)
class Reconstruction(Cost):
    """Squared error of a sense, decoded linearly from an area's output at the same step.

    The autoencoder's cost (Hinton & Salakhutdinov 2006). Read from a memory that was written in
    the same step, it makes the stored value keep what was seen with the key (the
    memory-based predictor of Wayne et al. 2018).

    Attributes:
        reads: the area to decode from.
        sense: the sense to reconstruct, all of its features.
        when: a sense whose first feature must be below 0.5 for a step to count, such as ``go``:
            only while the body is held. None counts every step, and so does an environment
            without that sense.
    """

    trains: tuple[str, ...] = ("encoder", "memory|core")
    reads: str = "memory|core"
    sense: str = "vision"
    when: str | None = None

    def heads(self, sizes: Mapping[str, int]) -> nn.Linear:
        """Return the linear decoder: area -> sense."""
        return nn.Linear(sizes[self.reads], sizes[self.sense])

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the squared error, (time, worlds)."""
        mask = ~trace.episode_start | trace.episode_start
        if self.when is not None and self.when in trace:
            mask = trace[self.when][..., 0] < 0.5
        return masked_mean_square(heads(trace[self.reads]) - trace[self.sense], mask)
