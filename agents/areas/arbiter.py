"""Who gets its way: the needs' preferred actions, weighted by how strong each drive is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motley.agents.areas.actor import Actor
from motley.agents.areas.base import Area, State


class Arbiter(Actor):
    """An actor that mixes what several heads prefer (Dulberg et al. 2023).

    Each head's weight is a softmax over the needs of ``sharpness`` x drive + bid, where the drive
    is ((level - setpoint) / setpoint)^2. A need that reads zero is not there (a body whose need
    is at zero is dead) and has no weight; where there is none at all, all heads weigh alike.

    Args:
        sizes: features of each input: first the levels of the needs, then what each head gives.
        size: numbers that the distribution takes; filled in by the brain.
        deviations: how many standard deviations it takes; filled in by the brain.
        setpoint: the level of a need that is best.
        sharpness: initial weight of the drives, learnt.
        swapped: head 0 is weighed by the drive of need 1 and the reverse, and so on in pairs:
            the control whose arbitration does not fit. Where the needs are odd in number, the
            last one trades places with one that is not there.
        deviation: initial standard deviation.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int,
        deviations: int,
        setpoint: float = 0.8,
        sharpness: float = 4.0,
        swapped: bool = False,
        deviation: float = 1.0,
    ):
        needs, *heads = sizes
        if len(heads) != needs or set(heads) != {size + 1}:
            raise ValueError(
                f"Arbiter wants the levels of {needs} needs and as many heads of {size + 1} "
                f"numbers, not {heads}"
            )
        Area.__init__(self, sizes, size)
        self.setpoint = setpoint
        order = torch.arange(needs)
        self.register_buffer("order", order ^ 1 if swapped and needs > 1 else order, False)
        self.log_sharpness = nn.Parameter(torch.tensor(float(sharpness)).log())
        self.log_std = nn.Parameter(torch.full((deviations,), float(deviation)).log())

    order: Tensor

    def weights(self, levels: Tensor, bids: Tensor) -> Tensor:
        """Return the weight of each head, (time, worlds, needs), which sum to one."""
        levels = levels[..., self.order]
        drive = ((levels - self.setpoint) / self.setpoint).square()
        absent = levels <= 0.0
        absent = absent & ~absent.all(-1, keepdim=True)
        logits = self.log_sharpness.exp() * drive + bids
        return logits.masked_fill(absent, -torch.inf).softmax(-1)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`."""
        levels, *heads = inputs
        wanted = torch.stack(heads, -2)  # (time, worlds, needs, size + 1)
        weights = self.weights(levels, wanted[..., -1])
        return (weights.unsqueeze(-1) * wanted[..., :-1]).sum(-2), state
