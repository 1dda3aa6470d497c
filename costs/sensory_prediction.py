"""A forward model's own learning target: what will have been felt of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from torch import Tensor, nn

from motley.costs.base import State, Trace, UnfitError
from motley.costs.prediction import Prediction


@dataclass(frozen=True)
class SensoryPrediction(Prediction):
    """Squared error of the senses that arrive some steps on, predicted from an area.

    Where senses come ``steps`` steps late, what arrives then is what is true now, so this is the
    cerebellum's sensory prediction error (Wolpert, Miall & Kawato 1998; Tseng et al. 2007). No
    action is given to the read-out: the commands since are the area's to know.

    Attributes:
        senses: what to predict, all features of each.
        steps: how far on; None is by how much the task's senses come late, and the next step where
            they do not.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("motor prediction",)
    # The model is judged by its own error alone (Wolpert & Kawato 1998).
    alone: ClassVar[tuple[str, ...]] = ("forward_model",)
    trains: tuple[str, ...] = ("forward_model|encoder", "forward_model|core")
    reads: str = "forward_model|core"
    senses: tuple[str, ...] = ("vision",)
    steps: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"SensoryPrediction(steps={self.steps}): give at least 1")

    @classmethod
    def fitted(cls, senses: Mapping[str, int]) -> Self:
        """Return the cost of predicting what an arm senses, or else every sense."""
        of_arm = tuple(sense for sense in ("proprioception", "cue") if sense in senses)
        return cls(senses=of_arm or tuple(senses))

    def late(self, delay: int) -> Self:
        """Return the cost that looks ahead as far as the senses are late, unless it says itself."""
        return replace(self, steps=max(delay, 1)) if self.steps is None else self

    @property
    def ahead(self) -> int:
        """Steps to look ahead."""
        return 1 if self.steps is None else self.steps

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return the senses' features."""
        return sum(sizes[sense] for sense in self.senses)

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Refuse a rollout in which no step has one so far on: it could never count."""
        check_length(self.ahead, trace)
        return {}, state

    def target(self, trace: Trace) -> Tensor:
        """Return the senses ``steps`` on."""
        return trace.shifted(trace.join(self.senses), self.ahead)

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps whose episode goes on for as long."""
        return trace.same_episode(self.ahead)


def check_length(steps: int, trace: Trace) -> None:
    """Raise where a rollout has no two steps that are so far apart.

    Raises:
        UnfitError: the message says how long it must be.
    """
    length = len(trace.episode_start)
    if length <= steps:
        raise UnfitError(
            f"it compares steps {steps} apart, and a rollout has {length}; give n_steps above "
            f"{steps}, or the cost fewer steps"
        )
