"""PPO's clipped surrogate, shared out among scores: compiled for float32 on the CPU.

Written out for autograd it is some twenty operations on a number a step and half as many
backwards, which at minibatches of a few hundred steps take longer than an actor's matrix products.
:func:`plain` is what the compiled form is tested against, and what runs elsewhere.
"""

# Numba's decorators carry no types.
# mypy: allow-untyped-decorators

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from motley.agents.layers import compiled

Losses = tuple[dict[str, Tensor], dict[str, Tensor]]


def surrogate(
    log_prob: Tensor,
    before: Tensor,
    advantages: Mapping[str, Tensor],
    clip_range: float,
    normalise: bool = True,
) -> Losses:
    """Return each score's loss at each step (Schulman et al. 2017, equation 7), and PPO's facts.

    The minimum is chosen by the whole advantage and then shared out among the scores, so that the
    losses add up to the surrogate and each can be routed by itself. All advantages share one
    scale, so that weights keep their meaning; each loses its own mean, so that a score that is the
    same everywhere has no effect, on its own areas or on others'.

    Args:
        log_prob: of the actions, (time, worlds).
        before: the same when they were taken.
        advantages: by score, (time, worlds).
        clip_range: of the probability ratio.
        normalise: False takes advantages as they are, with their mean and scale.
    """
    if not advantages or not compiled(log_prob):
        return plain(log_prob, before, advantages, clip_range, normalise)
    given = (torch.stack([*advantages.values()]), clip_range, normalise)
    found = _Surrogate.apply(log_prob, before, *given)  # type: ignore[no-untyped-call]
    kl, fraction, *losses = found
    facts = {"approx_kl": kl, "clip_fraction": fraction}
    return dict(zip(advantages, losses, strict=True)), facts


def plain(
    log_prob: Tensor,
    before: Tensor,
    advantages: Mapping[str, Tensor],
    clip_range: float,
    normalise: bool = True,
) -> Losses:
    """Do as :func:`surrogate` in plain torch: any device and any precision."""
    log_ratio = log_prob - before
    ratio = log_ratio.exp()
    losses: dict[str, Tensor] = {}
    if advantages:
        whole, parts = torch.stack([*advantages.values()]).sum(0), dict(advantages)
        if normalise:
            scale, whole = whole.std() + 1e-8, whole - whole.mean()
            parts = {name: (x - x.mean()) / scale for name, x in advantages.items()}
        clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
        chosen = torch.where(ratio * whole <= clipped * whole, ratio, clipped)
        losses = {name: -(chosen * x) for name, x in parts.items()}
    with torch.no_grad():
        kl = (ratio - 1 - log_ratio).mean()
        fraction = ((ratio - 1).abs() > clip_range).to(ratio.dtype).mean()
    return losses, {"approx_kl": kl, "clip_fraction": fraction}


@njit(cache=True, nogil=True, error_model="numpy")
def _forward(log_prob, before, advantages, clip_range, normalise, losses, slopes, facts):  # type: ignore[no-untyped-def]
    """Write the losses.

    Args:
        log_prob: (steps,).
        before: likewise.
        advantages: (scores, steps).
        clip_range: of the probability ratio.
        normalise: as :func:`surrogate` takes it.
        losses: (scores, steps), written.
        slopes: (scores, steps), written: of the losses, by the log-probability.
        facts: (2,), written: the estimate of the divergence, and the share that was clipped.
    """
    scores, steps = advantages.shape
    total, means = np.zeros(steps), np.zeros(scores)
    for k in range(scores):
        for i in range(steps):
            total[i] += advantages[k, i]
            means[k] += advantages[k, i] / steps  # in float64, which a float32 array's mean is not
    mean, scale = 0.0, 1.0
    if normalise:
        mean = total.mean()
        scale = np.sqrt(np.square(total - mean).sum() / (steps - 1)) + 1e-8
    else:
        means[:] = 0.0
    kl, clipped = 0.0, 0
    for i in range(steps):
        log_ratio = log_prob[i] - before[i]
        ratio = np.exp(log_ratio)
        kl += ratio - 1 - log_ratio
        clipped += abs(ratio - 1) > clip_range
        bound = min(max(ratio, 1 - clip_range), 1 + clip_range)
        # Asked so that what is not a number is not clipped, but found.
        free = not ratio * (total[i] - mean) > bound * (total[i] - mean)
        for k in range(scores):
            factor = (means[k] - advantages[k, i]) / scale
            losses[k, i] = factor * (ratio if free else bound)
            slopes[k, i] = factor * ratio if free else 0.0
    facts[0], facts[1] = kl / steps, clipped / steps


class _Surrogate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        log_prob: Tensor,
        before: Tensor,
        advantages: Tensor,
        clip_range: float,
        normalise: bool,
    ) -> tuple[Tensor, ...]:
        losses, slopes = torch.empty_like(advantages), torch.empty_like(advantages)
        facts = log_prob.new_empty(2)
        _forward(
            log_prob.detach().reshape(-1).numpy(),
            before.reshape(-1).numpy(),
            advantages.flatten(1).numpy(),
            clip_range,
            normalise,
            losses.flatten(1).numpy(),
            slopes.flatten(1).numpy(),
            facts.numpy(),
        )
        ctx.save_for_backward(slopes)
        ctx.set_materialize_grads(False)
        found = (*facts.unbind(), *losses.unbind())
        ctx.mark_non_differentiable(*found[:2])
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        [slopes] = ctx.saved_tensors
        pairs = zip(gradients[2:], slopes, strict=True)
        parts = [gradient * slope for gradient, slope in pairs if gradient is not None]
        return (sum(parts[1:], parts[0]) if parts else None, None, None, None, None)
