"""Head direction: a bump of activity on a ring, moved by the body's own turning."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State, sum_since_start
from motley.agents.areas.path_integrator import GAIN, Egomotion, check_egomotion
from motley.costs.ring import preferred


class HeadDirection(Area):
    """The heading relative to the episode's first, as a ring of cells (Taube et al. 1990).

    Cell i fires with exp(sharpness (cos(heading - 2 pi i / size) - 1)): a bump that keeps its
    form and is moved round the ring by the turn, which is what a ring attractor does in the
    limit of many cells (Skaggs et al. 1995; Zhang 1996). The heading adds up linearly, so a
    sequence takes no loop.

    Its rungs of prior strength:

    - ``exact``: the turn is read off the sense; nothing is learnt.
    - ``noisy``: the same, with a gain that starts wrong by a random factor (deviation 0.3)
      and is learnt.
    - ``learnt``: only the ring is given: cosine and sine of what moves the bump are linear
      functions of all inputs, from random weights.

    Args:
        sizes: features of each input; the first is ``egomotion``: forward displacement, sine
            and cosine of the turn.
        size: cells on the ring.
        prior: the rung.
        sharpness: concentration of the bump; 8 makes it half as high 24 degrees off.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback",)
    raw: ClassVar[slice] = slice(None)

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int = 16,
        prior: str = "learnt",
        sharpness: float = 8.0,
    ):
        check_egomotion("HeadDirection", sizes, prior)
        super().__init__(sizes, size)
        self.prior, self.sharpness = prior, sharpness
        if prior == "noisy":
            self.gain = nn.Parameter(torch.exp(0.3 * torch.randn(())))
        elif prior == "learnt":
            self.turning = nn.Parameter(0.3 / GAIN * torch.randn(2, sum(sizes)))
        self.register_buffer("preferred", preferred(size), persistent=False)

    preferred: Tensor

    def initial_state(self, n: int) -> State:
        """Return the first heading, zero: (worlds,), in radians."""
        return {"heading": self.preferred.new_zeros(n)}

    def _turn(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return how far the bump moves, in radians, (time, worlds)."""
        felt = Egomotion(inputs)
        if self.prior == "learnt":
            cosine, sine = felt.linear(GAIN * self.turning).unbind(-1)
            return torch.atan2(sine, 1.0 + cosine)
        return felt.turn * self.gain if self.prior == "noisy" else felt.turn

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the cells' activity, (time, worlds, size)."""
        heading = sum_since_start(self._turn(inputs), state["heading"], episode_start)
        bump = torch.cos(heading.unsqueeze(-1) - self.preferred) - 1.0
        return torch.exp(self.sharpness * bump), {"heading": heading[-1]}
