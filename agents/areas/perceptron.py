"""Feed-forward layers: the encoder of any sense, and the trunk of the critic."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.layers import ACTIVATIONS, GAINS, Linear, concatenate


class Perceptron(Area):
    """Layers of one width over all inputs joined.

    Args:
        sizes: features of each input.
        size: width of every layer.
        depth: how many layers.
        activation: ``tanh`` or ``relu``, after every layer.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback", "direct", "perturbation")

    def __init__(
        self, sizes: tuple[int, ...], size: int = 64, depth: int = 1, activation: str = "tanh"
    ):
        super().__init__(sizes, size)
        self.activation = ACTIVATIONS[activation]
        widths = [sum(sizes)] + [size] * depth
        self.layers = [Linear(a, b, GAINS[activation]) for a, b in pairwise(widths)]
        for i, layer in enumerate(self.layers):
            self.add_module(f"layer{i}", layer)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`."""
        x = concatenate(inputs)
        for layer in self.layers:
            x = self.activation(layer(x))
        return x, state
