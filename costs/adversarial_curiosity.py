"""Curiosity for what the world model does not foretell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from motley.costs.base import State, Trace
from motley.costs.intrinsic import Intrinsic
from motley.costs.world_prediction import error_rays, surprise


@dataclass(frozen=True)
class AdversarialCuriosity(Intrinsic):
    """Pays the world model's error in what a step leads to: what the one loses, the other wins.

    The score is what `motley.costs.WorldPrediction` makes the world model minimise, mean over rays
    and channels of the squared error, as the world model carries it in its output. Haber et al.
    (2018) so reward an agent that challenges its own world model; there a self model foretells the
    loss of each action, which is chosen by that, here a critic learns what the score adds up to.
    Noise is never foretold, and draws it. An agent without a world model is refused.

    It does not train the world model, which would please it by erring, nor the self model.

    Attributes:
        senses: the sense that the world model predicts.
    """

    trains: tuple[str, ...] = ("all", "-world_model", "-self_model")

    @classmethod
    def fitted(cls, senses: Mapping[str, int]) -> Self:
        """Return the cost as it is: what is predicted is the world model's matter."""
        return cls()

    def heads(self, sizes: Mapping[str, int]) -> nn.Module | None:
        """Return None: what errs is an area, and learns by a cost of its own.

        Raises:
            KeyError: there is no world model, or none of the senses.
            ValueError: its output cannot carry an error for each ray of them.
        """
        error_rays(sizes["world_model"], self.width(sizes))
        return None

    def judge(self, trace: Trace, state: State, heads: nn.Module) -> tuple[Tensor, State]:
        """Return the world model's squared error of the next view."""
        error = surprise(trace.next("world_model"), self.seen(trace))
        return error.square().mean(-1), state
