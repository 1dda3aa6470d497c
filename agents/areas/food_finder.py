"""For each need: where what fills it is to be found, and how the need itself stands."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State, sum_since_start
from motley.agents.layers import Linear
from motley.costs import sighting
from motley.costs.base import latest

FACTS, LOOKS = 8, 3
"""Numbers of a need in the output: what is known of it and its food, and how the food looks."""
BRIGHTNESS, DRIVE = 3, 7
"""Which of the facts is how bright the food is, and which the drive."""
PER_STEP = 40.0
"""A need that sinks by 1 in so many steps has a rate of 1."""
IN_VIEW = 0.5


class FoodFinder(Area):
    """Attends, for each need, to the rays whose colour is that of its food, and keeps the need.

    The attention of need k to a ray is a softmax of sharpness x (cosine of the ray's colour and
    the food's looks - threshold), beside 0 for none in view; a cosine does not care how bright a
    colour is. It has to be sharp, since hues of neighbouring foods have cosines of 0.9 and a patch
    at hand fills many rays. While none is in view, a need's food is where what was looked for was
    last seen from the body, which serves for the few steps that it slips between rays. A need's
    rate is the mean of what it lost in the steps of the episode so far in which it sank.

    A third input is what a memory recalls. Then what a need's food looks like is the sum of a look
    that stays and a linear function of what is recalled, so that a food that is now here and
    now there is looked for as memory has it.

    The output is, for each need, [ahead and left of the direction, nearness, brightness, in view,
    level, :data:`PER_STEP` x rate, drive] (:data:`FACTS`), and the unit colour that its food is
    looked for by (:data:`LOOKS`), which :class:`~motley.costs.MealAppearance` teaches.

    Args:
        sizes: features of the needs' levels, of ``vision`` and, optionally, of what is recalled.
        setpoint: the level that is best; the drive is ((level - setpoint) / setpoint)^2.
        sharpness: inverse temperature of the attention.
        threshold: cosine from which a ray is attended to rather than none.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback",)
    raw: ClassVar[slice] = slice(1, 2)

    def __init__(
        self,
        sizes: tuple[int, ...],
        setpoint: float = 0.8,
        sharpness: float = 120.0,
        threshold: float = 0.95,
    ):
        if len(sizes) not in (2, 3) or sizes[1] % sighting.CHANNELS:
            raise ValueError(
                f"FoodFinder wants the needs' levels, vision of rays x {sighting.CHANNELS} "
                f"channels and perhaps what is recalled, not sizes {sizes}"
            )
        self.needs = sizes[0]
        super().__init__(sizes, self.needs * (FACTS + LOOKS))
        self.setpoint, self.sharpness, self.threshold = setpoint, sharpness, threshold
        # Short, so that their directions turn fast at first and ever slower as they grow.
        self.looks = nn.Parameter(0.1 * torch.rand(self.needs, LOOKS))
        self.recall = (
            Linear(sizes[2], self.needs * LOOKS, gain=0.1, bias=False) if len(sizes) == 3 else None
        )

    def initial_state(self, n: int) -> State:
        """Return no food seen, and needs of which nothing is known."""
        none = self.looks.new_zeros(n, self.needs)
        seen = self.looks.new_zeros(n, self.needs, 4)
        return {"seen": seen, "level": none, "fell": none.clone(), "falls": none.clone()}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`."""
        level, vision = inputs[:2]
        looks = self.looks.expand(*level.shape, -1)
        if self.recall is not None:
            looks = looks + torch.unflatten(self.recall(inputs[2]), -1, (self.needs, LOOKS))
        looks = nn.functional.normalize(looks, dim=-1)
        found, in_view = self._find(sighting.rays(vision), looks)
        first = episode_start[..., None, None]
        seen = latest(found, (in_view > IN_VIEW) | first, state["seen"])

        before = torch.cat((state["level"].unsqueeze(0), level[:-1]))
        fall = (before - level).clamp(min=0.0)
        fell = sum_since_start(fall, state["fell"], episode_start)
        falls = sum_since_start((fall > 0).to(fall.dtype), state["falls"], episode_start)
        rate = fell / falls.clamp(min=1.0)
        drive = ((level - self.setpoint) / self.setpoint).square()

        facts = torch.stack((level, PER_STEP * rate, drive), -1)
        output = torch.cat((seen, in_view, facts, looks), -1)
        after = {"seen": seen[-1], "level": level[-1], "fell": fell[-1], "falls": falls[-1]}
        return output.flatten(-2), after

    def _find(self, view: Tensor, looks: Tensor) -> tuple[Tensor, Tensor]:
        """Return [ahead, left, nearness, brightness] of each food, and how much it is in view."""
        brightness = view[..., 1:].square().sum(-1, keepdim=True).clamp(min=1e-6).sqrt()
        cosine = (view[..., 1:] / brightness) @ looks.transpose(-1, -2)
        logits = self.sharpness * (cosine - self.threshold)
        logits = logits.masked_fill(view[..., :1] <= sighting.NOTHING, -torch.inf)
        none = torch.zeros_like(logits[..., :1, :])
        attention = torch.cat((none, logits), -2).softmax(-2)[..., 1:, :].transpose(-1, -2)
        way = sighting.directions(view).expand(*view.shape[:-1], -1)
        in_view = attention.sum(-1, keepdim=True)
        found = attention @ torch.cat((way, view[..., :1], brightness), -1)
        return found / in_view.clamp(min=0.1), in_view


def by_need(found: Tensor) -> tuple[Tensor, Tensor]:
    """Return the facts (..., needs, FACTS) and the looks (..., needs, LOOKS) of an output."""
    each = torch.unflatten(found, -1, (-1, FACTS + LOOKS))
    return each[..., :FACTS], each[..., FACTS:]
