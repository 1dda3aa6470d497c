"""Working memory: a few slots that keep what was let in."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State, check_prior
from motley.agents.areas.min_gru import linear_scan
from motley.agents.layers import Linear, concatenate

PRIORS = ("raw", "learnt")


class WorkingMemory(Area):
    """Slots with a gate each (O'Reilly & Frank 2006): slot = gate * content + (1 - gate) * slot.

    A closed slot keeps its content however long, an open one has it replaced; there is no other
    way for anything to change. All slots are offered the same content.

    Its rungs of prior strength: ``raw``, a slot holds what was sensed; ``learnt``, a linear
    function of it.

    Args:
        sizes: features of each input; the last is the gate, one number a slot.
        size: features of all slots together; for ``raw`` that is slots times what is sensed.
        prior: the rung.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback",)

    def __init__(self, sizes: tuple[int, ...], size: int, prior: str = "raw"):
        check_prior("WorkingMemory", prior, PRIORS)
        if len(sizes) < 2:
            raise ValueError("WorkingMemory wants contents and, as its last input, a gate")
        super().__init__(sizes, size)
        self.slots, sensed = sizes[-1], sum(sizes[:-1])
        self.width, rest = divmod(size, self.slots)
        if rest or (prior == "raw" and self.width != sensed):
            wanted = self.slots * sensed if prior == "raw" else f"a multiple of {self.slots}"
            raise ValueError(
                f"WorkingMemory(size={size}): {self.slots} slots of {sensed} features sensed "
                f"want {wanted} for prior={prior!r}"
            )
        self.content = Linear(sensed, self.width, bias=False) if prior == "learnt" else None

    def initial_state(self, n: int) -> State:
        """Return empty slots: zeros, (worlds, slots, width)."""
        device = self.content.weight.device if self.content is not None else None
        return {"held": torch.zeros(n, self.slots, self.width, device=device)}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the slots side by side, (time, worlds, size)."""
        *sensed, gate = inputs
        content = concatenate(tuple(sensed))
        if self.content is not None:
            content = self.content(content)
        gate = gate.unsqueeze(-1)
        keep = (1.0 - gate) * (~episode_start).to(gate.dtype).view(*episode_start.shape, 1, 1)
        held = linear_scan(keep.expand(-1, -1, -1, self.width), gate * content.unsqueeze(-2),
                           state["held"].to(gate))  # fmt: skip
        return held.flatten(-2), {"held": held[-1]}
