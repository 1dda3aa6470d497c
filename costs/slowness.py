"""Features that change slowly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import Cost, Trace


@dataclass(frozen=True)
class Slowness(Cost):
    """Slow feature analysis as a cost (Wiskott & Sejnowski 2002): the delta value of an area.

    The mean square of each unit's change from step to step, in units of its variance, so that
    shrinking to a constant gains nothing; units are kept from all saying the same by the mean
    square of their correlations (the constraints of unit variance and decorrelation, as penalties;
    Bardes et al. 2022).

    Attributes:
        reads: the area: a name, a role, or roles with bars between them.
        decorrelation: weight of the correlations.
    """

    in_time: ClassVar[bool] = True
    stepwise: ClassVar[bool] = False
    trains: tuple[str, ...] = ("encoder", "core")
    reads: str = "core"
    decorrelation: float = 1.0

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return delta value and correlation, (time, worlds); the first is 0 at episodes' ends."""
        x, mask = trace[self.reads], trace.has_next
        z = x.flatten(0, 1) - x.mean((0, 1))
        variance = z.square().mean(0).clamp(min=1e-6)
        kept = mask.to(x.dtype)
        changes = (trace.next(self.reads) - x).square() / variance
        delta = changes.mean(-1) * kept * (kept.numel() / kept.sum().clamp(min=1.0))
        z = z / variance.sqrt()
        correlation = z.t() @ z / len(z)
        between = correlation - torch.diag_embed(correlation.diagonal())
        pairs = max(x.shape[-1] * (x.shape[-1] - 1), 1)
        return delta + self.decorrelation * between.square().sum() / pairs
