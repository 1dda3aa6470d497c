"""What a ring's cells tell: shared by head-direction areas and the cost that teaches them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def preferred(size: int) -> Tensor:
    """Return the headings that the cells of a ring prefer, in radians, (size,)."""
    return torch.arange(size) * (2 * math.pi / size)


def population_vector(activity: Tensor) -> Tensor:
    """Return the direction that a ring's cells point to together, a unit vector (..., 2).

    The population vector of Georgopoulos et al. (1986); its angle is the heading.
    """
    angle = preferred(activity.shape[-1]).to(activity)
    vector = activity @ torch.stack((angle.cos(), angle.sin()), -1)
    return nn.functional.normalize(vector, dim=-1, eps=1e-6)
