"""A generic core: a gated recurrence that is linear in its state, computed without a loop."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.layers import Linear, concatenate


class MinGRU(Area):
    """Layers of minimal gated recurrent units (Feng et al. 2024, section 3.1).

    The gate and the candidate depend on the layer's input alone: z = sigmoid(Linear(x)),
    h' = (1 - z) h + z Linear(x). A unit can thus hold and overwrite; what depends on what is
    held takes a second layer.

    Args:
        sizes: features of each input.
        size: number of units of every layer.
        depth: how many layers.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback", "perturbation")

    def __init__(self, sizes: tuple[int, ...], size: int = 64, depth: int = 2):
        super().__init__(sizes, size)
        widths = [sum(sizes)] + [size] * depth
        self.layers = [Linear(a, 2 * b) for a, b in pairwise(widths)]
        for i, layer in enumerate(self.layers):
            self.add_module(f"layer{i}", layer)

    def initial_state(self, n: int) -> State:
        """Return zeros, (worlds, layers, size)."""
        return {"hidden": self.layers[0].weight.new_zeros(n, len(self.layers), self.size)}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the last layer's state, (time, worlds, size)."""
        x, last = concatenate(inputs), []
        for layer, before in zip(self.layers, state["hidden"].unbind(1), strict=True):
            gate, candidate = layer(x).chunk(2, -1)
            update = torch.sigmoid(gate)
            keep = (1.0 - update) * (~episode_start).to(x.dtype).unsqueeze(-1)
            x = linear_scan(keep, update * candidate, before)
            last.append(x[-1])
        return x, {"hidden": torch.stack(last, 1)}


def linear_scan(factor: Tensor, term: Tensor, first: Tensor) -> Tensor:
    """Return h with h[t] = factor[t] * h[t - 1] + term[t], by doubling (Hillis & Steele 1986).

    After the pass of stride s, ``term[t]`` holds what the last 2 s steps add up to and
    ``factor[t]`` what is left of anything before them; log2(time) passes do. Nothing is divided,
    so a factor of zero (the start of an episode) is exact.

    Args:
        factor: (time, worlds, size).
        term: (time, worlds, size).
        first: the state before, (worlds, size).
    """
    term = torch.cat(((term[0] + factor[0] * first).unsqueeze(0), term[1:]))
    stride = 1
    while stride < len(term):
        later = torch.addcmul(term[stride:], factor[stride:], term[:-stride])
        term = torch.cat((term[:stride], later))
        factor = torch.cat((factor[:stride], factor[stride:] * factor[:-stride]))
        stride *= 2
    return term
