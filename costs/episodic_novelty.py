"""Novelty within an episode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from motley.costs.base import State, Trace
from motley.costs.intrinsic import Intrinsic
from motley.costs.models import FELT, ControlledFeatures
from motley.costs.prediction import unexplained


@dataclass(frozen=True)
class EpisodicNovelty(Intrinsic):
    """The elliptical episodic bonus (Henaff et al. 2022, E3B).

    The score of a step is phi' C^-1 phi, where phi is the embedding of the observation that it
    leads to and C = ridge I + the sum of phi phi' over the episode so far: a count of visits for
    continuous features. It begins anew with each episode. The embedding is learnt by an inverse
    model: what actions do not change is not seen.

    The score has no bound: the first steps of an episode are paid most, whatever they lead to.
    With b / (1 + b) in its place, which counts the step's own observation, agents came to fewer new
    cells (`results/novelty`).

    Attributes:
        ridge: of the matrix; the score of the first step is at most the square of phi over this.
        hidden: units of the hidden layers.
        features: of the embedding.
    """

    in_time: ClassVar[bool] = True
    apart: ClassVar[tuple[str, ...]] = FELT
    episodic: bool = True
    ridge: float = 0.1
    hidden: int = 64
    features: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("ridge", self.ridge > 0, "a number above 0")

    def heads(self, sizes: Mapping[str, int]) -> ControlledFeatures:
        """Return the embedding and the inverse model."""
        return ControlledFeatures(self.width(sizes), sizes["action"], self.hidden, self.features)

    def judge(self, trace: Trace, state: State, heads: nn.Module) -> tuple[Tensor, State]:
        """Return the bonuses; the state is the inverse matrix of each world."""
        made = cast(ControlledFeatures, heads)
        made.standardise.update(self.seen(trace))
        now, later = made(self.seen(trace)), made(self.seen_next(trace))
        fresh = torch.eye(self.features).to(now) / self.ridge
        inverse = state.get("inverse", fresh.expand(now.shape[1], -1, -1))
        bonus = torch.empty_like(now[..., 0])
        for t, start in enumerate(trace.episode_start):
            begun = torch.where(start.view(-1, 1, 1), fresh, inverse)
            # Where an episode starts, its first observation was led to by no step: it only counts.
            inverse = torch.where(start.view(-1, 1, 1), seen(begun, now[t])[0], begun)
            inverse, bonus[t] = seen(inverse, later[t])
        return bonus, {"inverse": inverse}

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the error of the inverse model, (time, worlds)."""
        made = cast(ControlledFeatures, heads)
        told = made.action(made(self.seen(trace)), made(self.seen_next(trace)))
        return unexplained(told, trace["action"], trace.has_next)


def seen(inverse: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the inverse of C + x x' (Sherman & Morrison 1950), and x' C^-1 x.

    Args:
        inverse: of C, (worlds, features, features).
        x: (worlds, features).
    """
    u = (inverse @ x.unsqueeze(-1)).squeeze(-1)
    bonus = (x * u).sum(-1)
    outer = u.unsqueeze(-1) * u.unsqueeze(-2)
    return inverse - outer / (1.0 + bonus).view(-1, 1, 1), bonus
