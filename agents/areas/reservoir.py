"""A generic core that does not learn: an echo-state network."""

from __future__ import annotations

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.layers import concatenate


class Reservoir(Area):
    """A random recurrent net of leaky units whose weights stay as drawn (Jaeger 2001).

    h' = (1 - leak) h + leak tanh(W h + V x + b). Only what reads it learns; a gradient passes
    through it to the areas before it. A spectral radius below 1 lets it forget where it began.

    Args:
        sizes: features of each input.
        size: number of units.
        radius: spectral radius of the recurrent weights W.
        scale: standard deviation of what the inputs add to a unit, for inputs of variance 1.
        leak: share of the state replaced in a step.
    """

    given: Tensor
    recurrent: Tensor
    bias: Tensor

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int = 256,
        radius: float = 0.95,
        scale: float = 0.5,
        leak: float = 1.0,
    ):
        if not 0.0 < leak <= 1.0:
            raise ValueError(f"Reservoir(leak={leak}): give a share above 0 and up to 1")
        super().__init__(sizes, size)
        self.leak = leak
        features = sum(sizes)
        recurrent = torch.randn(size, size)
        if not recurrent.is_meta:
            recurrent *= radius / torch.linalg.eigvals(recurrent).abs().max()
        self.register_buffer("recurrent", recurrent)
        self.register_buffer("given", scale * features**-0.5 * torch.randn(size, features))
        self.register_buffer("bias", 0.1 * torch.randn(size))

    def initial_state(self, n: int) -> State:
        """Return zeros, (worlds, size)."""
        return {"hidden": self.bias.new_zeros(n, self.size)}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`."""
        given = torch.nn.functional.linear(concatenate(inputs), self.given, self.bias)
        keep = (~episode_start).to(given.dtype).unsqueeze(-1)
        hidden, outputs = state["hidden"], []
        for now, kept in zip(given.unbind(0), keep.unbind(0), strict=True):
            hidden = hidden * kept
            driven = torch.tanh(torch.addmm(now, hidden, self.recurrent.t()))
            hidden = torch.lerp(hidden, driven, self.leak)
            outputs.append(hidden)
        return torch.stack(outputs), {"hidden": hidden}
