"""Curiosity for what one is getting better at."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from motley.costs.base import State, Trace, masked_mean_square, next_draw
from motley.costs.intrinsic import Intrinsic
from motley.costs.models import ForwardModel, Standardiser


class Rehearsal(nn.Module):
    """A uniform sample of all rows that it was ever given (Vitter 1985, algorithm R).

    Args:
        rows: how many are kept.
        size: numbers of a row.
    """

    kept: Tensor
    count: Tensor

    def __init__(self, rows: int, size: int):
        super().__init__()
        self.register_buffer("kept", torch.zeros(rows, size))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def take(self, rows: Tensor, generator: torch.Generator) -> None:
        """Take in rows (n, size), one after the other."""
        most, count = len(self.kept), int(self.count)
        order = count + torch.arange(len(rows))
        place = (
            torch.rand(len(rows), generator=generator, dtype=torch.float64) * (order + 1)
        ).long()
        place = torch.where(order < most, order, place)
        # Of several rows for one place the last stays.
        last = {p: i for i, p in enumerate(place.tolist()) if p < most}
        self.kept[list(last)] = rows[list(last.values())]
        self.count += len(rows)

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Return rows drawn at random, (*shape, size); zeros where there are none."""
        held = max(min(int(self.count), len(self.kept)), 1)
        return self.kept[torch.randint(held, shape, generator=generator)]


class Ages(nn.Module):
    """A forward model, and the moving average of its weights as it was after each late rollout.

    Args:
        size: features of an observation.
        action: features of an action.
        hidden: units of the hidden layer.
        age: rollouts that the oldest average lies back.

    Attributes:
        past: what is stored to learn from, if anything.
    """

    averages: Tensor
    past: Rehearsal | None

    def __init__(self, size: int, action: int, hidden: int, age: int):
        super().__init__()
        self.past = None
        self.standardise = Standardiser(size)
        self.model = ForwardModel(size, action, hidden)
        self.averaged = deepcopy(self.model).requires_grad_(False)
        weights = parameters_to_vector(self.averaged.parameters())
        self.register_buffer("averages", weights.repeat(age + 1, 1))

    def grow_older(self, kept: float) -> None:
        """Take in the model's weights: a newest average, the first row, that keeps this share."""
        weights = parameters_to_vector(self.model.parameters())
        newest = self.averages[:1].lerp(weights, 1.0 - kept)
        self.averages = torch.cat((newest, self.averages[:-1]))

    def wrong(self, now: Tensor, action: Tensor, later: Tensor) -> Tensor:
        """Return what the model's prediction is off by, standardised, (..., size)."""
        off: Tensor = self.model(self.standardise(now), action) - self.standardise(later)
        return off

    def error(self, age: int, now: Tensor, action: Tensor, later: Tensor) -> Tensor:
        """Return the mean squared error of an average so many rollouts old, (time, worlds)."""
        vector_to_parameters(self.averages[age], self.averaged.parameters())
        error: Tensor = (self.averaged(now, action) - later).square().mean(-1)
        return error


@dataclass(frozen=True)
class LearningProgress(Intrinsic):
    """How much less a learner errs than it did some rollouts ago (Achiam & Sastry 2017).

    It predicts the next observation from the present one and the action. What is mastered gives
    nothing, and neither does noise, at which both err alike. Both of them are moving averages of
    the learner's weights, of equal length: the weights themselves jitter, and would err more than
    an average that is older but smoother, as Kim et al. (2020) have it, once little is left to
    learn; to look about would then cost.

    A learner that sees the newest rollout alone forgets what its agent has left, and gets better at
    it anew whenever that comes back. With ``rehearsed`` it learns as much from a sample of all that
    was lived, as Kim et al.'s does from what it has stored.

    Attributes:
        kept: share of the average kept from one rollout to the next.
        age: rollouts between the two.
        hidden: units of the model's hidden layer.
        rehearsed: steps of the past that are stored to learn from; 0 learns from the newest alone.
    """

    in_time: ClassVar[bool] = True
    problems: ClassVar[tuple[str, ...]] = ("play",)
    kept: float = 0.5
    age: int = 10
    hidden: int = 64
    rehearsed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("kept", 0 <= self.kept < 1, "a share of at least 0 and below 1")
        self.check("age", self.age >= 1, "1 rollout or more")
        self.check("rehearsed", self.rehearsed >= 0, "a number of steps, 0 or more")

    def heads(self, sizes: Mapping[str, int]) -> Ages:
        """Return the model, its averages, and what is stored of the past."""
        size, action = self.width(sizes), sizes["action"]
        made = Ages(size, action, self.hidden, self.age)
        if self.rehearsed:
            made.past = Rehearsal(self.rehearsed, 2 * size + action)
        return made

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Note the scores, and for each step one of the past to learn from, ``<name>/past``."""
        notes, after = super().annotate(trace, state, heads)
        made = cast(Ages, heads)
        if made.past is not None:
            generator, counted = next_draw(f"{self.name}/past", self.seed, trace, state)
            lived = torch.cat((self.seen(trace), trace["action"], self.seen_next(trace)), -1)
            made.past.take(lived[trace.has_next], generator)
            notes[f"{self.name}/past"] = made.past.draw(trace.has_next.shape, generator)
            after = {**after, **counted}
        return notes, after

    def judge(self, trace: Trace, state: State, heads: nn.Module) -> tuple[Tensor, State]:
        """Return the older average's mean squared error minus the newest one's."""
        made, action = cast(Ages, heads), trace["action"]
        made.standardise.update(self.seen(trace))
        made.grow_older(self.kept)
        now = made.standardise(self.seen(trace))
        later = made.standardise(self.seen_next(trace))
        older, newest = (made.error(age, now, action, later) for age in (self.age, 0))
        return older - newest, state

    def loss(self, trace: Trace, heads: nn.Module) -> Tensor:
        """Return the model's squared error, (time, worlds)."""
        made, later = cast(Ages, heads), self.seen_next(trace)
        new = masked_mean_square(
            made.wrong(self.seen(trace), trace["action"], later), trace.has_next
        )
        if made.past is None:
            return new
        size, action = later.shape[-1], trace["action"].shape[-1]
        past = torch.split(trace[f"{self.name}/past"], [size, action, size], -1)
        return 0.5 * (new + made.wrong(*past).square().mean(-1))
