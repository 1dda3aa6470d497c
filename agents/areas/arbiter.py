"""Who gets its way: one of the needs, drawn by how strong its drive is and what can be had."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.actor import Actor
from motley.agents.areas.base import Area, State
from motley.agents.areas.food_finder import DRIVE, FACTS, LOOKS, by_need
from motley.agents.areas.over_needs import OverNeeds
from motley.agents.layers import Linear

KNOWN = 3
"""Inputs before the heads."""


class Arbiter(Actor):
    """An actor that selects between what several heads prefer, and does not mix it.

    Each head's logit is sharpness x its need's drive + a bid, of the same network for every need,
    which is told what each would find and how the others stand. One head is drawn and gets its
    way whole: selection, as the basal ganglia are taken to do it (Redgrave, Prescott & Gurney
    1999), between the selves of Dulberg et al. (2023). A mean of two ways would lead
    between two patches. Heads beyond the needs are no need's (the way home, what is remembered);
    their logits are linear in what else is known. A need that reads zero is not there (a body
    whose need is at zero is dead) and its head is not chosen; where there is none at all, the
    heads of all have the same chance.

    Args:
        sizes: features of each input: the needs' levels, what else is known, a FoodFinder, then
            what the head of each need prefers, and then what any other heads do.
        size: numbers that the distribution takes; filled in by the brain.
        deviations: how many standard deviations it takes; filled in by the brain.
        sharpness: initial weight of the drives, learnt.
        swapped: head 0 is weighed by what need 1 has to say and the reverse, and so on in pairs:
            the control whose arbitration does not fit. Where the needs are odd in number, the
            last one trades places with one that is not there, or with none; where they are two,
            bids can learn to swap back.
        deviation: initial standard deviation.
        hidden: units of the bids' network.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback",)

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int,
        deviations: int,
        sharpness: float = 4.0,
        swapped: bool = False,
        deviation: float = 0.4,
        hidden: int = 32,
    ):
        needs, others, found, *heads = sizes
        if len(heads) < needs or {size} != {len(heads) * (head + 1) for head in heads}:
            raise ValueError(
                f"Arbiter wants the levels of {needs} needs and a head of each, all of as many "
                f"numbers, not {heads}"
            )
        if found != needs * (FACTS + LOOKS):
            raise ValueError(f"Arbiter wants what a FoodFinder gives of {needs} needs, not {found}")
        Area.__init__(self, sizes, size)
        order = torch.arange(needs)
        if swapped:
            order[: needs // 2 * 2] ^= 1
        self.register_buffer("order", order, False)
        self.log_sharpness = nn.Parameter(torch.tensor(float(sharpness)).log())
        self.log_std = nn.Parameter(torch.full((deviations,), float(deviation)).log())
        self.over_needs = OverNeeds(others, hidden, hidden)
        self.bid = Linear(hidden, 1, gain=0.01)
        self.more = Linear(others, len(heads) - needs, gain=0.01) if len(heads) > needs else None

    order: Tensor

    @classmethod
    def choices(cls, n_inputs: int) -> int:
        """Return how many heads there are."""
        return n_inputs - KNOWN

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; for each head [its logit, the numbers of the action it prefers]."""
        level, other, found, *heads = inputs
        drive = by_need(found)[0][..., DRIVE]
        absent = level <= 0.0
        absent = absent & ~absent.all(-1, keepdim=True)
        bid = self.bid(self.over_needs(found, other, ~absent)).squeeze(-1)
        logits = self.log_sharpness.exp() * drive + bid
        # Not minus infinity: an entropy multiplies it by a chance of zero.
        logits = logits.masked_fill(absent, -1e4)[..., self.order]
        if self.more is not None:
            logits = torch.cat((logits, self.more(other)), -1)
        return torch.cat((logits.unsqueeze(-1), torch.stack(heads, -2)), -1).flatten(-2), state
