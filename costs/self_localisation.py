"""Knowing where one is: predicting the way back to where the episode began."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs import sighting
from motley.costs.base import State, Trace, latest
from motley.costs.prediction import Prediction

RUNGS = ("felt", "sighted", "true")


@dataclass(frozen=True)
class SelfLocalisation(Prediction):
    """Squared error of a place in the body's frame, in three rungs of how much the label gives.

    - ``felt``: the vector home as the sum of what the body itself felt of its motion (the noisy
      sense ``egomotion``: forward displacement, sine and cosine of the turn) since the episode
      began. No privileged label, but computing it takes an integrator: a teacher that contains part
      of the answer.
    - ``sighted``: where the nearest thing will be seen as sight comes back, told at every step of a
      dark stretch, in which no ray meets anything: hindsight, turned and shifted back into the
      body's frame of that step by felt motion. It counts where something was seen before in the
      episode, and the stretch ends by a sighting within it and within the rollout. By the oracle's
      steps that is 1 in 40 in Homestead (from dusk to the first cache that lights up the day
      after), and 1 in 5 in RoleBind and 1 in 60 in DelayReach, whose blanks let no body move. No
      other shipped task poses it: some thing is always in sight, and DarkHome, which shows no nest,
      ends in the dark (1 step in 5,000 counts, as a food slips between two rays).
    - ``true``: the vector home from the world's ``position`` (metres) and ``heading`` (radians), a
      privileged label: see :attr:`Cost.truths` (Banino et al. 2018 trained on true positions).

    Of ``felt`` and ``true``, steps before the first start of an episode do not count: what an area
    carries into a sequence was integrated with older weights, and early in learning it would bury
    the gradient in noise. So nothing is taught of places later in an episode than a rollout is
    long: an integrator goes on beyond that by its form, while another core may have to be given
    longer rollouts to be held against it.

    Attributes:
        rung: where the label comes from, see above.
        reach: displacements as long as this many times the sense's unit give a target of 1; of
            ``felt`` and ``true``.
        channels: numbers of a ray of ``vision``, the first its nearness.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("path integration",)
    # The reward's noisy gradient was seen to keep an integrator from learning.
    alone: ClassVar[tuple[str, ...]] = ("integrator",)
    trains: tuple[str, ...] = ("integrator|encoder", "integrator|core")
    reads: str = "integrator|core"
    rung: str = "felt"
    reach: float = 5.0
    channels: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rung not in RUNGS:
            raise ValueError(f"SelfLocalisation(rung={self.rung!r}): give {', '.join(RUNGS)}")
        self.check("reach", self.reach > 0, "a number above 0")

    @property
    def truths(self) -> tuple[str, ...]:  # type: ignore[override]
        """Where the body is, for the rung that is told."""
        return ("position", "heading") if self.rung == "true" else ()

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return 2: ahead and left."""
        return 2

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the linear prediction; of an integrator, it starts as what that gives.

        A vector can be held in any frame. A random read-out asks for a random one, often a mirror
        image, and an integrator that begins to turn the wrong way for it was seen to stay there:
        in three seeds of ten it had learnt nothing after 160,000 steps.
        """
        head = nn.Linear(sizes[self.reads], 2)
        if self.rung != "sighted" and self.reads_a("integrator", sizes) and sizes[self.reads] == 2:
            nn.init.eye_(head.weight)
            nn.init.zeros_(head.bias)
        return head

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Note the targets, (time, worlds, 2) / ``reach``; the state is what is carried on."""
        starts = trace.episode_start
        if self.rung == "sighted":
            return self._sightings(trace, state)
        if self.rung == "true":
            targets, state = _true_home(trace["position"], trace["heading"], starts, state)
        else:
            targets, state = _felt_home(trace["egomotion"], starts, state)
        return {f"{self.name}/target": targets / self.reach}, state

    def target(self, trace: Trace) -> Tensor:
        """Return the vector home, or to what comes into sight."""
        return trace[f"{self.name}/target"]

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps since the first start of an episode, or till something is sighted."""
        if self.rung == "sighted":
            return trace[f"{self.name}/counts"]
        return trace.episode_start.cumsum(0) > 0

    def _sightings(self, trace: Trace, state: State) -> tuple[dict[str, Tensor], State]:
        """Look ahead from each step of the dark, in ranges of sight; the state is who has seen."""
        nearness, ray = trace["vision"][..., :: self.channels].max(-1)
        lit, starts = nearness > 0, trace.episode_start
        angle = ray * (2 * math.pi / (trace["vision"].shape[-1] // self.channels))
        away = sighting.RANGE * (1.0 - nearness).unsqueeze(-1)
        place = away * torch.stack((angle.cos(), angle.sin()), -1)
        again, counts = sighting.seen_again(
            place, lit, trace["egomotion"], starts, torch.ones_like(starts)
        )
        seen = latest(lit, lit | starts, state.get("seen", torch.zeros_like(starts[0])))
        notes = {f"{self.name}/target": again / sighting.RANGE}
        return {**notes, f"{self.name}/counts": counts & seen}, {"seen": seen[-1]}


def _felt_home(felt: Tensor, starts: Tensor, state: State) -> tuple[Tensor, State]:
    """Integrate egomotion (time, worlds, 3): the vector home, (time, worlds, 2)."""
    home = state.get("home", felt.new_zeros(felt.shape[1], 2))
    targets = torch.empty(*felt.shape[:2], 2, dtype=felt.dtype, device=felt.device)
    for t in range(len(felt)):
        forward, sine, cosine = felt[t].unbind(-1)
        # The body turns and then moves, so home turns the other way and then falls behind.
        ahead = cosine * home[:, 0] + sine * home[:, 1] - forward
        left = cosine * home[:, 1] - sine * home[:, 0]
        home = torch.stack((ahead, left), -1) * ~starts[t].unsqueeze(-1)
        targets[t] = home
    return targets, {"home": home}


def _true_home(
    position: Tensor, heading: Tensor, starts: Tensor, state: State
) -> tuple[Tensor, State]:
    """Return the vector home in the body's frame, (time, worlds, 2), in the position's unit."""
    carried = state.get("start", position[0])
    steps = torch.arange(len(starts), device=starts.device).unsqueeze(-1)
    last = torch.where(starts, steps, -1).cummax(0).values.unsqueeze(-1)
    begun = position.gather(0, last.clamp(min=0).expand_as(position))
    start = torch.where(last >= 0, begun, carried)
    x, y = (start - position).unbind(-1)
    cosine, sine = heading.cos(), heading.sin()
    home = torch.stack((cosine * x + sine * y, cosine * y - sine * x), -1)
    return home, {"start": start[-1]}
