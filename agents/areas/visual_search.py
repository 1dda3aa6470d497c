"""Looking for something: a query over the rays of vision."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State
from motley.agents.layers import Linear, concatenate


class VisualSearch(Area):
    """A map over rays of how well each matches a query (Treisman & Gelade 1980; Wolfe 1994).

    The query is a linear function of the other inputs; its dot product with the channels of
    each ray is squashed by tanh. Every arm of a study has this read-out: without it even an
    agent that is told the colour to go to learns slowly.

    Args:
        sizes: features of each input; the last input is the vision.
        channels: channels a ray, ray-major.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback", "perturbation")

    def __init__(self, sizes: tuple[int, ...], channels: int = 4):
        *others, vision = sizes
        if not others or vision % channels:
            raise ValueError(
                f"VisualSearch wants inputs to form the query and then vision of rays x "
                f"{channels} channels, not sizes {sizes}"
            )
        super().__init__(sizes, vision // channels)
        self.channels = channels
        self.query = Linear(sum(others), channels)
        # Begin by looking for whatever there is: the map is of use before the query is learnt.
        nn.init.ones_(self.query.bias)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is (time, worlds, rays)."""
        *others, vision = inputs
        query = self.query(concatenate(tuple(others)))
        rays = torch.unflatten(vision, -1, (self.size, self.channels))
        # As a product of matrices: twice as fast as a sum over so short an axis.
        return torch.tanh(torch.matmul(rays, query.unsqueeze(-1)).squeeze(-1)), state
