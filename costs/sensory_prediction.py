"""A forward model's own learning target: what will have been felt of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from torch import Tensor

from motley.costs.base import Trace
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class SensoryPrediction(Prediction):
    """Squared error of the senses that arrive some steps on, predicted from an area.

    Where senses come ``steps`` steps late, what arrives then is what is true now, so this is the
    cerebellum's sensory prediction error (Wolpert, Miall & Kawato 1998; Tseng et al. 2007). No
    action is given to the read-out: the commands since are the area's to know.

    Attributes:
        senses: what to predict, all features of each.
        steps: how far on.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("motor prediction",)
    # The model is judged by its own error alone (Wolpert & Kawato 1998).
    alone: ClassVar[tuple[str, ...]] = ("forward_model",)
    trains: tuple[str, ...] = ("forward_model|encoder", "forward_model|core")
    reads: str = "forward_model|core"
    senses: tuple[str, ...] = ("vision",)
    steps: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
            raise ValueError(f"SensoryPrediction(steps={self.steps}): give at least 1")

    @classmethod
    def fitted(cls, senses: Mapping[str, int]) -> Self:
        """Return the cost of predicting what an arm senses, or else every sense."""
        of_arm = tuple(sense for sense in ("proprioception", "cue") if sense in senses)
        return cls(senses=of_arm or tuple(senses))

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return the senses' features."""
        return sum(sizes[sense] for sense in self.senses)

    def target(self, trace: Trace) -> Tensor:
        """Return the senses ``steps`` on."""
        return trace.shifted(trace.join(self.senses), self.steps)

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps whose episode goes on for as long."""
        return trace.same_episode(self.steps)
