"""Who gets its way: one of the needs, drawn by how strong its drive is and what can be had."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.actor import Actor
from motley.agents.areas.base import Area, State, check_prior
from motley.agents.areas.food_finder import BRIGHTNESS, DRIVE, FACTS, LOOKS, by_need
from motley.agents.areas.over_needs import OverNeeds
from motley.agents.layers import Linear

KNOWN = 3
"""Inputs before the heads."""
SHARPNESS = {"exact": 100.0, "weighed": 4.0, "learnt": 0.0}
"""Of the drives at each rung's beginning; with 100 the strongest is all but sure to be drawn."""


class Arbiter(Actor):
    """An actor that selects between what several heads prefer, and does not mix it.

    One head is drawn and gets its way whole: selection, as the basal ganglia are taken to do it
    (Redgrave, Prescott & Gurney 1999), between the selves of Dulberg et al. (2023). A mean of two
    ways would lead between two patches. A need that reads zero is not there (a body whose need is
    at zero is dead) and its head is not chosen; where there is none at all, the heads of all have
    the same chance. Heads beyond the needs are no need's (the way home, what is remembered); their
    logits are linear in what else is known.

    Its rungs of prior strength, by the logit of each need's head:

    - ``exact``: whose turn it is is given: sharpness x drive x how bright its food is (0: never
      seen); nothing is learnt. The strongest drive for which there is something to be had gets
      its way. A rule of thumb and not the best choice: distances and rates take no part. It
      wants a head for each need and no more.
    - ``weighed``: sharpness x drive + a bid, with a sharpness that is given at first and learnt,
      and bids of the same network for every need, which is told what each would find and how the
      others stand. They begin near zero.
    - ``learnt``: the bid alone, so that all heads begin alike. What is given is that one is drawn,
      and that the same network bids for each.

    Args:
        sizes: features of each input: the needs' levels, what else is known (which the exact rung
            leaves out of account), a FoodFinder, then what the head of each need prefers, and
            then what any other heads do.
        size: numbers that the distribution takes; filled in by the brain.
        deviations: how many standard deviations it takes; filled in by the brain.
        prior: the rung.
        sharpness: weight of the drives, fixed or at first; None is the rung's own of
            :data:`SHARPNESS`. The learnt rung reads none.
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
        prior: str = "weighed",
        sharpness: float | None = None,
        swapped: bool = False,
        deviation: float = 0.4,
        hidden: int = 32,
    ):
        check_prior("Arbiter", prior, SHARPNESS)
        needs, others, found, *heads = sizes
        if len(heads) < needs or {size} != {len(heads) * (head + 1) for head in heads}:
            raise ValueError(
                f"Arbiter wants the levels of {needs} needs and a head of each, all of as many "
                f"numbers, not {heads}"
            )
        if found != needs * (FACTS + LOOKS):
            raise ValueError(f"Arbiter wants what a FoodFinder gives of {needs} needs, not {found}")
        if prior == "exact" and len(heads) > needs:
            raise ValueError(
                f"Arbiter(prior='exact') has a rule for {needs} needs and none for the last "
                f"{len(heads) - needs} heads: leave them out, or give weighed or learnt"
            )
        Area.__init__(self, sizes, size)
        self.prior = prior
        order = torch.arange(needs)
        if swapped:
            order[: needs // 2 * 2] ^= 1
        self.register_buffer("order", order, False)
        self.sharpness = SHARPNESS[prior] if sharpness is None else sharpness
        if prior == "weighed":
            self.log_sharpness = nn.Parameter(torch.tensor(float(self.sharpness)).log())
        self.log_std = nn.Parameter(torch.full((deviations,), float(deviation)).log())
        if prior != "exact":
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
        absent = level <= 0.0
        absent = absent & ~absent.all(-1, keepdim=True)
        logits = self._logits(found, other, ~absent)
        # Not minus infinity: an entropy multiplies it by a chance of zero.
        logits = logits.masked_fill(absent, -1e4)[..., self.order]
        if self.more is not None:
            logits = torch.cat((logits, self.more(other)), -1)
        return torch.cat((logits.unsqueeze(-1), torch.stack(heads, -2)), -1).flatten(-2), state

    def _logits(self, found: Tensor, other: Tensor, present: Tensor) -> Tensor:
        """Return the logit of each need's head, (time, worlds, needs)."""
        facts, _ = by_need(found)
        if self.prior == "exact":
            return self.sharpness * facts[..., DRIVE] * facts[..., BRIGHTNESS]
        bid: Tensor = self.bid(self.over_needs(found, other, present)).squeeze(-1)
        return bid if self.prior == "learnt" else self.log_sharpness.exp() * facts[..., DRIVE] + bid
