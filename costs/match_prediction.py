"""Knowing what is like something met before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import State, Trace
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class MatchPrediction(Prediction):
    """Squared error of whether what is shown was shown before, or its opposite was.

    Two numbers, each 0 or 1: something shown earlier in the episode, and then taken away, was the
    same; or the opposite. The comparison is made on what was sensed, so that there is no label
    from outside. Steps at which nothing is shown (all features zero) do not count.

    Attributes:
        sense: what is shown.
        capacity: how many showings are looked back to.
        likeness: cosine from which on two things are the same.
    """

    problems: ClassVar[tuple[str, ...]] = ("variable binding",)
    trains: tuple[str, ...] = ("binding|encoder", "core")
    reads: str = "core"
    sense: str = "cue"
    capacity: int = 16
    likeness: float = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("capacity", self.capacity >= 1, "a whole number of at least 1")

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return 2: same, opposite."""
        return 2

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Compare each step with the showings before it: (time, worlds, 2)."""
        shown, starts = trace[self.sense], trace.episode_start
        last = state.get("last", torch.zeros_like(shown[0]))
        store = state.get("store", shown.new_zeros(len(last), self.capacity, last.shape[-1]))
        targets = shown.new_zeros(*shown.shape[:2], 2)
        for t in range(len(shown)):
            going_on = ~starts[t].unsqueeze(-1)
            last, store = last * going_on, store * going_on.unsqueeze(-1)
            over = (shown[t] != last).any(-1) & (last != 0).any(-1)
            longer = torch.cat((store[:, 1:], last.unsqueeze(1)), 1)
            store, last = torch.where(over.view(-1, 1, 1), longer, store), shown[t]
            unit = nn.functional.normalize(last, dim=-1).unsqueeze(-1)
            cosine = (nn.functional.normalize(store, dim=-1) @ unit).squeeze(-1)
            targets[t, :, 0] = (cosine > self.likeness).any(-1)
            targets[t, :, 1] = (cosine < -self.likeness).any(-1)
        return {f"{self.name}/target": targets}, {"last": last, "store": store}

    def target(self, trace: Trace) -> Tensor:
        """Return whether the same was shown before, and whether the opposite was."""
        return trace[f"{self.name}/target"]

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps at which something is shown."""
        return (trace[self.sense] != 0).any(-1)
