"""What costs that predict something have in common."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import Cost, Trace, masked_mean_square

FLOOR = 0.01
"""Least variance that an error is counted in: that of a tenth, in senses from 0 or -1 to 1.

What varies less is all but constant and has little to teach, while an untrained read-out is off by
more (0.15 on average at the default widths): counted in the target's own variance, reward before
any reward came would weigh tens of thousands of times what every other cost does. The costs of
the suite's own sets have targets that vary by this or more.
"""


@dataclass(frozen=True)
class Prediction(Cost):
    """Squared error of a linear prediction from an area, in units of its target's variance.

    Whatever is predicted, it is 1 for one who gives the mean and 0 for one who knows (1 - R2), so
    that weights compare and features that never vary dilute nothing; a target that is all but
    constant is counted in units of :data:`FLOOR`. A subclass defines
    :meth:`target` and :meth:`size`; one that reads more than the area or counts fewer steps also
    :meth:`inputs` and :meth:`extra`, or :meth:`mask`.

    Attributes:
        reads: the area that must know: a name, a role, or roles with bars between them.
        floor: the least variance that errors are counted in.
    """

    floor: ClassVar[float] = FLOOR
    reads: str = "core"

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return how many numbers are predicted."""
        raise TypeError(f"{type(self).__name__} defines no size")

    def target(self, trace: Trace) -> Tensor:
        """Return what is to be predicted, (time, worlds, size), without gradient."""
        raise TypeError(f"{type(self).__name__} defines no target")

    def reads_a(self, role: str, names: Container[str]) -> bool:
        """Whether the area that is read is the one with ``role``, where ``names`` has one."""
        return role in names and role == self.reads.split("|")[0]

    def extra(self, sizes: Mapping[str, int]) -> int:
        """Return how many features :meth:`inputs` adds to the area's output."""
        return 0

    def inputs(self, trace: Trace) -> Tensor:
        """Return what the prediction is made from, (time, worlds, features)."""
        return trace[self.reads]

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps that count, (time, worlds) bool."""
        return torch.ones_like(trace.episode_start)

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the linear prediction."""
        return nn.Linear(sizes[self.reads] + self.extra(sizes), self.size(sizes))

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the squared error in units of the target's variance, (time, worlds).

        Raises:
            ValueError: the target has another size than is predicted.
        """
        predicted, target = heads(self.inputs(trace)), self.target(trace)
        if predicted.shape != target.shape:  # they would be stretched to each other's
            raise ValueError(
                f"cost {self.name!r}: target() gives {tuple(target.shape)}, and (time, worlds, "
                f"size) is {tuple(predicted.shape)} by size(); let them agree"
            )
        return unexplained(predicted, target, self.mask(trace), self.floor)


LEAST_STEPS = 2
"""Steps that must count in a batch: one has no variance, so that whoever is off by anything would
seem to err by far more than one who gives the mean."""


def unexplained(predicted: Tensor, target: Tensor, mask: Tensor, floor: float = FLOOR) -> Tensor:
    """Return the share of the target's variance that is not explained, by step: (time, worlds).

    The variance is that of the steps that count, averaged over features, and ``floor`` at least;
    the mean over all steps is 1 - R2 above that floor. Zero where fewer than :data:`LEAST_STEPS`
    count.

    Args:
        predicted: (time, worlds, features).
        target: likewise.
        mask: (time, worlds) bool, the steps that count.
        floor: the least variance that errors are counted in.
    """
    kept = mask.unsqueeze(-1).to(target.dtype)
    count = kept.sum()
    mean = (target * kept).sum((0, 1)) / count.clamp(min=1.0)
    variance = masked_mean_square(target - mean, mask).mean().clamp(min=floor)
    return masked_mean_square(predicted - target, mask) / variance * (count >= LEAST_STEPS)
