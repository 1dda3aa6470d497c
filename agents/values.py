"""Advantages and normalised returns, one critic per score."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motley.costs.base import carried_back


def gae(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    ends: Tensor,
    gamma: float,
    gae_lambda: float,
) -> Tensor:
    """Generalised advantage estimation (Schulman et al. 2016, equation 16).

    Args:
        rewards: (time, worlds).
        values: (time, worlds), of the state before each step.
        next_values: (time, worlds), of the state after each step: zero where the episode
            terminated, and where it was truncated, of the state it was truncated in.
        ends: (time, worlds) bool, the episode ended with this step, in either way.
        gamma: discount per step.
        gae_lambda: weight of longer estimates.

    Returns:
        Advantages, (time, worlds).
    """
    delta = rewards + gamma * next_values - values
    carry = gamma * gae_lambda * (~ends).to(delta.dtype)
    return carried_back(delta, carry)


class ReturnNormaliser(nn.Module):
    """Running mean and deviation of returns, and the read-out kept in step (PopArt).

    Targets are normalised so that each critic's gradient has the same scale whatever the size
    of its rewards; when the statistics move, the read-out's weights move with them, so that what
    it predicts does not (van Hasselt et al. 2016).

    The deviation is that of the last batches taken together, as PopArt has it: of returns whose
    mean moves it holds that motion too. What falls fast, as novelty does and learning progress
    more, counts less beside other scores than its differences within a batch would give it.

    Args:
        enabled: False leaves returns as they are.
        rate: weight of the newest batch once many were seen; the first ones are averaged.
    """

    mean: Tensor
    deviation: Tensor
    square: Tensor
    batches: Tensor

    def __init__(self, enabled: bool = True, rate: float = 0.05):
        super().__init__()
        self.enabled, self.rate = enabled, rate
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))
        self.register_buffer("square", torch.zeros(()))
        self.register_buffer("batches", torch.zeros(()))

    def update(self, returns: Tensor, head: nn.Linear) -> None:
        """Take in a batch of returns and keep the read-out's predictions as they were.

        Until returns are first not zero nothing is taken in: there is no unit to measure by.
        """
        if not self.enabled:
            return
        with torch.no_grad():
            heard = (self.square > 0) | returns.any()
            self.batches += heard
            rate = (1.0 / self.batches.clamp(min=1.0)).clamp(min=self.rate) * heard
            mean = torch.lerp(self.mean, returns.mean(), rate)
            self.square.lerp_(returns.square().mean(), rate)
            # The floor keeps scores that are all but constant from being blown up.
            deviation = (self.square - mean.square()).clamp(min=1e-4).sqrt()
            deviation = torch.where(heard, deviation, self.deviation)
            head.weight *= self.deviation / deviation
            head.bias.copy_((self.deviation * head.bias + self.mean - mean) / deviation)
            self.mean.copy_(mean)
            self.deviation.copy_(deviation)

    def silent(self, score: Tensor) -> Tensor:
        """Return whether a score is zero, (time, worlds), as all before were: () bool."""
        none = (self.square == 0) & ~score.any()
        return none if self.enabled else torch.zeros_like(none)

    def normalise(self, returns: Tensor) -> Tensor:
        """Return returns in units of their deviation."""
        return (returns - self.mean) / self.deviation

    def unit(self, steps: Tensor) -> Tensor:
        """Return mean and deviation now, for each of ``steps`` (time, worlds): two numbers more."""
        return torch.stack((self.mean, self.deviation)).expand(*steps.shape, 2)

    def restore(self, values: Tensor) -> Tensor:
        """Return what was normalised in its own units again."""
        return values * self.deviation + self.mean
