"""Moving costs energy."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from motley.costs.base import Cost, Trace


@dataclass(frozen=True)
class Effort(Cost):
    """Minus the sum of the squared commands of a step, as a score.

    The quadratic motor cost of optimal control (Todorov & Jordan 2002); its critic is its own.
    """

    weight: float = 0.01

    def score(self, trace: Trace) -> Tensor:
        """Return minus the squared action, (time, worlds)."""
        return -trace["action"].square().sum(-1)
