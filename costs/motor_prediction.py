"""An inverse model's own learning target: the command behind what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from torch import Tensor, nn

from motley.costs.base import State, Trace, UnfitError
from motley.costs.prediction import Prediction
from motley.costs.sensory_prediction import check_length


@dataclass(frozen=True)
class MotorPrediction(Prediction):
    """Squared error of the command that made the change which has just been sensed.

    The motor error of direct inverse modelling (Kuperstein 1988; Jordan & Rumelhart 1992). Where
    senses come ``steps`` steps late, that command is the efference copy of ``steps`` steps ago.

    Only commands that were obeyed count: where a sense ``go`` says whether the body is free, it was
    so when the command was given and still so a step later. A body that is held or carried
    back changes by no command. Of an inverse model, :func:`covered` is read and nothing
    else: what is wanted tells a policy's habit, not what was done.

    Attributes:
        steps: how late the senses are; None is as late as the task says.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("motor prediction",)
    trains: tuple[str, ...] = ("inverse_model|encoder", "inverse_model|core")
    reads: str = "inverse_model|core"
    steps: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps is not None and self.steps < 0:
            raise ValueError(f"MotorPrediction(steps={self.steps}): give at least 0")

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return the action's features."""
        return sizes["action"]

    def late(self, delay: int) -> Self:
        """Return the cost for senses that come so late, unless it says itself."""
        return replace(self, steps=delay) if self.steps is None else self

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return the linear read-out.

        Raises:
            UnfitError: an inverse model's output is no two commands.
        """
        features = sizes[self.reads]
        if not self.reads_a("inverse_model", sizes):
            return nn.Linear(features, self.size(sizes))
        if features % 2:
            raise UnfitError(
                f"the inverse model's output has {features} features, which are no two commands of "
                f"one length, for the way left and for the way covered; give it an even number"
            )
        return nn.Linear(features // 2, self.size(sizes))

    def inputs(self, trace: Trace) -> Tensor:
        """Return what an inverse model says of the way covered, or all of another area's output."""
        read = trace[self.reads]
        return covered(read) if self.reads_a("inverse_model", trace) else read

    @property
    def ago(self) -> int:
        """Steps since the command that made the change sensed now."""
        return 1 + (self.steps or 0)

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Refuse a rollout in which no step has one so long before: it could never count."""
        check_length(self.ago, trace)
        return {}, state

    def target(self, trace: Trace) -> Tensor:
        """Return the action before the step that is sensed now."""
        return trace.shifted(trace["action"], -self.ago)

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps whose episode is older than that, and whose command was obeyed."""
        known = trace.same_episode(-self.ago)
        if "go" not in trace:
            return known
        free = trace["go"][..., 0] > 0.5
        return known & trace.shifted(free, -self.ago) & trace.shifted(free, 1 - self.ago)


def covered(output: Tensor) -> Tensor:
    """Return the second half of an inverse model's output: the command for the way covered."""
    return output[..., output.shape[-1] // 2 :]
