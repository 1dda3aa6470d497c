"""Keeping what was sensed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from motley.costs import sighting
from motley.costs.base import Trace, UnfitError
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class Reconstruction(Prediction):
    """Squared error of a sense, decoded from an area's output at the same step.

    Where the area is a memory that reads what it wrote in the same step, this makes the key find
    the entry just written and the stored value keep what was seen with the key (the
    memory-based predictor of Wayne et al. 2018).

    A memory keeps what its cost asks for. A view is mostly *where* things are: the first 16
    principal components of a lone disc's view tell its bearing (R2 0.92) and nothing of its colour
    (below 0.01). With ``channels`` the sum over rays is asked for: *what* is seen, wherever it is.

    Attributes:
        sense: the sense to reconstruct.
        channels: reconstruct the sum over rays of so many channels each; None: all features.
        when: a sense whose first feature must be below 0.5 for a step to count, such as ``go``:
            only while the body is held. None counts every step, and so does an environment
            without that sense.
    """

    problems: ClassVar[tuple[str, ...]] = ("episodic memory",)
    trains: tuple[str, ...] = ("encoder", "memory|core")
    reads: str = "memory|core"
    sense: str = "vision"
    channels: int | None = None
    when: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("channels", self.channels is None or self.channels >= 1, "None, or 1 or more")

    @classmethod
    def fitted(cls, senses: Mapping[str, int]) -> Self:
        """Return the cost of what is seen, or else of the first sense, while the body is held."""
        seen = "vision" if "vision" in senses else next(iter(senses))
        rays = (
            sighting.CHANNELS
            if seen == "vision" and senses[seen] % sighting.CHANNELS == 0
            else None
        )
        return cls(sense=seen, channels=rays, when="go")

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return the sense's features, or a ray's.

        Raises:
            UnfitError: the sense has no rays of so many channels.
        """
        size = sizes[self.sense]
        if self.channels is None:
            return size
        if size % self.channels:
            raise UnfitError(
                f"{self.sense!r} has {size} features, which are no rays of "
                f"{self.channels} channels each; give channels=None"
            )
        return self.channels

    def target(self, trace: Trace) -> Tensor:
        """Return the sense, or its sum over rays."""
        seen = trace[self.sense]
        if self.channels is None:
            return seen
        return torch.unflatten(seen, -1, (-1, self.channels)).sum(-2)

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps at which the body is held, or all."""
        if self.when is not None and self.when in trace:
            return trace[self.when][..., 0] < 0.5
        return super().mask(trace)
