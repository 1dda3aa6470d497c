"""The encoder of images."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State
from motley.agents.layers import Linear


class Convolution(Area):
    """A small convolutional net over each image by itself.

    Layers of 3 x 3 filters with stride 2 halve the image until no side is longer than 4, so that
    the last, fully connected layer is small whatever the image's size.

    Args:
        sizes: features of the one input, an image flattened channels first.
        shape: channels, height and width of the image.
        size: features of the output.
        channels: filters of each layer.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        shape: tuple[int, int, int],
        size: int = 64,
        channels: int = 16,
    ):
        depth, height, width = shape
        if tuple(sizes) != (depth * height * width,):
            raise ValueError(
                f"Convolution(shape={tuple(shape)}) wants one input of "
                f"{depth * height * width} features, not {tuple(sizes)}"
            )
        super().__init__(sizes, size)
        self.shape = tuple(shape)
        filters = [depth]
        while max(height, width) > 4:
            height, width = (height + 1) // 2, (width + 1) // 2
            filters.append(channels)
        self.filters = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(filters)
        )
        for layer in self.filters:
            if isinstance(layer, nn.Conv2d) and not layer.weight.is_meta:
                nn.init.orthogonal_(layer.weight, 2.0**0.5)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.out = Linear(filters[-1] * height * width, size, 2.0**0.5)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`."""
        (flat,) = inputs
        x = flat.reshape(-1, *self.shape)
        for layer in self.filters:
            x = torch.relu(layer(x))
        x = torch.relu(self.out(x.flatten(1)))
        return x.view(*flat.shape[:-1], self.size), state
