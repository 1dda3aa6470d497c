"""Reading another's gaze, and finding what it points at."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State, check_prior
from motley.agents.layers import Linear
from motley.costs import sighting
from motley.costs.base import latest
from motley.costs.gaze_from_hand import HEAD, unit

PRIORS = ("exact", "noisy", "learnt_code", "learnt")
THING = 0.3
"""Metres from the near side of a thing to its middle."""


class Gaze(Area):
    """Where the head straight ahead looks, and what lies there (joint attention).

    The direction is read from the colour straight ahead, at length 1; each ray is then
    attended to by the angle, seen from the head, between that direction and what the ray meets.
    The output is [direction (2), bearing of what is attended to (2), its colour, centred (3)].
    While the body is free the head is no longer straight ahead: the output stays what it was in
    the first free step.

    Its rungs of prior strength:

    - ``exact``: what each colour means is given, as ``code``; nothing is learnt.
    - ``noisy``: the same code, but turned by a random angle (deviation 0.5 rad) and stretched along
      both axes by random factors (deviation 0.3), which are learnt.
    - ``learnt_code``: the direction is a linear function of the colour, from random weights. That
      the head is straight ahead, and what lies in a direction from there, is given.
    - ``learnt``: nothing of this is given. A network of one hidden layer reads the whole view, the
      hand in it included, and the output is the direction alone: without the geometry a cost that
      says where the head looks does not tell what lies there, and to find that is left to what
      reads this area. That it is held while the body is free is given here too.

    Args:
        sizes: features of ``vision`` and of ``go``.
        prior: the rung.
        sharpness: inverse temperature of the attention, on the cosine of the angle.
        code: where a head looks that is all red, all green and all blue, in degrees to the left of
            straight ahead; those of Caregiver, where it is the same in all episodes. Read by
            ``exact`` and ``noisy``.
        hidden: units of the learnt rung.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        prior: str = "learnt_code",
        sharpness: float = 150.0,
        code: tuple[float, float, float] = (180.0, 300.0, 60.0),
        hidden: int = 32,
    ):
        check_prior("Gaze", prior, PRIORS)
        if len(sizes) != 2 or sizes[0] % sighting.CHANNELS or sizes[1] != 1:
            raise ValueError(
                f"Gaze wants vision of rays x {sighting.CHANNELS} channels and go, "
                f"not sizes {sizes}"
            )
        if len(code) != 3:
            raise ValueError(f"Gaze wants a code of three angles, for red, green, blue, not {code}")
        super().__init__(sizes, 2 if prior == "learnt" else 7)
        self.prior, self.sharpness = prior, sharpness
        if prior == "learnt":
            self.layer = Linear(sizes[0], hidden, gain=2**0.5)
            self.last = Linear(hidden, 2)
        elif prior == "learnt_code":
            self.read = Linear(3, 2, bias=False)
        else:
            angle = torch.deg2rad(torch.tensor(code, dtype=torch.float32))
            self.register_buffer("code", torch.stack((angle.cos(), angle.sin()), -1), False)
        if prior == "noisy":
            self.turn = nn.Parameter(0.5 * torch.randn(()))
            self.stretch = nn.Parameter(torch.exp(0.3 * torch.randn(2)))

    code: Tensor

    def initial_state(self, n: int) -> State:
        """Return nothing held: the ``output`` to hold, and whether the body was ``free``."""
        weight = next(chain(self.parameters(), self.buffers()))
        return {"output": weight.new_zeros(n, self.size), "free": weight.new_zeros(n, 1)}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`."""
        vision, go = inputs
        view, free = sighting.rays(vision), go > 0.5
        found = self._direction(view)
        if self.prior != "learnt":
            found = torch.cat((found, self._along(view, found)), -1)
        was_free = torch.cat((state["free"].unsqueeze(0) > 0, free[:-1]))
        was_free &= ~episode_start.unsqueeze(-1)
        outputs = latest(found, ~(free & was_free), state["output"])
        return outputs, {"output": outputs[-1], "free": free[-1].to(found.dtype)}

    def _direction(self, view: Tensor) -> Tensor:
        """Return where the head looks in each view (time, worlds, rays, 4) by itself."""
        if self.prior == "learnt":
            return unit(self.last(torch.tanh(self.layer(view.flatten(-2)))))
        color = view[..., 0, 1:] - 0.5
        if self.prior == "learnt_code":
            return unit(self.read(color))
        way = color @ self.code
        if self.prior == "noisy":
            ahead, left = (way * self.stretch).unbind(-1)
            cosine, sine = self.turn.cos(), self.turn.sin()
            way = torch.stack((cosine * ahead - sine * left, sine * ahead + cosine * left), -1)
        return unit(way)

    def _along(self, view: Tensor, direction: Tensor) -> Tensor:
        """Return bearing and colour of what lies in a direction from the head straight ahead."""
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
        return torch.cat((bearing, (attention * (view[..., 1:] - 0.5)).sum(-2)), -1)
