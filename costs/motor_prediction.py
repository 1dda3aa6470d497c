"""An inverse model's own learning target: the command behind what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from motley.costs.base import Trace
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class MotorPrediction(Prediction):
    """Squared error of the command that made the change which has just been sensed.

    The motor error of direct inverse modelling (Kuperstein 1988; Jordan & Rumelhart 1992). Where
    senses come ``steps`` steps late, that command is the efference copy of ``steps`` steps ago.

    Attributes:
        steps: how late the senses are.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("motor prediction",)
    trains: tuple[str, ...] = ("inverse_model|encoder", "inverse_model|core")
    reads: str = "inverse_model|core"
    steps: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 0:
            raise ValueError(f"MotorPrediction(steps={self.steps}): give at least 0")

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return the action's features."""
        return sizes["action"]

    def target(self, trace: Trace) -> Tensor:
        """Return the action before the step that is sensed now."""
        return trace.shifted(trace["action"], -self.steps - 1)

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps whose episode is older than that."""
        return trace.same_episode(-self.steps - 1)
