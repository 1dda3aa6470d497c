"""Curiosity for all that one cannot predict, whoever brought it about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Tensor, nn

from motley.costs.base import Trace, masked_mean_square
from motley.costs.prediction_error_curiosity import Curious, PredictionErrorCuriosity


@dataclass(frozen=True)
class RandomFeatureCuriosity(PredictionErrorCuriosity):
    """Curiosity over features drawn at random and kept (Burda et al. 2019, section 2.1).

    The score is that of :class:`PredictionErrorCuriosity`. From features that tell the action,
    noise that comes about by itself fades; in these it stays, and pays as long as one looks at it.
    """

    apart: ClassVar[tuple[str, ...]] = ()

    def heads(self, sizes: Mapping[str, int]) -> Curious:
        """Return the features' network, which does not learn, and the forward model."""
        made = super().heads(sizes)
        made.encoder.requires_grad_(False)
        del made.inverse  # nothing tells actions here
        return made

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the error of the forward model, (time, worlds)."""
        made = cast(Curious, heads)
        now, later = made(self.seen(trace)), made(self.seen_next(trace))
        return masked_mean_square(made.predict(now, trace["action"]) - later, trace.has_next)
