"""What an update learns from, and its minibatches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
        whole = self if keep_order else self._flat()
        n = whole.log_prob.shape[1]
        order = torch.randperm(n, generator=generator, device=generator.device)
        for part in order.chunk(count):
            # index_select copies rows, several times as fast as x[:, part]
            yield Batch(
                {name: x.index_select(1, part) for name, x in whole.tensors.items()},
                whole.actions.index_select(1, part),
                whole.log_prob.index_select(1, part),
                {name: x.index_select(1, part) for name, x in whole.advantages.items()},
                gather_state(whole.state, part),
            )

    def _flat(self) -> Batch:
        """Return every step as a world of its own, world by world (SB3's order)."""

        def flat(x: Tensor) -> Tensor:
            return x.transpose(0, 1).reshape(1, -1, *x.shape[2:])

        return Batch(
            {name: flat(x) for name, x in self.tensors.items()},
            flat(self.actions),
            flat(self.log_prob),
            {name: flat(x) for name, x in self.advantages.items()},
            {},
        )
