"""The gate of working memory: what is let in, and where."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State
from motley.agents.layers import GAINS, Linear, concatenate


class BasalGangliaGate(Area):
    """Opens the slots of a working memory (O'Reilly & Frank 2006; Todd, Niv & Cohen 2008).

    One number a slot: 1 lets in what is there, 0 keeps what is held. What should be let in
    depends on what is held, so that the gate is to read the memory one step late
    (``"memory@-1"``). A hard gate is open or closed, and learns by the gradient of the soft one
    (the straight-through estimate of Bengio et al. 2013).

    Args:
        sizes: features of each input.
        size: number of slots.
        hidden: width of the layer before, which lets a slot wait for one thing *and* another.
        hard: whether the gate is 0 or 1, or anything between.
        openness: initial logit of every slot; below zero, memory is kept unless there is cause.
        gain: scale of the last layer's initial weights; a larger one tells inputs apart from the
            start.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback",)

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int = 4,
        hidden: int = 32,
        hard: bool = False,
        openness: float = -1.0,
        gain: float = 1.0,
    ):
        super().__init__(sizes, size)
        self.hard = hard
        self.layer = Linear(sum(sizes), hidden, GAINS["tanh"])
        self.last = Linear(hidden, size, gain)
        nn.init.constant_(self.last.bias, openness)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is how far each slot is open, (time, worlds, slots)."""
        soft = torch.sigmoid(self.last(torch.tanh(self.layer(concatenate(inputs)))))
        if not self.hard:
            return soft, state
        return (soft > 0.5).to(soft.dtype) + (soft - soft.detach()), state
