"""Curiosity for what several learners disagree on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from motley.costs.base import State, Trace, masked_mean_square
from motley.costs.intrinsic import Intrinsic
from motley.costs.models import ForwardModel, Standardiser


class Ensemble(nn.Module):
    """Forward models that differ in their first weights.

    Args:
        size: features of an observation.
        action: features of an action.
        hidden: units of each hidden layer.
        members: how many models.
    """

    def __init__(self, size: int, action: int, hidden: int, members: int):
        super().__init__()
        self.standardise = Standardiser(size)
        self.members = nn.ModuleList(ForwardModel(size, action, hidden) for _ in range(members))

    def forward(self, x: Tensor, action: Tensor) -> Tensor:
        """Return each member's prediction, (members, ..., size)."""
        z = self.standardise(x)
        return torch.stack([member(z, action) for member in self.members])


@dataclass(frozen=True)
class EnsembleDisagreement(Intrinsic):
    """The variance of several models' predictions of the next observation (Pathak et al. 2019).

    The models agree on what they all have learnt, also where that is the mean of some noise.

    Attributes:
        members: how many models.
        hidden: units of each one's hidden layer.
    """

    in_time: ClassVar[bool] = True
    members: int = 5
    hidden: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.members < 2:
            raise ValueError(f"EnsembleDisagreement(members={self.members}): give 2 or more")

    def heads(self, sizes: Mapping[str, int]) -> Ensemble:
        """Return the models."""
        return Ensemble(self.width(sizes), sizes["action"], self.hidden, self.members)

    def judge(self, trace: Trace, state: State, heads: nn.Module) -> tuple[Tensor, State]:
        """Return the variance over members, averaged over features."""
        made = cast(Ensemble, heads)
        made.standardise.update(self.seen(trace))
        predicted = made(self.seen(trace), trace["action"])
        return predicted.var(0).mean(-1), state

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the squared error, averaged over members, (time, worlds)."""
        made = cast(Ensemble, heads)
        later = made.standardise(self.seen_next(trace))
        errors = made(self.seen(trace), trace["action"]) - later
        return masked_mean_square(errors.permute(1, 2, 0, 3).flatten(2), trace.has_next)
