"""Distributions over actions, in batches and without objects per step.

Noise for a whole rollout is drawn at once and passed in; everything is a function of the
numbers that the actor gives.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from motley.agents.layers import transformed

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class ActionDistribution(ABC):
    """What an actor's numbers mean.

    Attributes:
        parameters: numbers that the distribution takes from the network.
        deviations: standard deviations it takes that depend on no input.
        size: numbers of an action as an environment and this class give it.
        features: numbers of an action as areas see it (one-hot where discrete).
        noise: random numbers that one sample takes.
    """

    parameters: int
    deviations: int = 0
    size: int
    features: int
    noise: int

    @property
    def preference(self) -> int:
        """Numbers that tell one action among those to choose from."""
        return self.parameters

    @abstractmethod
    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Return noise for samples of ``shape``, with ``noise`` numbers as last axis."""

    @abstractmethod
    def sample(self, x: Tensor, log_std: Tensor, noise: Tensor | None) -> Tensor:
        """Return actions (..., size); the mode where ``noise`` is None."""

    @abstractmethod
    def log_prob(self, x: Tensor, log_std: Tensor, action: Tensor) -> Tensor:
        """Return the log-probability or log-density of ``action``, (...)."""

    @abstractmethod
    def entropy(self, x: Tensor, log_std: Tensor) -> Tensor:
        """Return the entropy in nats, (...)."""

    @abstractmethod
    def encode(self, action: Tensor) -> Tensor:
        """Return actions as areas see them, (..., features)."""

    @abstractmethod
    def from_environment(self, action: Tensor) -> Tensor:
        """Return actions (..., numbers) that the environment takes as this class gives them."""

    @abstractmethod
    def to_environment(self, action: Tensor) -> npt.NDArray[Any]:
        """Return actions as the environment takes them, (worlds, ...)."""


def gumbel(shape: tuple[int, ...], count: int, generator: torch.Generator) -> Tensor:
    """Return Gumbel noise, (*shape, count): the largest of logits plus it is a categorical draw."""
    uniform = torch.rand(*shape, count, generator=generator, device=generator.device)
    return -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))


class _GaussianLogProb(torch.autograd.Function):
    """Of a diagonal Gaussian, with its gradient by hand, in half of autograd's operations."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, log_std: Tensor, action: Tensor) -> Tensor:
        rate = (-log_std).exp()
        scaled = (action - x) * rate
        ctx.save_for_backward(scaled, rate)
        return -0.5 * scaled.square().sum(-1) - (log_std + HALF_LOG_TWO_PI).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        scaled, rate = ctx.saved_tensors
        by_x = gradient.unsqueeze(-1) * scaled
        by_log_std = (by_x * scaled - gradient.unsqueeze(-1)).reshape(-1, len(rate)).sum(0)
        return by_x * rate, by_log_std, None


class Gaussian(ActionDistribution):
    """A diagonal Gaussian over a Box; the environment gets it clipped to the box."""

    def __init__(self, space: spaces.Box):
        self.space = space
        self.size = self.features = self.parameters = self.deviations = self.noise = int(
            np.prod(space.shape)
        )
        self._low = torch.as_tensor(space.low).flatten()
        self._high = torch.as_tensor(space.high).flatten()

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """See :class:`ActionDistribution`."""
        return torch.randn(*shape, self.noise, generator=generator, device=generator.device)

    def sample(self, x: Tensor, log_std: Tensor, noise: Tensor | None) -> Tensor:
        """See :class:`ActionDistribution`."""
        return x if noise is None else x + log_std.exp() * noise

    def log_prob(self, x: Tensor, log_std: Tensor, action: Tensor) -> Tensor:
        """See :class:`ActionDistribution`."""
        if transformed():
            scaled = (action - x) * (-log_std).exp()
            return -0.5 * scaled.square().sum(-1) - (log_std + HALF_LOG_TWO_PI).sum()
        log_prob: Tensor = _GaussianLogProb.apply(x, log_std, action)  # type: ignore[no-untyped-call]
        return log_prob

    def entropy(self, x: Tensor, log_std: Tensor) -> Tensor:
        """See :class:`ActionDistribution`."""
        return (log_std + 0.5 + HALF_LOG_TWO_PI).sum().expand(x.shape[:-1])

    def encode(self, action: Tensor) -> Tensor:
        """Return what is done: the action clipped to the box."""
        return action.clamp(self._low.to(action), self._high.to(action))

    def from_environment(self, action: Tensor) -> Tensor:
        """See :class:`ActionDistribution`."""
        return action

    def to_environment(self, action: Tensor) -> npt.NDArray[Any]:
        """See :class:`ActionDistribution`."""
        clipped: npt.NDArray[Any] = self.encode(action).cpu().numpy()
        return clipped.reshape(-1, *self.space.shape)


class Categorical(ActionDistribution):
    """One categorical a dimension, over Discrete, MultiDiscrete or MultiBinary."""

    def __init__(self, counts: list[int], space: spaces.Space[Any]):
        self.counts, self.space = counts, space
        self.parameters = self.features = self.noise = sum(counts)
        self.size = len(counts)
        self._start: npt.NDArray[np.int64] = np.asarray(getattr(space, "start", 0))

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Return Gumbel noise; see :class:`ActionDistribution`."""
        return gumbel(shape, self.noise, generator)

    def sample(self, x: Tensor, log_std: Tensor, noise: Tensor | None) -> Tensor:
        """See :class:`ActionDistribution`; the argument of the largest, with Gumbel noise."""
        perturbed = x if noise is None else x + noise
        chosen = [part.argmax(-1) for part in torch.split(perturbed, self.counts, -1)]
        return torch.stack(chosen, -1).to(x.dtype)

    def _log_probs(self, x: Tensor) -> list[Tensor]:
        return [part.log_softmax(-1) for part in torch.split(x, self.counts, -1)]

    def log_prob(self, x: Tensor, log_std: Tensor, action: Tensor) -> Tensor:
        """See :class:`ActionDistribution`."""
        chosen = [
            part.gather(-1, index.unsqueeze(-1)).squeeze(-1)
            for part, index in zip(self._log_probs(x), action.long().unbind(-1), strict=True)
        ]
        return torch.stack(chosen).sum(0)

    def entropy(self, x: Tensor, log_std: Tensor) -> Tensor:
        """See :class:`ActionDistribution`."""
        return torch.stack([-(p.exp() * p).sum(-1) for p in self._log_probs(x)]).sum(0)

    def encode(self, action: Tensor) -> Tensor:
        """See :class:`ActionDistribution`; one-hot."""
        parts = [
            torch.nn.functional.one_hot(index, n)
            for index, n in zip(action.long().unbind(-1), self.counts, strict=True)
        ]
        return torch.cat(parts, -1).to(action.dtype)

    def from_environment(self, action: Tensor) -> Tensor:
        """See :class:`ActionDistribution`."""
        return action - torch.as_tensor(self._start).to(action)

    def to_environment(self, action: Tensor) -> npt.NDArray[Any]:
        """See :class:`ActionDistribution`."""
        whole: npt.NDArray[Any] = action.long().cpu().numpy() + self._start
        if isinstance(self.space, spaces.Discrete):
            return whole[:, 0]
        return whole.reshape(-1, *(self.space.shape or ())).astype(self.space.dtype)


class Mixture(ActionDistribution):
    """One of several actions, each with a distribution of its own: which one is drawn first.

    The log-probability is the mixture's, whichever was drawn: nobody needs to know. A mixture of
    experts (Jacobs et al. 1991). Its entropy has no closed form: what is given is that of the draw
    and of the action together, which is no less.

    Args:
        part: the distribution of each.
        count: how many. The actor gives for each the logit of its weight, and then its numbers.
    """

    def __init__(self, part: ActionDistribution, count: int):
        self.part, self.count = part, count
        self.parameters = count * (1 + part.parameters)
        self.noise = count + part.noise
        self.deviations, self.size, self.features = part.deviations, part.size, part.features

    @property
    def preference(self) -> int:
        """See :class:`ActionDistribution`."""
        return self.part.preference

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """See :class:`ActionDistribution`; Gumbel noise of the weights first."""
        return torch.cat(
            (gumbel(shape, self.count, generator), self.part.draw(shape, generator)), -1
        )

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits (..., count) and the numbers of each (..., count, parameters)."""
        x = torch.unflatten(x, -1, (self.count, -1))
        return x[..., 0], x[..., 1:]

    def sample(self, x: Tensor, log_std: Tensor, noise: Tensor | None) -> Tensor:
        """See :class:`ActionDistribution`; without noise the likeliest one's mode."""
        logits, each = self._split(x)
        rest = None
        if noise is not None:
            logits, rest = logits + noise[..., : self.count], noise[..., self.count :]
        chosen = logits.argmax(-1)[..., None, None].expand(*logits.shape[:-1], 1, each.shape[-1])
        return self.part.sample(each.gather(-2, chosen).squeeze(-2), log_std, rest)

    def log_prob(self, x: Tensor, log_std: Tensor, action: Tensor) -> Tensor:
        """See :class:`ActionDistribution`."""
        logits, each = self._split(x)
        same = action.unsqueeze(-2).expand(*action.shape[:-1], self.count, -1)
        by_each = self.part.log_prob(each, log_std, same)
        return (logits.log_softmax(-1) + by_each).logsumexp(-1)

    def entropy(self, x: Tensor, log_std: Tensor) -> Tensor:
        """See :class:`ActionDistribution`; of the draw and the action together."""
        logits, each = self._split(x)
        log_weight = logits.log_softmax(-1)
        weight = log_weight.exp()
        own = self.part.entropy(each, log_std)
        return (weight * (own - log_weight)).sum(-1)

    def encode(self, action: Tensor) -> Tensor:
        """See :class:`ActionDistribution`."""
        return self.part.encode(action)

    def from_environment(self, action: Tensor) -> Tensor:
        """See :class:`ActionDistribution`."""
        return self.part.from_environment(action)

    def to_environment(self, action: Tensor) -> npt.NDArray[Any]:
        """See :class:`ActionDistribution`."""
        return self.part.to_environment(action)


def action_distribution(space: spaces.Space[Any], choices: int = 0) -> ActionDistribution:
    """Return the distribution over an action space.

    Args:
        space: the actions.
        choices: between how many areas' actions the actor chooses, by a :class:`Mixture`; 0 where
            it does not.

    Raises:
        ValueError: there is none for this kind of space.
    """
    one = _over(space)
    return Mixture(one, choices) if choices else one


def _over(space: spaces.Space[Any]) -> ActionDistribution:
    """Return the distribution of one action; see :func:`action_distribution`."""
    if isinstance(space, spaces.Box):
        return Gaussian(space)
    if isinstance(space, spaces.Discrete):
        return Categorical([int(space.n)], space)
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
        return Categorical([int(n) for n in space.nvec], space)
    if isinstance(space, spaces.MultiBinary):
        return Categorical([2] * int(np.prod(space.shape)), space)
    raise ValueError(
        f"no distribution over the action space {space}; there is one for Box, Discrete, "
        f"MultiDiscrete and MultiBinary"
    )
