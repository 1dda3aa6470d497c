"""Telling a kind of thing by its looks, on each ray by itself."""

from __future__ import annotations

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.layers import Linear
from motley.costs import sighting


class Appearance(Area):
    """One small network on the colour of each ray: how much it looks like what it is taught.

    Which kind of thing that is, is up to the cost that trains it (hands, taught by mover events);
    place and motion are not among its inputs, so that it says the same of a still view. Rays that
    meet nothing get -8.

    Args:
        sizes: features of ``vision``.
        hidden: units of its layer.
    """

    def __init__(self, sizes: tuple[int, ...], hidden: int = 16):
        if len(sizes) != 1 or sizes[0] % sighting.CHANNELS:
            raise ValueError(
                f"Appearance wants vision of rays x {sighting.CHANNELS} channels, not sizes {sizes}"
            )
        super().__init__(sizes, sizes[0] // sighting.CHANNELS)
        self.layer = Linear(3, hidden, gain=2.0)
        self.last = Linear(hidden, 1)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is a logit a ray, (time, worlds, rays)."""
        view = sighting.rays(inputs[0])
        logit = self.last(torch.tanh(self.layer(2 * view[..., 1:] - 1))).squeeze(-1)
        return torch.where(view[..., 0] > sighting.NOTHING, logit, -8.0), state
