"""Development: how much each cost counts at each age.

Age is the number of environment steps lived, so that a schedule means the same whatever the
number of worlds, and can be written into a run's configuration and replayed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """A weight over age: ``start`` until ``begin``, ``end`` from ``finish``, linear between.

    Attributes:
        start: weight up to the age ``begin``.
        end: weight from the age ``finish`` on.
        begin: age in environment steps.
        finish: age in environment steps, not before ``begin``.
    """

    start: float
    end: float
    begin: int = 0
    finish: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.begin <= self.finish:
            raise ValueError(
                f"a schedule must have 0 <= begin <= finish, not begin={self.begin}, "
                f"finish={self.finish}"
            )
        if min(self.start, self.end) < 0:
            raise ValueError(f"a weight is >= 0, not {min(self.start, self.end)}")

    def at(self, age: int) -> float:
        """Return the weight at ``age``, in environment steps."""
        if age >= self.finish:
            return self.end
        if age <= self.begin:
            return self.start
        return self.start + (self.end - self.start) * (age - self.begin) / (
            self.finish - self.begin
        )


def constant(value: float) -> Schedule:
    """Return a weight that does not change."""
    return Schedule(value, value)


def ramp(start: float, end: float, begin: int, finish: int) -> Schedule:
    """Return a weight that goes from ``start`` to ``end`` between two ages."""
    return Schedule(start, end, begin, finish)
