"""What one need wants: an action, and how much it matters now."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State
from motley.agents.layers import Linear, concatenate


class DriveHead(Area):
    """The preferred action of one need, and its bid for it (Dulberg et al. 2023).

    One of several selves: it looks for what it needs by a template of its own, a learnt constant
    over the channels of a ray, and prefers an action given the match on each ray and what the
    shared areas make of the senses. The last output is its bid, which `Arbiter` adds to the level
    of its drive.

    Args:
        sizes: features of each input; the last input is the vision.
        size: numbers that the action's distribution takes; filled in by the brain. The output
            has one more.
        channels: channels a ray, ray-major.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback",)
    of_action: ClassVar[bool] = True

    def __init__(self, sizes: tuple[int, ...], size: int, channels: int = 4):
        *others, vision = sizes
        if not others or vision % channels:
            raise ValueError(
                f"DriveHead wants what the shared areas know and then vision of rays x "
                f"{channels} channels, not sizes {sizes}"
            )
        super().__init__(sizes, size + 1)
        self.rays = vision // channels
        # Begin by looking for whatever there is, each need a little differently.
        self.template = nn.Parameter(1.0 + 0.5 * torch.randn(channels))
        self.preference = Linear(sum(others) + self.rays, size + 1, gain=0.01)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the preferred action's numbers, and the bid."""
        *others, vision = inputs
        rays = torch.unflatten(vision, -1, (self.rays, len(self.template)))
        match = torch.tanh((rays * self.template).sum(-1))
        return self.preference(concatenate((*others, match))), state
