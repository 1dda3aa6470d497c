"""Predicting the senses one step on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import Cost, Trace, masked_mean_square


@dataclass(frozen=True)
class NextObservation(Cost):
    """Squared error of the next sense, predicted from an area's output and the action taken.

    Predictive coding as an auxiliary cost (Mirowski et al. 2016; Wayne et al. 2018).

    Attributes:
        reads: the area that must know: a name, a role, or roles with bars between them.
        sense: the sense to predict, all of its features.
    """

    in_time: ClassVar[bool] = True
    trains: tuple[str, ...] = ("encoder", "core")
    reads: str = "core"
    sense: str = "vision"

    def heads(self, sizes: Mapping[str, int]) -> nn.Linear:
        """Return the linear prediction: area and action -> sense."""
        return nn.Linear(sizes[self.reads] + sizes["action"], sizes[self.sense])

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the squared error, (time, worlds); zero at the last step of an episode."""
        predicted = heads(torch.cat((trace[self.reads], trace["action"]), -1))
        return masked_mean_square(predicted - trace.next(self.sense), trace.has_next)
