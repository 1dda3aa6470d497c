"""Reading another's gaze, and finding what it points at."""

from __future__ import annotations

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.layers import Linear
from motley.costs import sighting
from motley.costs.base import latest
from motley.costs.gaze_from_hand import HEAD, unit

THING = 0.3
"""Metres from the near side of a thing to its middle."""


class Gaze(Area):
    """Where the head straight ahead looks, and what lies there (joint attention).

    The direction is a linear function of the colour straight ahead, at length 1; each ray is then
    attended to by the angle, seen from the head, between that direction and what the ray meets.
    The output is [direction (2), bearing of what is attended to (2), its colour, centred (3)].
    While the body is free the head is no longer straight ahead: the output stays what it was in
    the first free step.

    Args:
        sizes: features of ``vision`` and of ``go``.
        sharpness: inverse temperature of the attention, on the cosine of the angle.
    """

    def __init__(self, sizes: tuple[int, ...], sharpness: float = 150.0):
        if len(sizes) != 2 or sizes[0] % sighting.CHANNELS or sizes[1] != 1:
            raise ValueError(
                f"Gaze wants vision of rays x {sighting.CHANNELS} channels and go, "
                f"not sizes {sizes}"
            )
        super().__init__(sizes, 7)
        self.sharpness = sharpness
        self.read = Linear(3, 2, bias=False)

    def initial_state(self, n: int) -> State:
        """Return nothing held: the ``output`` to hold, and whether the body was ``free``."""
        weight = self.read.weight
        return {"output": weight.new_zeros(n, self.size), "free": weight.new_zeros(n, 1)}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`."""
        vision, go = inputs
        found, free = self._find(sighting.rays(vision)), go > 0.5
        was_free = torch.cat((state["free"].unsqueeze(0) > 0, free[:-1]))
        was_free &= ~episode_start.unsqueeze(-1)
        outputs = latest(found, ~(free & was_free), state["output"])
        return outputs, {"output": outputs[-1], "free": free[-1].to(found.dtype)}

    def _find(self, view: Tensor) -> Tensor:
        """Return the output of each view (time, worlds, rays, 4) by itself."""
        direction = unit(self.read(view[..., 0, 1:] - 0.5))
        way = sighting.directions(view)
        far = sighting.RANGE * (1 - view[..., :1])
        head = (far[..., :1, :] + HEAD) * way[0]
        seen_from_head = unit((far + THING) * way - head)
        cosine = (seen_from_head * direction.unsqueeze(-2)).sum(-1)
        # Neither what is not there nor the head itself.
        nothing = view[..., 0] <= sighting.NOTHING
        itself = (view - view[..., :1, :])[..., 1:].abs().amax(-1) < sighting.ALIKE
        logits = (self.sharpness * cosine).masked_fill(nothing | itself, -1e4)
        attention = torch.softmax(logits, -1).unsqueeze(-1)
        bearing = (attention * way).sum(-2)
        return torch.cat((direction, bearing, (attention * (view[..., 1:] - 0.5)).sum(-2)), -1)
