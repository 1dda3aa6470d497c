"""What a gate is trained for: that its memory tells what reward to expect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import Cost, State, Trace, next_draw


@dataclass(frozen=True)
class LocalTDError(Cost):
    """Squared TD(lambda) error of a critic that the gate has to itself.

    The critic expects the reward to come from what the memory holds, what is sensed and what is
    done; a gate that lets in what matters makes it err less. The learning signal is one for all,
    as that of dopamine, and the credit is local: it flows through the memory's content to the
    gate and no further (O'Reilly & Frank 2006; Todd, Niv & Cohen 2008). Since the critic sees the
    action, it learns what the content would be good for before the actor makes use of it; it is
    linear in the action, or what is right under one context would cancel out with what is right
    under the other for as long as neither is known.

    Attributes:
        reads: the memory: a name, a role, or roles with bars between them.
        beside: what tells where the body is.
        of: the cost whose score is expected.
        hidden: width of the critic's hidden layer.
        meaningless: the placebo: the returns are dealt out at random among the steps of a batch.
        seed: of that.
    """

    kind: ClassVar[str | None] = "local_td_error"
    problems: ClassVar[tuple[str, ...]] = ("gated working memory",)
    alone: ClassVar[tuple[str, ...]] = ("gate",)
    trains: tuple[str, ...] = ("gate|core",)
    reads: str = "memory|core"
    beside: str = "encoder|vision"
    of: str = "reward"
    hidden: int = 64
    meaningless: bool = False
    seed: int = 0

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the critic: memory and senses -> hidden layer -> value, and slope by action."""
        width = sizes[self.reads] + sizes[self.beside]
        return nn.Sequential(
            nn.Linear(width, self.hidden),
            nn.Tanh(),
            nn.Linear(self.hidden, 1 + sizes["action"]),
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
        terms = heads(torch.cat((trace[self.reads], trace[self.beside]), -1))
        expected = terms[..., 0] + (terms[..., 1:] * trace["action"]).sum(-1)
        target = trace[f"value/{self.of}/target"]
        if self.meaningless:
            order = trace[f"{self.name}/order"].flatten().argsort()
            target = target.flatten()[order].view_as(target)
        error: Tensor = expected - target
        return error.square()
