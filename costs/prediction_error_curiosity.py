"""Curiosity for what one's actions do that one cannot predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from motley.costs.base import State, Trace, masked_mean_square
from motley.costs.intrinsic import Intrinsic
from motley.costs.models import FELT, ControlledFeatures, perceptron
from motley.costs.prediction import unexplained


class Curious(ControlledFeatures):
    """Features that can be controlled, and a model of what follows in them.

    Args:
        size: features of an observation.
        action: features of an action.
        hidden: units of each hidden layer.
        features: how many features are kept.
    """

    def __init__(self, size: int, action: int, hidden: int, features: int):
        super().__init__(size, action, hidden, features)
        self.forward_model = perceptron(features + action, hidden, features)

    def predict(self, features: Tensor, action: Tensor) -> Tensor:
        """Return the features predicted for the next step."""
        predicted: Tensor = self.forward_model(torch.cat((features, action), -1))
        return predicted


@dataclass(frozen=True)
class PredictionErrorCuriosity(Intrinsic):
    """The intrinsic curiosity module (Pathak et al. 2017).

    The score is half the squared error of the features of the next observation, predicted from
    the features now and the action. The features are learnt by the inverse model alone, which
    tells the action from the features before and after it (as in Burda et al. 2019, where
    the forward model's error does not shape them), by squared error also where actions are
    one-hot. Noise that its actions set off draws it, noise that comes about by itself pays less;
    in :class:`RandomFeatureCuriosity` both pay. Features have no fixed size (Burda et al. 2019
    normalise them by batch): a score is in the units that its features have by then.

    Attributes:
        hidden: units of each hidden layer.
        features: how many features are kept.
    """

    in_time: ClassVar[bool] = True
    apart: ClassVar[tuple[str, ...]] = FELT
    hidden: int = 64
    features: int = 32

    def heads(self, sizes: Mapping[str, int]) -> Curious:
        """Return the features' network and both models."""
        return Curious(self.width(sizes), sizes["action"], self.hidden, self.features)

    def judge(self, trace: Trace, state: State, heads: nn.Module) -> tuple[Tensor, State]:
        """Return half the squared error of the features predicted."""
        made = cast(Curious, heads)
        made.standardise.update(self.seen(trace))
        now, later = made(self.seen(trace)), made(self.seen_next(trace))
        error = made.predict(now, trace["action"]) - later
        return 0.5 * error.square().sum(-1), state

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the errors of both models, (time, worlds)."""
        made, mask = cast(Curious, heads), trace.has_next
        now, later = made(self.seen(trace)), made(self.seen_next(trace))
        inverse = unexplained(made.action(now, later), trace["action"], mask)
        forward = made.predict(now.detach(), trace["action"]) - later.detach()
        return inverse + masked_mean_square(forward, mask)
