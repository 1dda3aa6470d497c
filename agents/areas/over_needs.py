"""What is made of the needs: the same of each, in sight of the others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motley.agents.areas.food_finder import FACTS, by_need
from motley.agents.layers import Linear


class OverNeeds(nn.Module):
    """The same small network for every need, which is told the sum of the others (a deep set).

    What is learnt of one need holds for all (Zaheer et al. 2017, Deep sets, lemma 3).

    Args:
        others: features of what else is known.
        size: features for each need.
        hidden: features that a need tells the others.
    """

    def __init__(self, others: int, size: int = 32, hidden: int = 32):
        super().__init__()
        gain = 2**0.5
        self.tell = Linear(FACTS, hidden, gain)
        self.weigh = Linear(FACTS + hidden, size, gain)
        # What else is known begins as little: the needs' facts tell most.
        self.other = Linear(others, size, 0.1, bias=False)
        self.last = Linear(size, size, gain)

    def forward(self, found: Tensor, other: Tensor, present: Tensor) -> Tensor:
        """Return features of each need, (time, worlds, needs, size), zero of those not there.

        Args:
            found: a FoodFinder's output, (time, worlds, ...).
            other: what else is known, (time, worlds, others).
            present: (time, worlds, needs) bool.
        """
        facts, _ = by_need(found)
        there = present.unsqueeze(-1).to(facts.dtype)
        told = torch.tanh(self.tell(facts)) * there
        rest = told.sum(-2, keepdim=True) - told
        x = self.weigh(torch.cat((facts, rest), -1)) + self.other(other).unsqueeze(-2)
        return torch.tanh(self.last(torch.tanh(x))) * there
