"""What a gate is trained for: that its memory tells what reward to expect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs.base import (
    Cost,
    State,
    Trace,
    carried_back,
    masked_mean_square,
    next_draw,
    return_unit,
)


@dataclass(frozen=True)
class LocalTDError(Cost):
    """Squared TD(lambda) error of a critic that the gate has to itself.

    The critic expects the reward to come from what the memory holds, what is sensed and what is
    done; a gate that lets in what matters makes it err less. Its return is made of its own values,
    so that its error, reward + discount V(next) - V(now), is the reward-prediction error of
    dopamine (Montague, Dayan & Sejnowski 1996; Schultz, Dayan & Montague 1997): :meth:`td_error`.

    How the error reaches the gate is not the brain's way. In the models of O'Reilly & Frank (2006)
    and of Todd, Niv & Cohen (2008) one number is broadcast, and a gate learns by it times its own
    eligibility. Here the gradient of the squared error is propagated back through the memory's
    content to the gate, and no further: each slot is told what it was worth. By default the gate is
    soft, so that the gradient is exact; through a hard one it is the straight-through estimate.

    By default only steps count at which reward came, or an episode ended without (``due``): in PVLV
    too the value of what is held is learnt when primary reward is there or was due (O'Reilly,
    Frank, Hazy & Watz 2007). At all others the error is mostly of what cannot be told yet, and
    drowns what can. Where reward comes with the end of the episode alone, as in GateMaze, the
    return is then that reward and nothing is bootstrapped; where it comes earlier, the return goes
    on over steps whose values nothing teaches. With ``due=False`` every step counts, and the error
    moves from reward to what foretells it.

    The critic weighs view and action by what memory and view say: what is held tells what to make
    of where one is. A plain network of all three has to find what is held and what it says at once.

    What follows the last step of a rollout, or one at which an episode was cut off, is not known:
    the action is not chosen, or the view not kept. Such a step does not count, and what leads to it
    is bootstrapped from its value.

    Attributes:
        reads: the memory: a name, a role, or roles with bars between them.
        beside: what tells where the body is.
        hidden: width of the critic's hidden layer.
        due: whether only steps count at which reward came or an episode ended.
        discount: of the cost's own critic, per step: an agent's default, and to be set beside the
            agent's, which it does not follow.
        td_lambda: weight of longer returns: an agent's default.
        meaningless: the placebo: the returns of the steps that count are dealt out among these at
            random.
        seed: of that.
    """

    kind: ClassVar[str | None] = "local_td_error"
    problems: ClassVar[tuple[str, ...]] = ("gated working memory",)
    alone: ClassVar[tuple[str, ...]] = ("gate",)
    units: ClassVar[tuple[str, ...]] = ("reward",)
    trains: tuple[str, ...] = ("gate|core",)
    reads: str = "memory|core"
    beside: str = "vision|encoder"
    hidden: int = 64
    due: bool = True
    discount: float = 0.98
    td_lambda: float = 0.9
    meaningless: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("discount", 0 <= self.discount <= 1, "0 to 1")
        self.check("td_lambda", 0 <= self.td_lambda <= 1, "0 to 1")

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the critic: memory and view -> hidden layer -> value, and slopes."""
        view, action = sizes[self.beside], sizes["action"]
        return nn.Sequential(
            nn.Linear(sizes[self.reads] + view, self.hidden),
            nn.Tanh(),
            nn.Linear(self.hidden, 1 + view + action),
        )

    def expected(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the critic's value of each step, (time, worlds), in units of the returns."""
        view = trace[self.beside]
        terms = heads(torch.cat((trace[self.reads], view), -1))
        seen = torch.cat((view, trace["action"]), -1)
        value: Tensor = terms[..., 0] + (terms[..., 1:] * seen).sum(-1)
        return value

    @torch.no_grad()
    def td_error(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return reward + discount V(next) - V(now), (time, worlds), in the reward's unit.

        Zero where what follows is not known.

        Args:
            trace: whole sequences.
            heads: the critic.
        """
        return self._judged(trace, heads)[1]

    def _judged(self, trace: Trace, heads: nn.Module) -> tuple[Tensor, Tensor]:
        """Return values and TD errors, both (time, worlds), in the reward's unit."""
        mean, deviation = return_unit(trace, "reward")
        values, ends = self.expected(trace, heads) * deviation + mean, trace["terminated"]
        following = trace.shifted(values, 1) * ~ends
        error = trace["reward"] + self.discount * following - values
        return values, error * (ends | trace.same_episode(1))

    @torch.no_grad()
    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Note the returns, (time, worlds), in the reward's unit, and which of them count.

        And the order in which a placebo's are dealt out; the state counts the draws.
        """
        values, error = self._judged(trace, heads)
        goes_on = trace.same_episode(1) & ~trace["terminated"]
        carry = self.discount * self.td_lambda * goes_on
        counts = goes_on | trace["terminated"]
        if self.due:
            counts = counts & ((trace["reward"] != 0) | trace["terminated"])
        notes = {
            f"{self.name}/return": values + carried_back(error, carry),
            f"{self.name}/counts": counts,
        }
        if not self.meaningless:
            return notes, state
        generator, after = next_draw(self.name, self.seed, trace, state)
        order = torch.rand(trace.episode_start.shape, generator=generator)
        return {**notes, f"{self.name}/order": order.to(values.device)}, after

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the squared error, (time, worlds), in units of the return's variance."""
        mean, deviation = return_unit(trace, "reward")
        target = (trace[f"{self.name}/return"] - mean) / deviation
        counts = trace[f"{self.name}/counts"]
        if self.meaningless:
            dealt = target[counts][trace[f"{self.name}/order"][counts].argsort()]
            target = target.masked_scatter(counts, dealt)
        return masked_mean_square((self.expected(trace, heads) - target).unsqueeze(-1), counts)
