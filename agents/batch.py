"""What an update learns from, and its minibatches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from motley.agents.brain import BrainState, gather_state


@dataclass
class Batch:
    """A rollout with its advantages, (time, worlds, ...).

    Attributes:
        tensors: a trace's tensors with the outputs of :attr:`Brain.fixed` areas alone.
        actions: as the distribution gave them, (time, worlds, numbers).
        log_prob: of the actions when they were taken, (time, worlds).
        advantages: by score, weighted, (time, worlds).
        state: the brain's before the first step; empty where steps stand alone.
    """

    tensors: dict[str, Tensor]
    actions: Tensor
    log_prob: Tensor
    advantages: dict[str, Tensor]
    state: BrainState

    def minibatches(
        self, count: int, keep_order: bool, generator: torch.Generator
    ) -> Iterator[Batch]:
        """Yield random parts: whole sequences of some worlds, or single steps.

        Args:
            count: how many parts.
            keep_order: False cuts sequences into steps, each a sequence of its own.
            generator: of the permutation.
        """
        time, worlds = self.log_prob.shape
        n = worlds if keep_order else time * worlds
        order = torch.randperm(n, generator=generator, device=generator.device)
        if not keep_order:
            yield from self.steps(order, count)
            return
        for part in order.chunk(count):
            [taken] = self._each(partial(_some, part))
            taken.state = gather_state(self.state, part)
            yield taken

    def steps(self, order: Tensor, count: int) -> list[Batch]:
        """Return single steps, each a sequence of its own, in ``count`` parts.

        Args:
            order: of all steps, as numbers that count world by world (SB3's order).
            count: how many parts.
        """
        time, worlds = self.log_prob.shape
        rows = order % time * worlds + order // time

        def parts(x: Tensor) -> Sequence[Tensor]:
            # Put in order as a whole, so that a part is a view.
            return x.flatten(0, 1).index_select(0, rows).unsqueeze(0).chunk(count, 1)

        return self._each(parts)

    def _each(self, parts: Callable[[Tensor], Sequence[Tensor]]) -> list[Batch]:
        """Return batches without a state: the first of what ``parts`` makes of each tensor, ..."""
        tensors = {name: parts(x) for name, x in self.tensors.items()}
        advantages = {name: parts(x) for name, x in self.advantages.items()}
        pairs = zip(parts(self.actions), parts(self.log_prob), strict=True)
        return [
            Batch(
                {name: x[i] for name, x in tensors.items()},
                actions,
                log_prob,
                {name: x[i] for name, x in advantages.items()},
                {},
            )
            for i, (actions, log_prob) in enumerate(pairs)
        ]


def _some(worlds: Tensor, x: Tensor) -> tuple[Tensor]:
    # copies rows, several times as fast as x[:, worlds]
    return (x.index_select(1, worlds),)
