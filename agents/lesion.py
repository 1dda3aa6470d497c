"""Lesions: an area's output held still, to see what depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import numpy.typing as npt
import torch

from motley.agents.brain import Brain
from motley.costs.registry import unknown


class Lesion:
    """Holds the output of areas still, at once; put back by :meth:`heal` or at a block's end.

    Made by :meth:`motley.agents.Agent.lesion`. A memory in the area lives on unread: its state
    goes on, and is there again after healing.

    Args:
        brain: whose areas.
        held: by area, the output that it is held at: a number, or one for each unit.

    Raises:
        ValueError: no such area (the nearest are named), or as many numbers as it has no units.
    """

    def __init__(self, brain: Brain, held: Mapping[str, npt.ArrayLike]):
        outputs = {}
        for area, value in held.items():
            if area not in brain.areas:
                raise ValueError(unknown("area", area, list(brain.areas)))
            size = brain.sizes[area]
            output = torch.as_tensor(value, dtype=torch.float32).to(_device(brain))
            if output.shape not in ((), (size,)):
                raise ValueError(
                    f"area {area!r} has {size} units: hold it at one number or at {size}, "
                    f"not at an array of shape {tuple(output.shape)}"
                )
            outputs[area] = output.expand(size)
        self.brain, self.outputs = brain, outputs
        brain.lesions.append(outputs)

    def heal(self) -> None:
        """Let the areas work again, as far as no other lesion holds them."""
        self.brain.lesions = [other for other in self.brain.lesions if other is not self.outputs]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.heal()


def _device(brain: Brain) -> torch.device:
    return next(brain.parameters()).device
