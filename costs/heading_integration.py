"""Knowing which way one faces: the heading, added up from felt turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import State, Trace, latest
from motley.costs.prediction import Prediction
from motley.costs.ring import population_vector


class _PopulationVector(nn.Module):
    """What a ring's cells tell together; nothing is learnt."""

    def forward(self, activity: Tensor) -> Tensor:
        return population_vector(activity)


@dataclass(frozen=True)
class HeadingIntegration(Prediction):
    """Squared error of the heading relative to the episode's first, as its cosine and sine.

    The target is the sum of the turns that the body itself felt (the noisy sense ``egomotion``)
    since the episode began: no privileged label, but a teacher that contains part of the answer, as
    the rung ``felt`` of `SelfLocalisation` is. Steps before the first start of an episode do not
    count, for the same reason as there.

    It is for rings of head-direction cells and trains nothing else; without one it is zero. No
    set of costs has it, since those are the same for all structures, so it is added by name to
    the structures that have a ring: ``heterogeneous+heading_integration`` for
    ``path_integration.place``. Reward and its value then spare the ring, as they do an integrator.
    Without this cost they alone train a learnt ring.

    Attributes:
        reads: the ring: cells whose preferred headings are spread evenly, from 0 to the left.
    """

    in_time: ClassVar[bool] = True
    # The gradients of reward and value are larger, and would teach the ring in its place.
    alone: ClassVar[tuple[str, ...]] = ("head_direction",)
    trains: tuple[str, ...] = ("head_direction",)
    reads: str = "head_direction"

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return 2: cosine and sine."""
        return 2

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the prediction: a ring's population vector, and linear of any other area.

        A ring has a frame of its own. A read-out that learns was seen to give the mean of all
        headings before the ring had learnt to turn, which then was told nothing: two first weights
        in twelve stayed there.
        """
        if self.reads_a("head_direction", sizes):
            return _PopulationVector()
        return super().heads(sizes) if self.reads in sizes else nn.Identity()

    def inputs(self, trace: Trace) -> Tensor:
        """Return the ring's activity; zeros, of which nothing counts, where there is none."""
        if self.reads in trace:
            return trace[self.reads]
        return trace["reward"].new_zeros(*trace.episode_start.shape, 2)

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Note cosine and sine of the heading, (time, worlds, 2); the state is the heading."""
        felt, starts = trace["egomotion"], trace.episode_start
        turn = torch.atan2(felt[..., 1], felt[..., 2])
        before = state.get("heading", torch.zeros_like(turn[0]))
        total = turn.cumsum(0)
        # Up to the first start, what is carried in; from a start on, what was turned since.
        heading = total - latest(total, starts, -before)
        target = torch.stack((heading.cos(), heading.sin()), -1)
        return {f"{self.name}/target": target}, {"heading": heading[-1]}

    def target(self, trace: Trace) -> Tensor:
        """Return cosine and sine of the heading."""
        return trace[f"{self.name}/target"]

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps since the first start of an episode; none where there is no ring."""
        since = trace.episode_start.cumsum(0) > 0
        return since if self.reads in trace else torch.zeros_like(since)
