"""What other areas' knowledge leads to: an action among those that an arbiter chooses from."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.layers import Linear, concatenate


class MotorHead(Area):
    """The action that follows from all of its inputs, through one layer.

    Args:
        sizes: features of each input.
        size: numbers that tell an action; filled in by the brain.
        hidden: units of its layer.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback", "direct", "perturbation")
    of_action: ClassVar[bool] = True

    def __init__(self, sizes: tuple[int, ...], size: int, hidden: int = 64):
        super().__init__(sizes, size)
        self.layer = Linear(sum(sizes), hidden, gain=2**0.5)
        self.preference = Linear(hidden, size, gain=0.01)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the preferred action's numbers."""
        return self.preference(torch.tanh(self.layer(concatenate(inputs)))), state
