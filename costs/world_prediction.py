"""A world model's own learning target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import Cost, Trace, masked_mean_square


@dataclass(frozen=True)
class WorldPrediction(Cost):
    """Squared error of the world model's prediction of vision, which it carries in its output.

    Without a world model it is zero: what is seen next is predicted by `NextObservation`.

    Attributes:
        rays: of vision.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("play",)
    # Its error is what play is about: reward must not shape it.
    alone: ClassVar[tuple[str, ...]] = ("world_model", "self_model")
    trains: tuple[str, ...] = ("world_model",)
    rays: int = 24

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the mean squared error over rays and channels, (time, worlds)."""
        if "world_model" not in trace:
            return torch.zeros_like(trace["reward"])
        known = ~trace.episode_start
        return masked_mean_square(trace["world_model"][..., -self.rays :], known)
