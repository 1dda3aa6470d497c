"""What the food of each need looks like, taught by meals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs import sighting
from motley.costs.base import State, Trace, next_draw
from motley.costs.prediction import Prediction

VARIANCE = 1 / 9
"""Of a channel of the pure hues, at length 1."""
KEPT = 64
"""Meals that the placebo remembers, since a rollout may have one or none."""


@dataclass(frozen=True)
class MealAppearance(Prediction):
    """Squared error of how a need's food looks, against what was nearest when the need was filled.

    Association of a look with what is rewarding from birth, a need that rises (Pavlov 1927; of the
    looks of food Wilcoxon, Dragoin & Kral 1971). A look is a colour at length 1, since food dims
    when it is eaten. Steps without a meal do not count, nor needs that did not rise. An area
    with the role ``food`` says itself what it looks for; where there is none, it is a linear
    function of the core.

    Attributes:
        meaningless: the placebo teacher: every meal is said to have had the colour of one drawn
            from those of this rollout and the newest :data:`KEPT` before it. What all
            meals have in common it still tells: of a lone food, its colour.
        seed: of the draws.
        sense: where the levels are; what is nearest is read from ``vision``.
    """

    problems: ClassVar[tuple[str, ...]] = ("competing drives",)
    alone: ClassVar[tuple[str, ...]] = ("food",)
    trains: tuple[str, ...] = ("food|core",)
    reads: str = "food|core"
    meaningless: bool = False
    seed: int = 0
    sense: str = "interoception"

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return a colour for each need."""
        return 3 * sizes[self.sense]

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the linear read-out; an area ``food`` says itself what it looks for."""
        return nn.Identity() if self.reads_a("food", sizes) else super().heads(sizes)

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Note the meals, (time, worlds, needs), and the colour that was met, (time, worlds, 3).

        Both stand at the step before, in which the food was still looked for: once it is eaten,
        a memory may recall another one or none. A meal in the dark has no colour and is not
        noted, nor is one in an episode's last step, after which nothing is seen.
        """
        level, after = trace[self.sense], dict[str, Tensor]()
        meals = (trace.next(self.sense) > level) & trace.has_next.unsqueeze(-1)
        view = sighting.rays(trace.next("vision"))
        meals &= (view[..., 0].amax(-1) > sighting.NOTHING).unsqueeze(-1)
        at = view[..., 0].argmax(-1)[..., None, None].expand(*level.shape[:-1], 1, 3)
        color = nn.functional.normalize(view[..., 1:].gather(-2, at).squeeze(-2), dim=-1)
        ate = meals.any(-1)
        if self.meaningless:
            met = torch.cat((state.get("met", color[:0, 0]), color[ate]))
            generator, counted = next_draw(self.name, self.seed, trace, state)
            drawn = torch.rand(int(ate.sum()), generator=generator) * len(met)
            color[ate] = met[drawn.long().to(met.device)]
            after = {**counted, "met": met[-KEPT:]}
        return {f"{self.name}/meals": meals.to(level.dtype), f"{self.name}/color": color}, after

    def target(self, trace: Trace) -> Tensor:
        """Return the colour that was met, once for each need."""
        return trace[f"{self.name}/color"].repeat(1, 1, trace[self.sense].shape[-1])

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps that end with a meal."""
        return trace[f"{self.name}/meals"].sum(-1) > 0

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the error of the needs that rose, in units of the variance of colours.

        Meals are rare, so that a variance of those at hand would often be that of one.
        """
        meals, color = trace[f"{self.name}/meals"], trace[f"{self.name}/color"].unsqueeze(-2)
        given = torch.unflatten(heads(self.inputs(trace)), -1, (meals.shape[-1], -1))
        error = (given[..., -3:] - color).square().mean(-1)
        count = meals.sum().clamp(min=1.0)
        share = meals.numel() / meals.shape[-1] / count  # the mean over steps is that over meals
        return (error * meals).sum(-1) * share / VARIANCE
