"""The weights of areas: one linear layer for all, so that a credit rule has one place to act."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Linear(nn.Linear):
    """An affine map with orthogonal initial weights and zero biases.

    Args:
        inputs: features in.
        outputs: features out.
        gain: scale of the initial weights (Saxe et al. 2014); the square root of 2 suits
            rectifiers, 1 suits tanh and linear read-outs.
        bias: whether there is an offset.

    Attributes:
        rule: how the layer maps its input, where a credit rule has taken charge of it; see
            :mod:`motley.agents.credit`.
        feedback: weights that such a rule sends errors back through.
    """

    rule: Callable[[Linear, Tensor], Tensor] | None = None
    feedback: Tensor

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0, bias: bool = True):
        self.gain = gain
        super().__init__(inputs, outputs, bias=bias)

    def reset_parameters(self) -> None:
        """Draw the weights from torch's generator."""
        if self.weight.is_meta:
            return
        nn.init.orthogonal_(self.weight, self.gain)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Return the affine map of (..., inputs), (..., outputs)."""
        return super().forward(input) if self.rule is None else self.rule(self, input)


def compiled(x: Tensor) -> bool:
    """Whether a form that is compiled for the CPU may take the place of plain torch for ``x``.

    It wants float32, and memory of its own.
    """
    return x.device.type == "cpu" and x.dtype == torch.float32 and not transformed()


def transformed() -> bool:
    """Whether :mod:`torch.func` is at work, where a tensor stands for several and has no memory.

    Several brains run at once so; gradients by hand are for a single one.
    """
    return torch._C._are_functorch_transforms_active()  # what torch's own Function asks


ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu}
GAINS = {"tanh": math.sqrt(2.0), "relu": math.sqrt(2.0)}


def concatenate(inputs: tuple[Tensor, ...]) -> Tensor:
    """Join inputs along their features; a single one is returned as it is."""
    return inputs[0] if len(inputs) == 1 else torch.cat(inputs, -1)


def seed_of(seed: int, name: str) -> int:
    """Return a seed that depends on a seed and a name only, 63 bits."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") & (2**63 - 1)


@contextmanager
def seeded(seed: int, name: str) -> Iterator[None]:
    """Draw initial weights from a stream of their own, and leave torch's as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, name))
        yield
