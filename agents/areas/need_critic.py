"""What values are read from where needs compete."""

from __future__ import annotations

from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.areas.food_finder import FACTS, LOOKS
from motley.agents.areas.over_needs import OverNeeds


class NeedCritic(Area):
    """Features for values that look alike at every need, and are summed over them.

    Args:
        sizes: features of the needs' levels, of what else is known and of a FoodFinder.
        size: features of the output.
    """

    def __init__(self, sizes: tuple[int, ...], size: int = 64):
        needs, others, found = sizes
        if found != needs * (FACTS + LOOKS):
            raise ValueError(f"NeedCritic wants what a FoodFinder gives of {needs} needs")
        super().__init__(sizes, size)
        self.over_needs = OverNeeds(others, size)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is (time, worlds, size)."""
        level, other, found = inputs
        return 0.5 * self.over_needs(found, other, level > 0).sum(-2), state
