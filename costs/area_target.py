"""A cost for one area that another area computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from motley.costs.base import Trace
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class AreaTarget(Prediction):
    """Squared error of another area's output, decoded from this one's at the same step.

    A network that serves another as its critic (Marblestone et al. 2016, sections 1.2 and 3.1): the
    pupil can be no better than what its teacher tells, and no gradient reaches the teacher. Its
    controls: a plasticity gate freezes the teacher (``Development(plasticity={...})``), and
    ``NoiseTarget.like(cost)`` shuffles what it tells.

    Attributes:
        teacher: the area whose output is the target: a name, a role, or roles with bars.
    """

    trains: tuple[str, ...] = ("core",)
    teacher: str = "encoder"

    @property
    def follows(self) -> tuple[str, ...]:
        """Return the teacher."""
        return (self.teacher,)

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return the teacher's features."""
        return sizes[self.teacher]

    def target(self, trace: Trace) -> Tensor:
        """Return the teacher's output."""
        return trace[self.teacher].detach()
