"""Predicting where a thing that is out of sight will be seen again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from motley.costs import sighting
from motley.costs.base import State, Trace
from motley.costs.prediction import Prediction

REACH = 4.0
"""Metres that give a target of 1."""


@dataclass(frozen=True)
class OcclusionPrediction(Prediction):
    """Squared error of the place of reappearance, at each step at which the thing is hidden.

    The thing is what moved when the body was at rest for the first time in the episode with
    something moving in view; it is known again by its colour. The target is
    where it is next seen, in the body's frame of the step that predicts: hindsight from the
    senses, no privileged label. A step counts where the thing was seen before and is seen again
    within the rollout and the episode, and the body is free at both (one that is carried away
    meanwhile sees something else).

    Attributes:
        radius: of the thing, metres.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("object permanence",)
    trains: tuple[str, ...] = ("tracker|encoder", "tracker|core")
    reads: str = "tracker|core"
    radius: float = 0.4

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return 2: ahead and left."""
        return 2

    def annotate(
        self, trace: Trace, state: State, heads: torch.nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Find the thing in each view, then look ahead from each step at which it is hidden."""
        vision, felt, starts = trace["vision"], trace["egomotion"], trace.episode_start
        free = trace["go"][..., 0] > 0.5 if "go" in trace else torch.ones_like(starts)
        color = state.get("color", vision.new_zeros(vision.shape[1], 3))
        known = state.get("known", torch.zeros_like(starts[0]))
        before = state.get("view", torch.zeros_like(vision[0]))
        seen, place, file = torch.zeros_like(starts), vision.new_zeros(*starts.shape, 2), []
        for t in range(len(vision)):
            view = sighting.rays(vision[t])
            mover, moved = sighting.mover_color(view, sighting.rays(before))
            known = known & ~starts[t]
            opens = moved & sighting.at_rest(felt[t]) & ~known & ~starts[t]
            color = torch.where(opens.unsqueeze(-1), mover, color)
            known = known | opens
            match = sighting.matching(view, color) & known.unsqueeze(-1)
            place[t], count = sighting.locate(view, match, self.radius)
            seen[t], before = count > 0, vision[t]
            file.append(known)
        again, coming = sighting.seen_again(place, seen, felt, starts, free)
        counts = coming & torch.stack(file)
        notes = {f"{self.name}/target": again / REACH, f"{self.name}/counts": counts}
        return notes, {"color": color, "known": known, "view": before}

    def target(self, trace: Trace) -> Tensor:
        """Return where it is seen next."""
        return trace[f"{self.name}/target"]

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps at which it is hidden and seen again later."""
        return trace[f"{self.name}/counts"]
