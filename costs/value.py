"""Learning what to expect of a score: the critic's cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from motley.costs.base import Cost, Trace


@dataclass(frozen=True)
class Value(Cost):
    """Squared error between the value predicted and the lambda-return (Schulman et al. 2016).

    A cost is not a value: this one trains an estimate of another cost's score to come, and is
    logged apart from it. Targets come normalised, by the running mean and deviation of that
    score's returns (PopArt, van Hasselt et al. 2016), as ``value/<of>/target``.

    Attributes:
        of: name of the cost whose score is predicted.
        gain: scale of the read-out's initial weights.
    """

    weight: float = 0.5
    of: str = "reward"
    gain: float = 1.0

    @property
    def name(self) -> str:
        """``value_<of>``."""
        return f"value_{self.of}"

    def heads(self, sizes: Mapping[str, int]) -> nn.Linear:
        """Return the linear read-out of the critic: features -> 1."""
        head = nn.Linear(sizes["critic"], 1)
        nn.init.orthogonal_(head.weight, self.gain)
        nn.init.zeros_(head.bias)
        return head

    def predict(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the normalised value of each step, (time, worlds)."""
        value: Tensor = heads(trace["critic"])
        return value.squeeze(-1)

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the squared error, (time, worlds), in units of the return's variance."""
        return (self.predict(trace, heads) - trace[f"value/{self.of}/target"]).square()
