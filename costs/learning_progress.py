"""Curiosity for what one is getting better at."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from motley.costs.base import State, Trace, masked_mean_square
from motley.costs.intrinsic import Intrinsic
from motley.costs.models import ForwardModel, Standardiser


class Ages(nn.Module):
    """A forward model, and the moving average of its weights as it was after each late rollout.

    Args:
        size: features of an observation.
        action: features of an action.
        hidden: units of the hidden layer.
        age: rollouts that the oldest average lies back.
    """

    averages: Tensor

    def __init__(self, size: int, action: int, hidden: int, age: int):
        super().__init__()
        self.standardise = Standardiser(size)
        self.model = ForwardModel(size, action, hidden)
        self.averaged = deepcopy(self.model).requires_grad_(False)
        weights = parameters_to_vector(self.averaged.parameters())
        self.register_buffer("averages", weights.repeat(age + 1, 1))

    def grow_older(self, kept: float) -> None:
        """Take in the model's weights: a newest average, the first row, that keeps this share."""
        weights = parameters_to_vector(self.model.parameters())
        newest = self.averages[:1].lerp(weights, 1.0 - kept)
        self.averages = torch.cat((newest, self.averages[:-1]))

    def error(self, age: int, now: Tensor, action: Tensor, later: Tensor) -> Tensor:
        """Return the mean squared error of an average so many rollouts old, (time, worlds)."""
        vector_to_parameters(self.averages[age], self.averaged.parameters())
        error: Tensor = (self.averaged(now, action) - later).square().mean(-1)
        return error


@dataclass(frozen=True)
class LearningProgress(Intrinsic):
    """How much less a learner errs than it did some rollouts ago (Achiam & Sastry 2017).

    It predicts the next observation from the present one and the action. What is mastered gives
    nothing, and neither does noise, at which both err alike. Both of them are moving averages of
    the learner's weights, of equal length: the weights themselves jitter, and would err more than
    an average that is older but smoother, as Kim et al. (2020) have it, once little is left to
    learn; to look about would then cost.

    Attributes:
        kept: share of the average kept from one rollout to the next.
        age: rollouts between the two.
        hidden: units of the model's hidden layer.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("play",)
    kept: float = 0.5
    age: int = 10
    hidden: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("kept", 0 <= self.kept < 1, "a share of at least 0 and below 1")
        self.check("age", self.age >= 1, "1 rollout or more")

    def heads(self, sizes: Mapping[str, int]) -> Ages:
        """Return the model and its averages."""
        return Ages(self.width(sizes), sizes["action"], self.hidden, self.age)

    def judge(self, trace: Trace, state: State, heads: nn.Module) -> tuple[Tensor, State]:
        """Return the older average's mean squared error minus the newest one's."""
        made, action = cast(Ages, heads), trace["action"]
        made.standardise.update(self.seen(trace))
        made.grow_older(self.kept)
        now = made.standardise(self.seen(trace))
        later = made.standardise(self.seen_next(trace))
        older, newest = (made.error(age, now, action, later) for age in (self.age, 0))
        return older - newest, state

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the model's squared error, (time, worlds)."""
        made = cast(Ages, heads)
        predicted = made.model(made.standardise(self.seen(trace)), trace["action"])
        return masked_mean_square(
            predicted - made.standardise(self.seen_next(trace)), trace.has_next
        )
