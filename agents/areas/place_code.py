"""Place cells: where the body is, seen from the place and the heading that it began with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State, check_prior
from motley.costs.ring import population_vector


class PlaceCode(Area):
    """Cells with fields over the plane round home, from the way home and the heading.

    The way home is in the body's frame; turned by the heading that the ring's cells tell, and
    reversed, it is the place in the frame of the episode's first heading. Cell i fires with
    softmax(-|place - centre_i|^2 / (2 width^2)) (the place cells of Banino et al. 2018).

    Its rungs of prior strength:

    - ``exact``: centres on a square grid over the plane; nothing is learnt.
    - ``learnt``: centres start at random in the same square and are learnt, as is the width.

    Args:
        sizes: features of the two inputs: the way home (ahead, left), as a
            :class:`PathIntegrator` gives it, and the cells of a :class:`HeadDirection`.
        size: number of cells; a square number for ``exact``.
        prior: the rung.
        extent: half the side of the square, in units of the way home.
        width: standard deviation of a field, in the same unit; at first, where it is learnt.
    """

    centres: Tensor
    log_width: Tensor

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int = 64,
        prior: str = "exact",
        extent: float = 1.5,
        width: float = 0.3,
    ):
        check_prior("PlaceCode", prior, ("exact", "learnt"))
        if len(sizes) != 2 or sizes[0] != 2:
            raise ValueError(
                f"PlaceCode wants the way home (2 numbers) and a ring of head-direction cells, "
                f"not inputs of sizes {tuple(sizes)}"
            )
        super().__init__(sizes, size)
        log_width = torch.tensor(float(width)).log()
        if prior == "learnt":
            self.centres = nn.Parameter(extent * (2 * torch.rand(size, 2) - 1))
            self.log_width = nn.Parameter(log_width)
            return
        side = round(size**0.5)
        if side**2 != size:
            raise ValueError(f"PlaceCode(size={size}, prior='exact'): give a square number")
        line = torch.linspace(-extent, extent, side)
        self.register_buffer("centres", torch.cartesian_prod(line, line), persistent=False)
        self.register_buffer("log_width", log_width, persistent=False)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the cells' activity, which sums to 1."""
        home, ring = inputs
        ahead, left = home.unbind(-1)
        cosine, sine = population_vector(ring).unbind(-1)
        place = torch.stack((sine * left - cosine * ahead, -sine * ahead - cosine * left), -1)
        squared = (place.unsqueeze(-2) - self.centres).square().sum(-1)
        return torch.softmax(-0.5 * squared * torch.exp(-2 * self.log_width), -1), state
