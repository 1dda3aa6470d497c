"""The placebo: a cost with a gradient and no meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor, nn

from motley.costs.base import State, Trace, next_draw
from motley.costs.prediction import Prediction
from motley.costs.self_localisation import SelfLocalisation


@dataclass(frozen=True)
class NoiseTarget(Prediction):
    """Another cost with its targets dealt out at random among the steps of a rollout.

    Stands in a study for "any further gradient helps": it reads and trains the same areas, at the
    same steps, and its targets have the dimension, scale and distribution of the other's, but tell
    nothing of the step that they fall on.

    Attributes:
        of: the cost that it is the placebo of.
        seed: of the permutations.
        trains, reads: those of that cost, unless they are given.
    """

    trains: tuple[str, ...] = ()
    reads: str = ""
    of: Prediction = field(default_factory=SelfLocalisation)
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("of", isinstance(self.of, Prediction), "a cost that predicts")
        object.__setattr__(self, "trains", self.trains or self.of.trains)
        object.__setattr__(self, "reads", self.reads or self.of.reads)
        self.check("reads", self.reads == self.of.reads, f"what the other reads: {self.of.reads!r}")

    @classmethod
    def like(cls, cost: Prediction) -> Self:
        """Return the placebo of a cost, with its weights, reading and training the same areas."""
        same = {name: getattr(cost, name) for name in ("weight", "trains", "reads", "rate")}
        return cls(**same, of=cost)

    @property
    def name(self) -> str:
        """``noise_target_<of>``."""
        return f"noise_target_{self.of.name}"

    @property
    def in_time(self) -> bool:  # type: ignore[override]
        """Whether the other cost compares steps."""
        return self.of.in_time

    @property
    def truths(self) -> tuple[str, ...]:  # type: ignore[override]
        """What the other cost asks of the worlds."""
        return self.of.truths

    @property
    def floor(self) -> float:  # type: ignore[override]
        """The least variance that the other cost's errors are counted in."""
        return self.of.floor

    def late(self, delay: int) -> Self:
        """Return the placebo of the other cost for senses that come late."""
        return replace(self, of=self.of.late(delay))

    def applied(self, area: str, trains: Iterable[str]) -> Self:
        """Return the placebo of the other cost of another area."""
        moved = self.of.applied(area, trains)
        return replace(self, of=moved, reads=moved.reads, trains=moved.trains)

    def size(self, sizes: Mapping[str, int]) -> int:
        """Return how many numbers the other cost predicts."""
        return self.of.size(sizes)

    def heads(self, sizes: Mapping[str, int]) -> nn.Module:
        """Return a prediction of the other cost's form."""
        return self.of.heads(sizes)

    def inputs(self, trace: Trace) -> Tensor:
        """Return what the other cost reads."""
        return self.of.inputs(trace)

    def mask(self, trace: Trace) -> Tensor:
        """Return the steps at which the other cost counts."""
        begin = f"{self.name}/of/"
        notes = {k.removeprefix(begin): x for k, x in trace.tensors.items() if k.startswith(begin)}
        return self.of.mask(trace.noted(notes))

    def annotate(
        self, trace: Trace, state: State, heads: nn.Module
    ) -> tuple[dict[str, Tensor], State]:
        """Deal out the rollout's targets, (time, worlds, size); the state counts the deals.

        What the other cost notes is kept under this one's name, for :meth:`mask`.
        """
        inner = {k.removeprefix("of_"): x for k, x in state.items() if k.startswith("of_")}
        notes, inner = self.of.annotate(trace, inner, heads)
        seen = trace.noted(notes)
        target = self.of.target(seen).clone()
        counts = self.of.mask(seen)
        kept = target[counts]
        generator, counted = next_draw(self.name, self.seed, trace, state)
        target[counts] = kept[torch.randperm(len(kept), generator=generator).to(kept.device)]
        after = {**counted, **{f"of_{k}": x for k, x in inner.items()}}
        kept_notes = {f"{self.name}/of/{k}": x for k, x in notes.items()}
        return {**kept_notes, f"{self.name}/target": target}, after

    def target(self, trace: Trace) -> Tensor:
        """Return what was dealt out."""
        return trace[f"{self.name}/target"]
