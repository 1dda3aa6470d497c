"""A world model's own learning target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.costs import sighting
from motley.costs.base import Cost, State, Trace, UnfitError, masked_mean_square, next_draw


def surprise(output: Tensor, view: Tensor) -> Tensor:
    """Return the error that a world model carries in its output, (time, worlds, rays).

    Args:
        output: (time, worlds, features), a code and then the error of each ray.
        view: (time, worlds, rays x 4), what the world model predicts.

    Raises:
        UnfitError: see `error_rays`.
    """
    return output[..., -error_rays(output.shape[-1], view.shape[-1]) :]


def error_rays(output: int, view: int) -> int:
    """Return for how many rays a world model carries an error in its output.

    Args:
        output: the features of its output.
        view: those of what it predicts, rays x 4.

    Raises:
        UnfitError: the output is too small to carry an error for each ray, or there is part of one.
    """
    rays, rest = divmod(view, sighting.CHANNELS)
    if rest or output <= rays:
        raise UnfitError(
            f"the world model's output has {output} features, which are no code and an error for "
            f"each of {view / sighting.CHANNELS:g} rays; give the cost the sense that the area "
            f"predicts"
        )
    return rays


@dataclass(frozen=True)
class WorldPrediction(Cost):
    """Squared error of the world model's prediction of vision, which it carries in its output.

    Without a world model it is zero: what is seen next is predicted by `NextObservation`.

    Attributes:
        sense: what the world model predicts, rays of four channels.
        meaningless: the placebo: the error is to be what it was at another step, drawn at random
            among those of the rollout, in place of nothing.
        seed: of that.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("play",)
    # Its error is what play is about: reward must not shape it.
    alone: ClassVar[tuple[str, ...]] = ("world_model",)
    trains: tuple[str, ...] = ("world_model",)
    sense: str = "vision"
    meaningless: bool = False
    seed: int = 0

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Deal out a placebo's targets, (time, worlds, rays); the state counts the deals."""
        if not self.meaningless or "world_model" not in trace:
            return {}, state
        generator, after = next_draw(self.name, self.seed, trace, state)
        dealt, known = (
            surprise(trace["world_model"], trace[self.sense]).clone(),
            ~trace.episode_start,
        )
        kept = dealt[known]
        dealt[known] = kept[torch.randperm(len(kept), generator=generator).to(kept.device)]
        return {f"{self.name}/target": dealt}, after

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the mean squared error over rays and channels, (time, worlds)."""
        if "world_model" not in trace:
            return torch.zeros_like(trace["reward"])
        error = surprise(trace["world_model"], trace[self.sense])
        if self.meaningless:
            error = error - trace[f"{self.name}/target"]
        return masked_mean_square(error, ~trace.episode_start)
