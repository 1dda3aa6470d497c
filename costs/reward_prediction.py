"""Predicting what is paid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from motley.costs.base import Trace
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class RewardPrediction(Prediction):
    """Squared error of the reward of a step, predicted from an area and the action taken.

    An auxiliary cost (Jaderberg et al. 2017), and no value: what comes later does not count.
    """

    trains: tuple[str, ...] = ("encoder", "core")

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return 1."""
        return 1

    def extra(self, sizes: Mapping[str, int]) -> int:
        """Return the action's features."""
        return sizes["action"]

    def inputs(self, trace: Trace) -> Tensor:
        """Return the area's output and the action taken."""
        return torch.cat((trace[self.reads], trace["action"]), -1)

    def target(self, trace: Trace) -> Tensor:
        """Return the environment's reward."""
        return trace["reward"].unsqueeze(-1)
