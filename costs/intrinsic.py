"""What costs that pay for novelty have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from motley.costs.base import Cost, State, Trace, next_draw
from motley.costs.development import Schedule


@dataclass(frozen=True)
class Intrinsic(Cost):
    """A reward for what a step leads to, from a learner that this cost owns.

    Returns do not end with the episode (Burda et al. 2018): what is new stays new over a death.
    The last step of an episode scores 0: what it led to is in no trace of a cost. A rollout keeps
    it where time was up, for the critics alone. A subclass defines :meth:`judge`, and :meth:`loss`
    where its learner learns by gradient; that loss trains the learner and no area.

    Attributes:
        senses: what is looked at: senses or areas, all features of each.
        meaningless: the placebo: the scores of a rollout are dealt out among its steps at random.
        seed: of that.
    """

    apart: ClassVar[tuple[str, ...]] = ()
    """Senses that :meth:`fitted` does not look at, unless there are no others."""
    weight: float | Schedule = 0.5
    episodic: bool = False
    senses: tuple[str, ...] = ("vision",)
    meaningless: bool = False
    seed: int = 0

    @classmethod
    def fitted(cls, senses: Mapping[str, int]) -> Self:
        """Return the cost that looks at every sense that is not set :attr:`apart`."""
        return cls(senses=tuple(s for s in senses if s not in cls.apart) or tuple(senses))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("senses", bool(self.senses), "at least one sense or area")

    @property
    def follows(self) -> tuple[str, ...]:
        """Return what is looked at: its learner's loss uses it without gradient."""
        return self.senses

    def width(self, sizes: Mapping[str, int]) -> int:
        """Return how many features an observation has."""
        return sum(sizes[sense] for sense in self.senses)

    def seen(self, trace: Trace) -> Tensor:
        """Return the observations, (time, worlds, features), without a graph."""
        return trace.join(self.senses).detach()

    def seen_next(self, trace: Trace) -> Tensor:
        """Return the observations one step on, (time, worlds, features), without a graph."""
        return trace.join_next(self.senses).detach()

    def judge(self, trace: Trace, state: State, heads: nn.Module) -> tuple[Tensor, State]:
        """Return the score of each step of a rollout, (time, worlds), and the state.

        Args:
            trace: a whole rollout.
            state: what the last call returned; empty at the first.
            heads: what :meth:`heads` returned; buffers in it may be changed.
        """
        raise TypeError(f"{type(self).__name__} defines no judge")

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Note the scores, as ``<name>/score``; the state of a placebo counts its deals."""
        with torch.no_grad():
            score, after = self.judge(trace, state, heads)
        if self.meaningless:
            generator, dealt = next_draw(self.name, self.seed, trace, state)
            score, known = score.clone(), trace.has_next
            order = torch.randperm(int(known.sum()), generator=generator).to(score.device)
            score[known] = score[known][order]
            after = {**after, **dealt}
        return {f"{self.name}/score": score * trace.has_next}, after

    def score(self, trace: Trace) -> Tensor:
        """Return what was noted."""
        return trace[f"{self.name}/score"]
