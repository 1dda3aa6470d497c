"""Telling what one did from what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import Trace
from motley.costs.models import perceptron
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class InverseDynamics(Prediction):
    """Squared error of the action, told from an area's output before and after it.

    It makes an encoder keep what the body controls (Agrawal et al. 2016; Pathak et al. 2017). An
    area that is told the previous action knows the answer: let it read one that is not. One-hot
    actions are told by squared error as well. Zero at the last step of an episode.

    Attributes:
        hidden: units of the hidden layer between the area and the action.
    """

    in_time: ClassVar[bool] = True
    trains: tuple[str, ...] = ("encoder",)
    reads: str = "encoder"
    hidden: int = 64

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the inverse model: area before and after -> action."""
        return perceptron(2 * sizes[self.reads], self.hidden, sizes["action"])

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return the action's features."""
        return sizes["action"]

    def inputs(self, trace: Trace) -> Tensor:
        """Return the area's output before and after the step."""
        return torch.cat((trace[self.reads], trace.next(self.reads)), -1)

    def target(self, trace: Trace) -> Tensor:
        """Return the action."""
        return trace["action"]

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps that have a next one."""
        return trace.has_next
