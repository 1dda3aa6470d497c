"""Predicting the senses one step on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from motley.costs.base import EVERY, Trace
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class NextObservation(Prediction):
    """Squared error of the senses one step on, predicted from an area and the action taken.

    Predictive coding as an auxiliary cost (Mirowski et al. 2016; Wayne et al. 2018). Zero at the
    last step of an episode.

    Attributes:
        senses: what to predict, all features of each.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = (EVERY,)
    trains: tuple[str, ...] = ("encoder", "core")
    senses: tuple[str, ...] = ("vision",)

    @classmethod
    def fitted(cls, senses: Mapping[str, int]) -> Self:
        """Return the cost of predicting every sense."""
        return cls(senses=tuple(senses))

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return the senses' features."""
        return sum(sizes[sense] for sense in self.senses)

    def extra(self, sizes: Mapping[str, int]) -> int:
        """Return the action's features."""
        return sizes["action"]

    def inputs(self, trace: Trace) -> Tensor:
        """Return the area's output and the action taken."""
        return torch.cat((trace[self.reads], trace["action"]), -1)

    def target(self, trace: Trace) -> Tensor:
        """Return the senses of the next step."""
        return trace.join_next(self.senses)

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps that have a next one."""
        return trace.has_next
