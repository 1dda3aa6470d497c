"""The self model: how wrong the world model is going to be."""

from __future__ import annotations

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.layers import Linear, concatenate


class SelfModel(Area):
    """Tells what the world model's next error depends on, as it makes of the present.

    In Haber et al. (2018) a self model maps what is seen and a proposed action to the world model's
    losses to come, and the action is chosen by it. This area is told no action: the one taken joins
    in the read-out of its cost alone (`motley.costs.SelfPrediction`), where by default the two only
    add up. No action is chosen by it; the policy sees it as it sees any other area. What pays for
    the world model's error is `motley.costs.AdversarialCuriosity`.

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
