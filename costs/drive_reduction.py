"""Homeostasis: reward is what brings the needs nearer to their setpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from motley.costs.base import Cost, Trace, UnfitError
from motley.costs.routing import ROLES

MOST = 8
"""Needs that a body can have."""

ROLES |= {f"drive_{need}": f"wants what fills need {need}" for need in range(MOST)}


@dataclass(frozen=True)
class DriveReduction(Cost):
    """What a drive falls by in a step (Keramati & Gutkin 2014, equations 1 and 2).

    The drive is (sum over needs |level - setpoint|^exponent)^(1 / root), in units of that of one
    need at zero; of a single need, if ``need`` is given. A need that reads zero is not there. An
    episode that terminates is a death, and leaves every drive at its highest, 1 a need; where an
    episode is cut off, the last step scores nothing.

    Attributes:
        need: index of the need in ``sense``; None takes all of them together.
        setpoint: the level that is best.
        exponent: above 1, a lower need is worth more to fill.
        root: above 1, one need is worth less to fill the stronger the others.
        mixed: instead of its own reduction r_k, head k gets 2 x the mean over the needs - r_k.
            This is a reflection, so an orthogonal mix of the needs' reductions, which keeps their
            variance and their sum: the control of what a head for each need is good for.
        sense: where the levels are.
        valued_by: what a need's value trains: all needs' share what areas make of the world, but
            no head, nor, in a set of costs, an area that has a cost of its own alone.
    """

    problems: ClassVar[tuple[str, ...]] = ("competing drives",)
    alone: ClassVar[tuple[str, ...]] = ("drive",)
    in_time: ClassVar[bool] = False
    value_gain: ClassVar[float] = 0.0
    need: int | None = None
    setpoint: float = 0.8
    exponent: float = 2.0
    root: float = 1.0
    mixed: bool = False
    sense: str = "interoception"
    valued_by: tuple[str, ...] = ("all", "-drive")

    def __post_init__(self) -> None:
        super().__post_init__()
        # Below a half, a need that is full would be worse than death.
        self.check("setpoint", 0.5 <= self.setpoint <= 1, "a level of at least 0.5 and at most 1")
        self.check("need", self.need is None or 0 <= self.need < MOST, f"None, or 0 to {MOST - 1}")
        for name in ("exponent", "root"):
            self.check(name, getattr(self, name) >= 1, "a number >= 1")
        if self.mixed and self.need is None:
            raise ValueError("DriveReduction(mixed=True): give the need whose head gets the mix")

    @classmethod
    def family(cls, senses: Mapping[str, int]) -> tuple[Self, ...]:
        """Return one for each need, which trains the head of that need, or else the actor."""
        return tuple(
            cls(need=need, trains=(f"drive_{need}|actor",))
            for need in range(min(senses.get("interoception", 0), MOST))
        )

    @property
    def name(self) -> str:
        """``drive_reduction``, and the need."""
        return self.label() if self.need is None else f"{self.label()}_{self.need}"

    @property
    def valued(self) -> tuple[str, ...]:
        """See ``valued_by``; the value of all needs together trains what its score does."""
        return self.valued_by if self.need is not None else self.trains

    def heads(self, sizes: Mapping[str, int]) -> None:
        """Return None; see :class:`Cost`.

        Raises:
            UnfitError: the sense has no such need.
        """
        if self.need is not None and self.need >= sizes[self.sense]:
            needs = sizes[self.sense]
            raise UnfitError(
                f"{self.sense!r} has {needs} needs, and none {self.need}; give one below {needs}"
            )

    def drive(self, level: Tensor) -> Tensor:
        """Return the drive, (time, worlds), of levels (time, worlds, needs); 0 where absent."""
        gap = ((level - self.setpoint).abs() / self.setpoint) * (level > 0)
        return (gap**self.exponent).sum(-1) ** (1 / self.root)

    def score(self, trace: Trace) -> Tensor:
        """Return what the drive fell by, (time, worlds)."""
        now, then = trace[self.sense], trace.next(self.sense)
        if not self.mixed:
            if self.need is not None:
                now, then = now[..., [self.need]], then[..., [self.need]]
            return self._fall(trace, now, then)
        falls = torch.stack(
            [
                self._fall(trace, a.unsqueeze(-1), b.unsqueeze(-1))
                for a, b in zip(now.unbind(-1), then.unbind(-1), strict=True)
            ],
            -1,
        )
        present = now > 0
        mean = falls.sum(-1) / present.sum(-1).clamp(min=1)
        assert self.need is not None
        return (2 * mean - falls[..., self.need]) * present[..., self.need]

    def _fall(self, trace: Trace, now: Tensor, then: Tensor) -> Tensor:
        """Return what the drive of these needs fell by, (time, worlds)."""
        before = self.drive(now)
        dead = (now > 0).to(now.dtype).sum(-1) ** (1 / self.root)
        after = torch.where(trace["terminated"], dead, self.drive(then))
        return torch.where(trace.has_next | trace["terminated"], before - after, 0.0)
