"""Knowing where one is: predicting the way back to where the episode began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import State, Trace
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class SelfLocalisation(Prediction):
    """Squared error of the home vector, in the body's frame.

    The target is no privileged label: it is the sum of what the body itself felt of its motion
    (the noisy sense ``egomotion``: forward displacement, sine and cosine of the turn) since
    the episode began. Computing it takes an integrator, so this is a teacher that contains part
    of the answer (Banino et al. 2018 trained on true positions; this is the weaker form).

    Steps before the first start of an episode do not count: what an area carries into a sequence
    was integrated with older weights, and early in learning it would bury the gradient in noise.

    Attributes:
        reach: displacements as long as this many times the sense's unit give a target of 1.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("path integration",)
    # The reward's noisy gradient was seen to keep an integrator from learning.
    alone: ClassVar[tuple[str, ...]] = ("integrator",)
    trains: tuple[str, ...] = ("integrator|encoder", "integrator|core")
    reads: str = "integrator|core"
    reach: float = 5.0

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return 2: ahead and left."""
        return 2

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Integrate the rollout's egomotion: the vector home, (time, worlds, 2) / ``reach``."""
        felt, starts = trace["egomotion"], trace.episode_start
        home = state.get("home", felt.new_zeros(felt.shape[1], 2))
        targets = torch.empty(*felt.shape[:2], 2, dtype=felt.dtype, device=felt.device)
        for t in range(len(felt)):
            forward, sine, cosine = felt[t].unbind(-1)
            # The body turns and then moves, so home turns the other way and then falls behind.
            ahead = cosine * home[:, 0] + sine * home[:, 1] - forward
            left = cosine * home[:, 1] - sine * home[:, 0]
            home = torch.stack((ahead, left), -1) * ~starts[t].unsqueeze(-1)
            targets[t] = home
        return {f"{self.name}/target": targets / self.reach}, {"home": home}

    def target(self, trace: Trace) -> Tensor:
        """Return the vector home."""
        return trace[f"{self.name}/target"]

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps since the first start of an episode."""
        return trace.episode_start.cumsum(0) > 0
