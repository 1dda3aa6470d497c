"""The task's own reward as a cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from motley.costs.base import Cost, Trace


@dataclass(frozen=True)
class ExtrinsicReward(Cost):
    """The reward that the environment pays.

    Its loss is the clipped surrogate of PPO (Schulman et al. 2017, equation 7) on the advantages
    of this score; the trainer computes it for all costs that score.
    """

    kind: ClassVar[str | None] = "reward"

    def score(self, trace: Trace) -> Tensor:
        """Return the environment's reward, (time, worlds)."""
        return trace["reward"]
