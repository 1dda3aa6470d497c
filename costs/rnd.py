"""Novelty as what a network could not distil yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Tensor, nn

from motley.costs.base import State, Trace
from motley.costs.intrinsic import Intrinsic
from motley.costs.models import Standardiser, perceptron


class Distillation(nn.Module):
    """A fixed random network and one that learns to be like it.

    Args:
        size: features of an observation.
        hidden: units of each hidden layer; the predictor has one layer more.
        features: outputs.
    """

    def __init__(self, size: int, hidden: int, features: int):
        super().__init__()
        self.standardise = Standardiser(size)
        self.target = perceptron(size, hidden, features).requires_grad_(False)
        self.predictor = perceptron(size, hidden, hidden, features)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean squared error at each observation (..., size)."""
        z = self.standardise(x)
        error: Tensor = (self.predictor(z) - self.target(z)).square().mean(-1)
        return error


@dataclass(frozen=True)
class RND(Intrinsic):
    """Random network distillation (Burda et al. 2018).

    The score of a step is the error, at the observation that it leads to, of a network that is
    trained to give what a fixed random one gives; it falls where one has often been.

    Attributes:
        hidden: units of each hidden layer.
        features: outputs of both networks.
    """

    kind: ClassVar[str | None] = "rnd"
    # Distilling at the rate of the rest, all is known before the policy has learnt to go there.
    rate: float = 0.1
    hidden: int = 64
    features: int = 32

    def heads(self, sizes: Mapping[str, int]) -> Distillation:
        """Return both networks."""
        return Distillation(self.width(sizes), self.hidden, self.features)

    def judge(self, trace: Trace, state: State, heads: nn.Module) -> tuple[Tensor, State]:
        """Return the errors at the next observations."""
        made = cast(Distillation, heads)
        made.standardise.update(self.seen(trace))
        return made(self.seen_next(trace)), state

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the errors at the observations, (time, worlds)."""
        error: Tensor = heads(self.seen(trace))
        return error
