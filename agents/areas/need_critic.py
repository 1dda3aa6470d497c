"""What values are read from where needs compete."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.areas.food_finder import FACTS, LOOKS
from motley.agents.areas.over_needs import OverNeeds

SCALE = 0.5
"""So that features summed over four needs are about as large as one need's."""


class NeedCritic(Area):
    """Features for values that look alike at every need, and are summed over them.

    Args:
        sizes: features of the needs' levels, of what else is known and of a FoodFinder.
        size: features of the output.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback",)

    def __init__(self, sizes: tuple[int, ...], size: int = 64):
        needs, others, found = sizes
        if found != needs * (FACTS + LOOKS):
            raise ValueError(
                f"NeedCritic wants what a FoodFinder gives of {needs} needs, not {found} features"
            )
        super().__init__(sizes, size)
        self.over_needs = OverNeeds(others, size)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is (time, worlds, size)."""
        level, other, found = inputs
        return SCALE * self.over_needs(found, other, level > 0).sum(-2), state
