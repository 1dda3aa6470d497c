"""What costs learn with: small networks, and inputs brought to one scale."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


def perceptron(*sizes: int) -> nn.Sequential:
    """Return linear layers of these sizes with rectifiers between them."""
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Standardiser(nn.Module):
    """Running mean and deviation of features; gives them back standardised, within 5 deviations.

    As Burda et al. (2018) do with observations. Features that have not varied yet give 0.

    Args:
        size: features.
    """

    count: Tensor
    mean: Tensor
    square: Tensor

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("square", torch.zeros(size, dtype=torch.float64))

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        """Take in (time, worlds, size)."""
        flat = x.flatten(0, -2).double()
        self.count += len(flat)
        share = len(flat) / self.count
        self.mean += (flat.mean(0) - self.mean) * share
        self.square += (flat.square().mean(0) - self.square) * share

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., size) standardised."""
        variance = (self.square - self.mean.square()).clamp(min=0.0)
        scale = torch.where(variance > 1e-8, variance.clamp(min=1e-8).rsqrt(), 0.0)
        z: Tensor = (x - self.mean.to(x)) * scale.to(x)
        return z.clamp(-5.0, 5.0)


class ForwardModel(nn.Module):
    """Predicts the next standardised observation from the present one and the action.

    A linear map and one hidden layer side by side: what stays as it is takes little to learn, and
    noise takes none, since both begin near zero.

    Args:
        size: features of an observation.
        action: features of an action.
        hidden: units of the hidden layer.
    """

    def __init__(self, size: int, action: int, hidden: int):
        super().__init__()
        self.linear = nn.Linear(size + action, size)
        self.net = perceptron(size + action, hidden, size)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x: Tensor, action: Tensor) -> Tensor:
        """Return the prediction, (..., size)."""
        both = torch.cat((x, action), -1)
        predicted: Tensor = self.linear(both) + self.net(both)
        return predicted


FELT = ("egomotion", "proprioception")
"""Senses of the body's own motion and posture."""


class ControlledFeatures(nn.Module):
    """Features of observations, learnt by telling the action between two of them.

    Such features have no use for what actions do not change (Pathak et al. 2017), and it fades.
    Where a body feels its own motion (:data:`FELT`) that alone tells the action, and what the
    action does to the world fades as well: costs that learn such features look at other senses.

    Args:
        size: features of an observation.
        action: features of an action.
        hidden: units of each hidden layer.
        features: how many features are kept.
    """

    def __init__(self, size: int, action: int, hidden: int, features: int):
        super().__init__()
        self.standardise = Standardiser(size)
        self.encoder = perceptron(size, hidden, features)
        self.inverse = perceptron(2 * features, hidden, action)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of observations (..., size)."""
        features: Tensor = self.encoder(self.standardise(x))
        return features

    def action(self, features: Tensor, features_next: Tensor) -> Tensor:
        """Return the action told from the features before and after it."""
        told: Tensor = self.inverse(torch.cat((features, features_next), -1))
        return told
