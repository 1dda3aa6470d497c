"""A generic core: long short-term memory."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State
from motley.agents.layers import Linear, concatenate


class LSTM(Area):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000).

    In the form of :class:`torch.nn.LSTM`; the forget gate starts open (bias 1, Jozefowicz et
    al. 2015). The input's part of the gates is computed for all steps at once.

    Args:
        sizes: features of each input.
        size: number of units.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback", "perturbation")

    def __init__(self, sizes: tuple[int, ...], size: int = 64):
        super().__init__(sizes, size)
        self.input = Linear(sum(sizes), 4 * size)
        self.recurrent = Linear(size, 4 * size, bias=False)
        nn.init.ones_(self.input.bias[size : 2 * size])

    def initial_state(self, n: int) -> State:
        """Return zeros, each (worlds, size)."""
        zeros = self.input.weight.new_zeros(n, self.size)
        return {"hidden": zeros, "cell": zeros}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the hidden state, (time, worlds, size)."""
        given = self.input(concatenate(inputs))
        keep = (~episode_start).to(given.dtype).unsqueeze(-1)
        hidden, cell, outputs = state["hidden"], state["cell"], []
        for now, kept in zip(given.unbind(0), keep.unbind(0), strict=True):
            gates = now + self.recurrent(hidden * kept)
            enter, forget, candidate, leave = gates.chunk(4, -1)
            cell = torch.sigmoid(forget) * cell * kept + torch.sigmoid(enter) * candidate.tanh()
            hidden = torch.sigmoid(leave) * cell.tanh()
            outputs.append(hidden)
        return torch.stack(outputs), {"hidden": hidden, "cell": cell}
