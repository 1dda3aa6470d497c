"""Few units active at a time."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from motley.costs.base import Cost, Trace


@dataclass(frozen=True)
class Sparsity(Cost):
    """The activity ratio of an area (Treves & Rolls 1991): small where few of its units are active.

    (mean |r|)^2 / mean r^2 over the units at each step: 1 where all are equally active, 1/n where
    one of n is. It does not depend on how active they are, so that to be less active gains nothing.
    It is 0 for an area that is silent, where it has no gradient either.

    Attributes:
        reads: the area: a name, a role, or roles with bars between them.
    """

    weight: float = 0.1
    trains: tuple[str, ...] = ("encoder",)
    reads: str = "encoder"

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the activity ratio of each step, (time, worlds)."""
        x = trace[self.reads]
        return x.abs().mean(-1).square() / x.square().mean(-1).clamp(min=1e-8)
