"""Keeping the policy varied."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from motley.costs.base import Cost, Trace


@dataclass(frozen=True)
class Entropy(Cost):
    """Minus the entropy of the policy at each step, in nats (Williams & Peng 1991)."""

    weight: float = 0.01

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return minus the entropy, (time, worlds)."""
        return -trace["entropy"]
