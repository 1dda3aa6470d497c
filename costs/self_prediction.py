"""A self model's own learning target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import Trace
from motley.costs.prediction import Prediction
from motley.costs.world_prediction import surprise


@dataclass(frozen=True)
class SelfPrediction(Prediction):
    """Squared error of the world model's next error, mean over rays, in the unit of its variance.

    The self model is trained by it and the world model is not (Haber et al. 2018). It is predicted
    from the self model, the action taken and the action's size. The read-out is linear, so that an
    action adds as much error wherever it is taken; with a ``hidden`` layer it may depend on
    both, as in the self model of Haber et al. Without a world model the cost is zero.

    Attributes:
        sense: what the world model predicts, rays of four channels.
        hidden: width of a hidden layer of the read-out; None is a linear one.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("play",)
    # Each model is judged by its own error alone.
    alone: ClassVar[tuple[str, ...]] = ("self_model",)
    trains: tuple[str, ...] = ("self_model",)
    reads: str = "self_model|core"
    sense: str = "vision"
    hidden: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("hidden", self.hidden is None or self.hidden >= 1, "None, or at least 1")

    @property
    def follows(self) -> tuple[str, ...]:
        """Return the world model, whose error is the target."""
        return ("world_model",)

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the read-out of the self model and the action."""
        if self.hidden is None:
            return super().heads(sizes)
        inputs = sizes[self.reads] + self.extra(sizes)
        return nn.Sequential(
            nn.Linear(inputs, self.hidden), nn.Tanh(), nn.Linear(self.hidden, self.size(sizes))
        )

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return 1."""
        return 1

    def extra(self, sizes: Mapping[str, int]) -> int:
        """Return the action's features, twice."""
        return 2 * sizes["action"]

    def inputs(self, trace: Trace) -> Tensor:
        """Return the expectation, the action taken, and its size: turning much surprises much."""
        action = trace["action"]
        return torch.cat((trace[self.reads], action, action.abs()), -1)

    def target(self, trace: Trace) -> Tensor:
        """Return the next error of the world model, (time, worlds, 1)."""
        if "world_model" not in trace:
            return torch.zeros_like(trace["action"][..., :1])
        following = surprise(trace.next("world_model"), trace[self.sense])
        return following.mean(-1, keepdim=True).detach()

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps that have a next one."""
        return trace.has_next if "world_model" in trace else torch.zeros_like(trace.episode_start)
