"""An arm of two links: what the rungs of forward and inverse model that know it have in common."""

from __future__ import annotations

import torch
from torch import Tensor

LINKS, JOINT_SPEED, RESPONSE = (1.0, 1.0), 0.35, 0.5
"""DelayReach's arm: lengths of upper arm and forearm (m), the speed of a joint at full command
(radians a step), and the share of the way to a commanded speed that a step brings."""
DAMPING = 0.02
"""Area that the two links span, square metres, at which the inverse Jacobian is halved."""

Lengths = tuple[Tensor | float, Tensor | float]


def angles(posture: Tensor) -> Tensor:
    """Return the joints' angles in radians, (..., 2), from sine and cosine of each, (..., 4)."""
    sine_cosine = torch.unflatten(posture, -1, (2, 2))
    return torch.atan2(sine_cosine[..., 0], sine_cosine[..., 1])


def posture(joint: Tensor) -> Tensor:
    """Return sine and cosine of each joint, (..., 4), from its angle, (..., 2) radians."""
    return torch.stack((joint.sin(), joint.cos()), -1).flatten(-2)


def link_ends(joint: Tensor, links: Lengths) -> tuple[Tensor, Tensor]:
    """Return the elbow from the shoulder, and the hand from the elbow: each (..., 2) metres.

    Args:
        joint: (..., 2) radians of shoulder and elbow, the latter counted from the upper arm.
        links: lengths, metres.
    """
    upper, both = joint[..., 0], joint[..., 0] + joint[..., 1]
    return (
        links[0] * torch.stack((upper.cos(), upper.sin()), -1),
        links[1] * torch.stack((both.cos(), both.sin()), -1),
    )


def turning(joint: Tensor, way: Tensor, links: Lengths) -> Tensor:
    """Return how far joints turn for the hand to cover a way: the inverse Jacobian times the way.

    One over the determinant is damped, so that it stays finite for an arm that is stretched or
    folded, where no turn moves the hand along the arm.

    Args:
        joint: (..., 2) radians.
        way: (..., 2) metres.
        links: lengths, metres.

    Returns:
        (..., 2) radians.
    """
    upper, fore = link_ends(joint, links)
    area = upper[..., 0] * fore[..., 1] - upper[..., 1] * fore[..., 0]
    inverse = area / (area.square() + DAMPING**2)
    # The upper arm's direction and the forearm's each move the hand across their own link.
    of_upper, of_fore = (fore * way).sum(-1) * inverse, -(upper * way).sum(-1) * inverse
    return torch.stack((of_upper, of_fore - of_upper), -1)
