"""The actor: what to do."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State
from motley.agents.layers import ACTIVATIONS, GAINS, Linear, concatenate


class Actor(Area):
    """Layers to the parameters of the action's distribution.

    Args:
        sizes: features of each input.
        size: numbers that the distribution takes from the network; filled in by the brain.
        deviations: how many standard deviations it takes that depend on no input; filled in
            by the brain (a Gaussian over a Box takes one a dimension).
        hidden: widths of the layers before the last.
        activation: ``tanh`` or ``relu``.
        deviation: initial standard deviation.
    """

    of_action: ClassVar[bool] = True
    credit: ClassVar[tuple[str, ...]] = ("feedback", "direct", "perturbation")

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int,
        deviations: int,
        hidden: tuple[int, ...] = (64,),
        activation: str = "tanh",
        deviation: float = 1.0,
    ):
        super().__init__(sizes, size)
        self.activation = ACTIVATIONS[activation]
        widths = [sum(sizes), *hidden]
        self.layers = [Linear(a, b, GAINS[activation]) for a, b in pairwise(widths)]
        for i, layer in enumerate(self.layers):
            self.add_module(f"layer{i}", layer)
        # A small last layer starts from the same policy in every state (Andrychowicz et al. 2021).
        self.last = Linear(widths[-1], size, gain=0.01)
        self.log_std = nn.Parameter(torch.full((deviations,), float(deviation)).log())

    @classmethod
    def choices(cls, n_inputs: int) -> int:
        """Return between how many actions that its inputs prefer it chooses; 0 for none such."""
        return 0

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`."""
        x = concatenate(inputs)
        for layer in self.layers:
            x = self.activation(layer(x))
        return self.last(x), state
