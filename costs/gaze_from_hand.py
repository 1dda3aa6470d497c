"""What gaze means, taught by the hands that it follows: a cost that another area computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs import sighting
from motley.costs.base import State, Trace, next_draw
from motley.costs.mover_event import mover_events
from motley.costs.prediction import Prediction

HEAD, HAND = 0.35, 0.18
"""Metres from the near side of a head and of a hand to their middle."""


def middle_of(view: Tensor, weight: Tensor, deep: float) -> Tensor:
    """Return the weighted middle of what rays meet, ``deep`` metres behind it: (..., 2).

    Args:
        view: (..., rays, 4).
        weight: (..., rays), not negative.
        deep: metres.
    """
    points = (sighting.RANGE * (1 - view[..., :1]) + deep) * sighting.directions(view)
    total = weight.sum(-1, keepdim=True).clamp(min=1e-6)
    return (weight.unsqueeze(-1) * points).sum(-2) / total


def unit(vector: Tensor) -> Tensor:
    """Return vectors (..., 2) at length 1."""
    return vector / vector.square().sum(-1, keepdim=True).clamp(min=1e-9).sqrt()


def of_other_worlds(x: Tensor, counts: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return ``x`` with the rows that count rolled on, world after world, into other worlds.

    Args:
        x: (time, worlds, features).
        counts: (time, worlds) bool.
        generator: of how far.

    Returns:
        The rows rolled, and the steps that count: none where one world has more than half of them.
    """
    total, most = int(counts.sum()), int(counts.sum(0).max())
    if total < 2 * most or total == 0:
        return x, torch.zeros_like(counts)
    # So far on, no row stays in its world: a world has `most` rows at most, one after another.
    far = int(torch.randint(most, total - most + 1, (1,), generator=generator))
    by_world, where = x.transpose(0, 1).clone(), counts.t()
    by_world[where] = by_world[where].roll(far, 0)
    return by_world.transpose(0, 1), counts


@dataclass(frozen=True)
class GazeFromHand(Prediction):
    """Squared error of the direction of gaze, the target being the direction from head to hand.

    The head looks at the hand while it works, so where the hand is says what gaze means, and
    nobody names it (Ullman, Harari & Dorfman 2012). Where the hand is comes from another area,
    ``teacher``, whose output is not trained by this cost: it is better the better that area is. The
    head is what stands straight ahead while the body is held, which are the steps that count, of
    those in which the teacher is sure of a hand. Where there is no such area, the rule for
    mover events itself is the teacher.

    Attributes:
        teacher: the area that gives a logit for each ray.
        sure: least probability of the best ray.
        shuffle: the control: the targets of the steps that count are dealt to the steps that count
            in other worlds, in their order in time. Where the hand is, how often and in what order
            stays as it was; only that it is where this head looks does not. A rollout in which
            one world has more than half of these steps counts for nothing.
        seed: of the deal.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("bootstrapping",)
    alone: ClassVar[tuple[str, ...]] = ("gaze",)
    trains: tuple[str, ...] = ("gaze|core",)
    reads: str = "gaze|core"
    teacher: str = "appearance"
    sure: float = 0.5
    shuffle: bool = False
    seed: int = 0

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return 2: ahead and left."""
        return 2

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the linear read-out; an area ``gaze`` gives the direction itself."""
        return nn.Identity() if self.reads_a("gaze", sizes) else super().heads(sizes)

    def inputs(self, trace: Trace) -> Tensor:
        """Return the direction, which an area ``gaze`` gives first, or the other area's output."""
        return trace["gaze"][..., :2] if self.reads_a("gaze", trace) else trace[self.reads]

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Find the hand in each view: the target, and the steps that count."""
        view = sighting.rays(trace["vision"])
        after: State = {name: x for name, x in state.items() if name != "draws"}
        if self.teacher in trace:
            found = torch.sigmoid(trace[self.teacher])
        else:
            senses = trace["vision"], trace["egomotion"], trace.episode_start
            found, after = mover_events(*senses, after)
        found = found * (view[..., 0] > 0)
        # Sharpened, so that many rays with a little do not pull the middle away.
        hand = middle_of(view, found.pow(4), HAND)
        ahead = nn.functional.one_hot(torch.tensor(0), view.shape[-2]).to(view)
        way = unit(hand - middle_of(view, ahead, HEAD))
        counts = (found.amax(-1) > self.sure) & (view[..., 0, 0] > 0)
        if "go" in trace:
            counts = counts & (trace["go"][..., 0] < 0.5)
        if self.shuffle:
            generator, counted = next_draw(self.name, self.seed, trace, state)
            way, counts = of_other_worlds(way, counts, generator)
            after = {**after, **counted}
        return {f"{self.name}/target": way, f"{self.name}/counts": counts}, after

    def target(self, trace: Trace) -> Tensor:
        """Return the direction from head to hand, a unit vector."""
        return trace[f"{self.name}/target"]

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps in which the body is held and a hand is found."""
        return trace[f"{self.name}/counts"]
