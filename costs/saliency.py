"""What a memory's gate is to open for: what stands out, or turns out to have mattered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from motley.costs import sighting
from motley.costs.base import State, Trace, latest
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class Saliency(Prediction):
    """Squared error of a gate's opening, which is to be 1 at salient steps and 0 at all others.

    A step is salient where a sense changed much since the step before (an onset), or where a reward
    of any sign comes within a window of steps: what led up to it is tagged in hindsight, as a
    synaptic tag lets a later event decide what is kept (Frey & Morris 1997; the saliency-tagged
    storage of Marblestone et al. 2016, section 4.1.3). With a store smaller than a life, what is
    not let in does not push out what was. What changes while the body feels itself move is taken
    for its own doing and is no onset, so that what appears during a walk is missed.

    The gate is an area of that role: one number a slot, of which the most open counts. Where there
    is none the opening is a linear function of the core.

    Attributes:
        sense: whose change counts; None is no sense.
        change: sum over features of the absolute differences above which it does.
        lasts: steps that an onset is salient for, its own among them, while the body stays at rest.
        felt: the sense of the body's own motion since the step before, [forward, sine, cosine of
            the turn]: ``"egomotion"``, or None where the body does not move, or feels nothing.
        window: steps within which a reward counts, 0 for the step that is paid; None is no reward.
    """

    trains: tuple[str, ...] = ("gate|encoder", "gate|core")
    reads: str = "gate|core"
    sense: str | None = "vision"
    change: float = 1.0
    # As long as CacheRecall lights an item; a gate without memory cannot tell its first step from
    # its second.
    lasts: int = 2
    felt: str | None = None
    window: int | None = None

    @classmethod
    def fitted(cls, senses: Mapping[str, int]) -> Self:
        """Return the cost of what comes into view, told from what comes by own motion if it can."""
        return cls(felt="egomotion" if "egomotion" in senses else None)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("lasts", self.lasts >= 1, "1 step or more")
        self.check("felt", self.felt in ("egomotion", None), "'egomotion', or None")
        if self.sense is None and self.window is None:
            raise ValueError("Saliency: give a sense whose change counts, or a window for rewards")
        if self.window is not None and self.window < 0:
            raise ValueError(f"Saliency(window={self.window}): give at least 0, or None")

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return 1: open or not."""
        return 1

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the linear read-out of another area; a gate gives its opening itself."""
        return nn.Identity() if self.reads_a("gate", sizes) else super().heads(sizes)

    def inputs(self, trace: Trace) -> Tensor:
        """Return how far the most open slot is open, or the other area's output."""
        read = trace[self.reads]
        return read.amax(-1, keepdim=True) if self.reads_a("gate", trace) else read

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Find the salient steps: (time, worlds, 1), and which are known to be so or not."""
        starts, after = trace.episode_start, State()
        salient, known = torch.zeros_like(starts), torch.ones_like(starts)
        if self.sense is not None:
            x = trace[self.sense]
            before = torch.cat((state.get("last", torch.zeros_like(x[0])).unsqueeze(0), x[:-1]))
            before = before * ~starts.unsqueeze(-1)
            still = torch.ones_like(starts)
            if self.felt is not None:
                still = sighting.at_rest(trace[self.felt])
            onset = ((x - before).abs().sum(-1) > self.change) & still
            # Where the onset was that still holds, which a motion or a new episode ends.
            step = torch.arange(len(starts), device=starts.device).unsqueeze(-1)
            none = torch.full_like(starts[0], -self.lasts, dtype=torch.long)
            held = torch.where(onset, step, -self.lasts)
            at = latest(held, onset | ~still | starts, state.get("onset", none))
            salient = step - at < self.lasts
            after["last"], after["onset"] = x[-1], at[-1] - len(starts)
        if self.window is not None:
            paid, episode = trace["reward"] != 0, starts.long().cumsum(0)
            for steps in range(self.window + 1):
                salient = salient | (trace.same_episode(steps) & trace.shifted(paid, steps))
            # A reward may yet come where the rollout ends before the window and the episode do.
            step = torch.arange(len(starts), device=starts.device).unsqueeze(-1)
            known = (step + self.window < len(starts)) | (episode < episode[-1]) | salient
        target = salient.unsqueeze(-1).to(trace["reward"].dtype)
        return {f"{self.name}/target": target, f"{self.name}/known": known}, after

    def target(self, trace: Trace) -> Tensor:
        """Return 1 at salient steps, 0 at others."""
        return trace[f"{self.name}/target"]

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps of which it is known."""
        return trace[f"{self.name}/known"]
