"""Keeping what was sensed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from torch import Tensor

from motley.costs.base import Trace
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class Reconstruction(Prediction):
    """Squared error of a sense, decoded from an area's output at the same step.

    Where the area is a memory that reads what it wrote in the same step, this makes the key find
    the entry just written and the stored value keep what was seen with the key (the
    memory-based predictor of Wayne et al. 2018).

    Attributes:
        sense: the sense to reconstruct, all of its features.
        when: a sense whose first feature must be below 0.5 for a step to count, such as ``go``:
            only while the body is held. None counts every step, and so does an environment
            without that sense.
    """

    problems: ClassVar[tuple[str, ...]] = ("episodic memory",)
    trains: tuple[str, ...] = ("encoder", "memory|core")
    reads: str = "memory|core"
    sense: str = "vision"
    when: str | None = None

    @classmethod
    def fitted(cls, senses: Mapping[str, int]) -> Self:
        """Return the cost of what is seen, or else of the first sense, while the body is held."""
        seen = "vision" if "vision" in senses else next(iter(senses))
        return cls(sense=seen, when="go")

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return the sense's features."""
        return sizes[self.sense]

    def target(self, trace: Trace) -> Tensor:
        """Return the sense."""
        return trace[self.sense]

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps at which the body is held, or all."""
        if self.when is not None and self.when in trace:
            return trace[self.when][..., 0] < 0.5
        return super().mask(trace)
