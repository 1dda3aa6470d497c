"""The generic core: a gated recurrent unit."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.areas.gru_scan import scan
from motley.agents.layers import Linear, compiled, concatenate


class GRU(Area):
    """A gated recurrent unit (Cho et al. 2014), in the form of :class:`torch.nn.GRU`.

    The input's part of the gates is computed for all steps at once; only the recurrent part
    is a loop, compiled for float32 on the CPU.

    Args:
        sizes: features of each input.
        size: number of units.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback", "perturbation")

    def __init__(self, sizes: tuple[int, ...], size: int = 64):
        super().__init__(sizes, size)
        self.input = Linear(sum(sizes), 3 * size)
        self.recurrent = Linear(size, 3 * size)

    def initial_state(self, n: int) -> State:
        """Return zeros, (worlds, size)."""
        return {"hidden": self.input.weight.new_zeros(n, self.size)}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`."""
        given, first = self.input(concatenate(inputs)), state["hidden"]
        # The compiled form is backprop's.
        if compiled(given) and self.recurrent.rule is None:
            weight, bias = self.recurrent.weight, self.recurrent.bias
            outputs = scan(given, episode_start, first, weight, bias)
        else:
            outputs = self.loop(given, episode_start, first)
        return outputs, {"hidden": outputs[-1]}

    def loop(self, given: Tensor, episode_start: Tensor, first: Tensor) -> Tensor:
        """Run over a sequence in plain torch: any device, any precision, any derivative.

        Args:
            given: the input's part of reset, update and candidate, (time, worlds, 3 size).
            episode_start: (time, worlds) bool.
            first: the state before the first step, (worlds, size).

        Returns:
            The hidden states, (time, worlds, size).
        """
        split = 2 * self.size
        gates, candidates = torch.split(given, [split, self.size], -1)
        keep = (~episode_start).to(given.dtype).unsqueeze(-1)
        hidden, outputs = first, []
        # unbind, since indexing by time inside the loop is quadratic in time under autograd
        steps = zip(gates.unbind(0), candidates.unbind(0), keep.unbind(0), strict=True)
        for gate, candidate, kept in steps:
            hidden = hidden * kept
            gate_h, candidate_h = self.recurrent(hidden).split((split, self.size), -1)
            reset, update = torch.sigmoid(gate + gate_h).chunk(2, -1)
            hidden = torch.lerp(torch.tanh(candidate + reset * candidate_h), hidden, update)
            outputs.append(hidden)
        return torch.stack(outputs)
