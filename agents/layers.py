"""The weights of areas: one linear layer for all, so that a credit rule has one place to act."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Linear(nn.Linear):
    """An affine map with orthogonal initial weights and zero biases.

    Args:
        inputs: features in.
        outputs: features out.
        gain: scale of the initial weights (Saxe et al. 2014); the square root of 2 suits
            rectifiers, 1 suits tanh and linear read-outs.
        bias: whether there is an offset.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0, bias: bool = True):
        self.gain = gain
        super().__init__(inputs, outputs, bias=bias)

    def reset_parameters(self) -> None:
        """Draw the weights from torch's generator."""
        if self.weight.is_meta:
            return
        nn.init.orthogonal_(self.weight, self.gain)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu}
GAINS = {"tanh": math.sqrt(2.0), "relu": math.sqrt(2.0)}


def concatenate(inputs: tuple[Tensor, ...]) -> Tensor:
    """Join inputs along their features; a single one is returned as it is."""
    return inputs[0] if len(inputs) == 1 else torch.cat(inputs, -1)
