"""The self model: how wrong the world model is going to be."""

from __future__ import annotations

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.layers import Linear, concatenate


class SelfModel(Area):
    """Predicts the world model's next error from what it makes of the present (Haber et al. 2018).

    It learns by `motley.costs.SelfPrediction`; what it expects is where an agent that wants to
    surprise its world model would go.

    Args:
        sizes: features of each input, such as the world model and what is seen.
        size: features of the expectation.
        hidden: width of the hidden layer.
    """

    def __init__(self, sizes: tuple[int, ...], size: int = 4, hidden: int = 16):
        super().__init__(sizes, size)
        self.hidden = Linear(sum(sizes), hidden, 2**0.5)
        self.expected = Linear(hidden, size)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; (time, worlds, size)."""
        return torch.tanh(self.expected(torch.tanh(self.hidden(concatenate(inputs))))), state
