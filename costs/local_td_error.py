"""What a gate is trained for: that its memory tells what reward to expect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import Cost, State, Trace, masked_mean_square, next_draw


@dataclass(frozen=True)
class LocalTDError(Cost):
    """Squared TD(lambda) error of a critic that the gate has to itself, where reward is due.

    The critic expects the reward to come from what the memory holds, what is sensed and what is
    done; a gate that lets in what matters makes it err less. The learning signal is one for all,
    as that of dopamine, and the credit is local: it flows through the memory's content to the
    gate and no further (O'Reilly & Frank 2006; Todd, Niv & Cohen 2008).

    Only steps at which reward came, or an episode ended without, count: in PVLV too the value of
    what is held is learnt when primary reward is there or was due (O'Reilly, Frank, Hazy & Watz
    2007). At all others the error is mostly of what cannot be told yet, and drowns what can.

    The critic weighs view and action by what memory and view say: what is held tells what to make
    of where one is. A plain network of all three has to find what is held and what it says at once.

    Attributes:
        reads: the memory: a name, a role, or roles with bars between them.
        beside: what tells where the body is.
        hidden: width of the critic's hidden layer.
        meaningless: the placebo: the returns of the steps that count are dealt out among these at
            random.
        seed: of that.
    """

    kind: ClassVar[str | None] = "local_td_error"
    problems: ClassVar[tuple[str, ...]] = ("gated working memory",)
    alone: ClassVar[tuple[str, ...]] = ("gate",)
    trains: tuple[str, ...] = ("gate|core",)
    reads: str = "memory|core"
    beside: str = "vision|encoder"
    hidden: int = 64
    meaningless: bool = False
    seed: int = 0

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the critic: memory and view -> hidden layer -> value, and slopes."""
        view, action = sizes[self.beside], sizes["action"]
        return nn.Sequential(
            nn.Linear(sizes[self.reads] + view, self.hidden),
            nn.Tanh(),
            nn.Linear(self.hidden, 1 + view + action),
        )

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Draw the order in which a placebo's returns are dealt out; the state counts the draws."""
        if not self.meaningless:
            return {}, state
        generator, after = next_draw(self.seed, state)
        order = torch.rand(trace.episode_start.shape, generator=generator)
        return {f"{self.name}/order": order.to(trace["reward"].device)}, after

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the squared error, (time, worlds), in units of the return's variance."""
        view = trace[self.beside]
        terms = heads(torch.cat((trace[self.reads], view), -1))
        seen = torch.cat((view, trace["action"]), -1)
        expected = terms[..., 0] + (terms[..., 1:] * seen).sum(-1)
        target = trace["value/reward/target"]
        came = (trace["reward"] != 0) | trace["terminated"]
        if self.meaningless:
            dealt = target[came][trace[f"{self.name}/order"][came].argsort()]
            target = target.masked_scatter(came, dealt)
        return masked_mean_square((expected - target).unsqueeze(-1), came)
