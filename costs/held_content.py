"""Keeping what was shown, when it is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import State, Trace
from motley.costs.development import Schedule
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class HeldContent(Prediction):
    """Squared error of what was shown last before the present step, decoded from a memory.

    Steps at which nothing was shown (all features zero) are passed over, however many; the first
    step of an episode does not count. What is held across a gap is the sign
    of a working memory (Goldman-Rakic 1995).

    Its weight is a tenth of the others': to hold whatever came last is the opposite of letting pass
    what does not count.

    Attributes:
        sense: what is shown.
    """

    problems: ClassVar[tuple[str, ...]] = ("gated working memory",)
    weight: float | Schedule = 0.1
    trains: tuple[str, ...] = ("gate|encoder", "memory|core")
    reads: str = "memory|core"
    sense: str = "cue"

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return the sense's features."""
        return sizes[self.sense]

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Carry along what was shown: (time, worlds, features), zero before anything was."""
        shown, starts = trace[self.sense], trace.episode_start
        last = state.get("last", torch.zeros_like(shown[0]))
        targets = torch.empty_like(shown)
        for t in range(len(shown)):
            last = last * ~starts[t].unsqueeze(-1)
            targets[t] = last
            last = torch.where((shown[t] != 0).any(-1, keepdim=True), shown[t], last)
        return {f"{self.name}/target": targets}, {"last": last}

    def target(self, trace: Trace) -> Tensor:
        """Return what was shown last."""
        return trace[f"{self.name}/target"]

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps that have one before them."""
        return ~trace.episode_start
