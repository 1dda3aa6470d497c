"""Predicting one's own state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from motley.costs.base import Trace
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class LatentSelfPrediction(Prediction):
    """Squared error of an area's own output one step on, predicted from it and the action.

    No gradient goes through the target (as in Grill et al. 2020 and Ni et al. 2024, without a
    slower copy). Errors are in units of the target's variance, so that an area that shrinks gains
    nothing, down to a hundredth. Zero at the last step of an episode.
    """

    in_time: ClassVar[bool] = True
    stepwise: ClassVar[bool] = False
    floor: ClassVar[float] = 1e-4
    trains: tuple[str, ...] = ("encoder", "core")

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return the area's features."""
        return sizes[self.reads]

    def extra(self, sizes: Mapping[str, int]) -> int:
        """Return the action's features."""
        return sizes["action"]

    def inputs(self, trace: Trace) -> Tensor:
        """Return the area's output and the action taken."""
        return torch.cat((trace[self.reads], trace["action"]), -1)

    def target(self, trace: Trace) -> Tensor:
        """Return the area's output of the next step."""
        return trace.next(self.reads).detach()

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps that have a next one."""
        return trace.has_next
