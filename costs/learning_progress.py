"""Curiosity for what one is getting better at."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Tensor, nn

from motley.costs.base import State, Trace, masked_mean_square
from motley.costs.intrinsic import Intrinsic
from motley.costs.models import ForwardModel, Standardiser


class TwoAges(nn.Module):
    """A forward model, and an older one that follows it slowly.

    Args:
        size: features of an observation.
        action: features of an action.
        hidden: units of the hidden layer.
    """

    def __init__(self, size: int, action: int, hidden: int):
        super().__init__()
        self.standardise = Standardiser(size)
        self.new = ForwardModel(size, action, hidden)
        self.old = deepcopy(self.new).requires_grad_(False)

    def grow_older(self, kept: float) -> None:
        """Move the old model's weights towards the new one's, keeping this share of them."""
        for old, new in zip(self.old.parameters(), self.new.parameters(), strict=True):
            old.lerp_(new, 1.0 - kept)


@dataclass(frozen=True)
class LearningProgress(Intrinsic):
    """How much less a learner errs than an older form of itself (Kim et al. 2020, gamma-progress).

    Both predict the next observation from the present one and the action; the older one's
    weights are a moving average of the newer one's. What is mastered gives nothing, and neither
    does noise, at which both err alike.

    Attributes:
        kept: share of the old weights kept from one rollout to the next.
        hidden: units of the models' hidden layer.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("play",)
    kept: float = 0.9
    hidden: int = 64

    def heads(self, sizes: Mapping[str, int]) -> TwoAges:
        """Return the models."""
        return TwoAges(self.width(sizes), sizes["action"], self.hidden)

    def judge(self, trace: Trace, state: State, heads: nn.Module) -> tuple[Tensor, State]:
        """Return the old model's mean squared error minus the new one's."""
        made, action = cast(TwoAges, heads), trace["action"]
        made.standardise.update(self.seen(trace))
        now = made.standardise(self.seen(trace))
        later = made.standardise(self.seen_next(trace))
        old = (made.old(now, action) - later).square().mean(-1)
        new = (made.new(now, action) - later).square().mean(-1)
        made.grow_older(self.kept)
        return old - new, state

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the new model's squared error, (time, worlds)."""
        made = cast(TwoAges, heads)
        predicted = made.new(made.standardise(self.seen(trace)), trace["action"])
        return masked_mean_square(
            predicted - made.standardise(self.seen_next(trace)), trace.has_next
        )
