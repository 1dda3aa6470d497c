"""A generic core: causal attention over the episode."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State
from motley.agents.layers import Linear, concatenate


class Attention(Area):
    """A transformer's block over the steps of the episode (Vaswani et al. 2017).

    Each step attends to itself and the steps before it of the same episode, the newest
    ``window`` in all; normalisation comes before each part (Xiong et al. 2020). Order is told
    by a bias linear in age, steeper from head to head (ALiBi, Press et al. 2022). Keys and
    values of the window are the state, so that a step costs one query, and an episode goes on
    across rollouts; the carried ones are constants to the gradient.

    Args:
        sizes: features of each input.
        size: features of the block.
        window: steps that can be attended to, the present one among them.
        heads: attention heads.
        head_size: features of a head's keys and values.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback",)

    slopes: Tensor

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int = 64,
        window: int = 128,
        heads: int = 4,
        head_size: int = 8,
    ):
        if min(window, heads, head_size) < 1:
            raise ValueError(
                f"Attention(window={window}, heads={heads}, head_size={head_size}): "
                f"each must be at least 1"
            )
        super().__init__(sizes, size)
        self.window, self.heads, self.head_size = window, heads, head_size
        inner = heads * head_size
        self.embed = Linear(sum(sizes), size)
        self.normal, self.normal_out = nn.LayerNorm(size), nn.LayerNorm(size)
        self.query, self.key, self.value = (Linear(size, inner, bias=False) for _ in range(3))
        self.join = Linear(inner, size)
        self.hidden, self.out = Linear(size, 2 * size, gain=2**0.5), Linear(2 * size, size)
        slopes = torch.tensor([2.0 ** (-8.0 * (i + 1) / heads) for i in range(heads)])
        self.register_buffer("slopes", slopes, persistent=False)

    def initial_state(self, n: int) -> State:
        """Return an empty window: keys and values (worlds, window, heads x head_size)."""
        weight = self.embed.weight
        empty = weight.new_zeros(n, self.window, self.heads * self.head_size)
        return {"keys": empty, "values": empty, "length": weight.new_zeros(n)}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`."""
        x = self.embed(concatenate(inputs))
        seen = self.normal(x)
        # worlds first in what is attended to; the window goes before the sequence
        keys = torch.cat((state["keys"], self.key(seen).transpose(0, 1)), 1)
        values = torch.cat((state["values"], self.value(seen).transpose(0, 1)), 1)
        length, start = state["length"], episode_start.t()
        bias = self._bias(length, start).to(x.dtype)

        queries = self._by_head(self.query(seen).transpose(0, 1)) * self.head_size**-0.5
        weights = torch.softmax(queries @ self._by_head(keys).transpose(2, 3) + bias, -1)
        read = (weights @ self._by_head(values)).permute(2, 0, 1, 3).flatten(2)
        x = x + self.join(read)
        x = x + self.out(torch.relu(self.hidden(self.normal_out(x))))

        steps = len(episode_start)
        order = torch.arange(steps, device=start.device)
        last = torch.where(start, order, -1).amax(1)  # the last start in the sequence
        length = torch.where(last < 0, length + steps, (steps - last).to(length.dtype))
        return x, {
            "keys": keys[:, -self.window :],
            "values": values[:, -self.window :],
            "length": length.clamp(max=self.window),
        }

    def _by_head(self, x: Tensor) -> Tensor:
        """Return (worlds, time, heads x head_size) as (worlds, heads, time, head_size)."""
        return torch.unflatten(x, 2, (self.heads, self.head_size)).transpose(1, 2)

    def _bias(self, length: Tensor, start: Tensor) -> Tensor:
        """Return what is added to the logits, (worlds, heads, time, window + time)."""
        window, steps, device = self.window, start.shape[1], start.device
        position = torch.arange(window + steps, device=device)
        age = position[window:].unsqueeze(1) - position
        episode = start.long().cumsum(1)
        # what the window holds is of the episode before the sequence, where it is filled
        carried = torch.where(position[:window] >= window - length.unsqueeze(1), 0, -1)
        same = torch.cat((carried, episode), 1).unsqueeze(1) == episode.unsqueeze(2)
        allowed = same & (age >= 0) & (age < window)
        bias = -self.slopes.view(-1, 1, 1) * age
        return bias.masked_fill(~allowed.unsqueeze(1), -torch.inf)
