"""What one need wants: an action."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.areas.food_finder import FACTS, LOOKS, by_need
from motley.agents.layers import Linear


class DriveHead(Area):
    """The action that one need prefers (Dulberg et al. 2023): one of several selves.

    It knows its own need and its own food and nothing of the others: whose turn it is, is for the
    `Arbiter` to say. With all senses each head would learn the whole task, and a choice
    between them would be none.

    Args:
        sizes: features of a FoodFinder.
        size: numbers that tell an action; filled in by the brain.
        need: which one.
        hidden: units of its layer.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback",)
    of_action: ClassVar[bool] = True

    def __init__(self, sizes: tuple[int, ...], size: int, need: int, hidden: int = 16):
        if len(sizes) != 1 or not 0 <= need < sizes[0] / (FACTS + LOOKS):
            raise ValueError(
                f"DriveHead of need {need} wants what a FoodFinder gives of so many needs, "
                f"not sizes {sizes}"
            )
        super().__init__(sizes, size)
        self.need = need
        self.layer = Linear(FACTS, hidden, gain=2**0.5)
        self.preference = Linear(hidden, size, gain=0.01)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the preferred action's numbers."""
        own = by_need(inputs[0])[0][..., self.need, :]
        return self.preference(torch.tanh(self.layer(own))), state
