"""What a hand looks like, taught by an innate rule for things that set others moving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs import sighting
from motley.costs.base import State, Trace, latest, next_draw
from motley.costs.prediction import Prediction

NEXT_DOOR = 3
"""Rays to either side in which what left a ray is looked for."""


def mover_events(
    vision: Tensor, egomotion: Tensor, episode_start: Tensor, state: State
) -> tuple[Tensor, State]:
    """Find mover events in successive views (Ullman, Harari & Dorfman 2012).

    Something comes before a thing that was at rest, goes on to the side, and the thing is then
    somewhere else: what left it is a mover. In rays: a ray shows the colour that it showed at
    rest again, nearer or farther, and what it showed a step ago is now next door. The rule knows
    no colours and no shapes, says nothing of still views, and nothing while the body moves.

    Args:
        vision: (time, worlds, rays x 4).
        egomotion: (time, worlds, 3).
        episode_start: (time, worlds) bool.
        state: what the last call returned; empty at the first.

    Returns:
        (time, worlds, rays), 1 on the rays that show a mover in the step in which it leaves; and
        the state: ``view``, the last, and ``rest``, what each ray showed when it last was at rest.
    """
    first = {name: state.get(name, torch.zeros_like(vision[0])) for name in ("view", "rest")}
    view = sighting.rays(vision)
    before = sighting.rays(torch.cat((first["view"].unsqueeze(0), vision[:-1])))
    goes_on = (sighting.at_rest(egomotion) & ~episode_start).unsqueeze(-1)
    same = _alike(view, before) & ((view - before)[..., 0].abs() < sighting.MOVED)
    at_rest = (same & goes_on).unsqueeze(-1)
    settled = torch.where(at_rest, view, torch.zeros_like(view))
    rest = latest(settled, at_rest | ~goes_on.unsqueeze(-1), sighting.rays(first["rest"]))
    old = torch.cat((sighting.rays(first["rest"]).unsqueeze(0), rest[:-1]))
    displaced = (view - old)[..., 0].abs() > 10 * sighting.MOVED
    uncovered = goes_on & ~same & (old[..., 0] > 0) & _alike(view, old) & displaced
    uncovered &= ~_alike(before, old)
    events = torch.zeros_like(uncovered)
    for shift in range(-NEXT_DOOR, NEXT_DOOR + 1):
        # What the uncovered ray showed a step ago is now `shift` rays on.
        left, was = uncovered.roll(shift, -1), before.roll(shift, -2)
        events |= left & _alike(view, was) & (view[..., 0] > 0)
    return events.to(vision.dtype), {"view": vision[-1], "rest": rest[-1].flatten(-2)}


def _alike(view: Tensor, other: Tensor) -> Tensor:
    """Return which rays show the same colour in two views (..., rays, 4): (..., rays) bool."""
    return (view - other)[..., 1:].abs().amax(-1) < sighting.ALIKE


@dataclass(frozen=True)
class MoverEvent(Prediction):
    """Cross-entropy of telling the rays that show a mover from the other rays of the same view.

    The labels are those of the rule :func:`mover_events`; views in which it is silent do not
    count, so that what the area says of still views is its own. ``appearance`` gives the logits
    itself; where there is none, they are a linear function of the core.

    Attributes:
        meaningless: the placebo teacher: in the same steps as many labels, on rays of the
            view drawn at random.
        seed: of these.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("bootstrapping",)
    alone: ClassVar[tuple[str, ...]] = ("appearance",)
    trains: tuple[str, ...] = ("appearance|core",)
    reads: str = "appearance|core"
    meaningless: bool = False
    seed: int = 0

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return one logit a ray."""
        return sizes["vision"] // sighting.CHANNELS

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the linear read-out; an area ``appearance`` gives the logits itself."""
        return nn.Identity() if self.reads_a("appearance", sizes) else super().heads(sizes)

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Apply the rule: labels, (time, worlds, rays)."""
        rule: State = {name: x for name, x in state.items() if name != "draws"}
        events, rule = mover_events(trace["vision"], trace["egomotion"], trace.episode_start, rule)
        if self.meaningless:
            generator, counted = next_draw(self.name, self.seed, trace, state)
            luck = torch.rand(events.shape, generator=generator).to(events.device)
            luck = luck * (sighting.rays(trace["vision"])[..., 0] > 0)
            # As many rays of the view as the rule named, those with the most luck.
            rank = luck.argsort(-1, descending=True).argsort(-1)
            events = (rank < events.sum(-1, keepdim=True)).to(events.dtype)
            rule = {**rule, **counted}
        return {f"{self.name}/labels": events}, rule

    def target(self, trace: Trace) -> Tensor:
        """Return the labels, 1 on rays that show a mover."""
        return trace[f"{self.name}/labels"]

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps in which there is an event."""
        return self.target(trace).sum(-1) > 0

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the cross-entropy, positive and negative rays weighing the same."""
        logits, labels = heads(self.inputs(trace)), self.target(trace)
        others = (1 - labels) * (sighting.rays(trace["vision"])[..., 0] > 0)
        entropy = nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        one = (entropy * labels).sum(-1) / labels.sum(-1).clamp(min=1.0)
        two = (entropy * others).sum(-1) / others.sum(-1).clamp(min=1.0)
        counts = self.mask(trace).to(logits.dtype)
        return (one + two) * counts * (counts.numel() / counts.sum().clamp(min=1.0))
