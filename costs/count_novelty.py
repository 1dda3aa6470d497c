"""Novelty as how seldom something was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from motley.costs.base import State, Trace
from motley.costs.intrinsic import Intrinsic
from motley.costs.models import Standardiser


class Hashed(nn.Module):
    """Counts of observations by the signs of random projections (Charikar 2002).

    Observations are standardised first: features that are above zero throughout would set the
    signs between them, whatever else is seen.

    Args:
        size: features of an observation.
        bits: of the code.
    """

    projection: Tensor
    counts: Tensor

    def __init__(self, size: int, bits: int):
        super().__init__()
        self.standardise = Standardiser(size)
        self.register_buffer("projection", torch.randn(size + 1, bits))
        self.register_buffer("counts", torch.zeros(2**bits))

    def codes(self, x: Tensor) -> Tensor:
        """Return the index of each observation (..., size)."""
        z = self.standardise(x)
        # The constant keeps scaled copies of one observation apart.
        with_one = torch.cat((z, torch.ones_like(z[..., :1])), -1)
        bits = with_one @ self.projection > 0
        powers = 2 ** torch.arange(bits.shape[-1], device=x.device)
        return (bits * powers).sum(-1)


@dataclass(frozen=True)
class CountNovelty(Intrinsic):
    """One over the root of how often what a step leads to was seen (Tang et al. 2017, SimHash).

    A rollout is counted before it is scored. What is counted is standardised by running mean and
    deviation, which the paper's features are not: while these move, as when new places come into
    view, observations near a border between codes change theirs, and their counts with it.
    Observations are counted, not places: a body that sees all round has many of one spot.

    Attributes:
        bits: of the hash; fewer take more observations for one.
    """

    bits: int = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.bits <= 20:
            raise ValueError(f"CountNovelty(bits={self.bits}): give 1 to 20")

    def heads(self, sizes: Mapping[str, int]) -> Hashed:
        """Return the hash and the counts; nothing in it is learnt by gradient."""
        return Hashed(self.width(sizes), self.bits)

    def judge(self, trace: Trace, state: State, heads: nn.Module) -> tuple[Tensor, State]:
        """Count the next observations and return one over the roots of their counts."""
        made = cast(Hashed, heads)
        made.standardise.update(self.seen(trace))
        codes, known = made.codes(self.seen_next(trace)), trace.has_next
        made.counts.index_add_(0, codes.flatten(), known.flatten().to(made.counts))
        return made.counts[codes].clamp(min=1.0).rsqrt(), state
