"""What a body will see of what it saw, once it has moved: for areas that know how views move."""

from __future__ import annotations

import torch
from torch import Tensor

from motley.costs import sighting

ROUND = 0.02
"""Metres by which what is met may lie off a circle and still count as a disc."""
EDGE = 1e-4
"""Share of a surface by which a ray may miss its end and still meet it: more than rounding."""


def reprojected(view: Tensor, ahead: Tensor, turn: Tensor, radius: float) -> Tensor:
    """Return the view after the body turned and then walked on, if nothing else moved.

    The points that rays met are moved against the body's motion, and what lies between them is
    filled in. What is seen in one colour and fits a disc of the radius is one, exactly where two
    rays or more meet it. All else is a surface that runs straight from each point that was met to
    the next, behind the discs too, and takes the colour of the nearer end. The nearest is seen.

    Args:
        view: (..., rays, 4).
        ahead: metres, (...,).
        turn: radians, left is positive, (...,).
        radius: of discs, metres.

    Returns:
        (..., rays, 4), with gradients for ``ahead`` and ``turn`` through nearness alone.
    """
    middle, is_disc = discs(view, radius)
    way, still = sighting.directions(view), torch.zeros_like(ahead)
    felt = torch.stack((still, turn.sin(), turn.cos()), -1).unsqueeze(-2)
    step = torch.stack((ahead, still), -1).unsqueeze(-2)
    points = sighting.turned(sighting.RANGE * (1 - view[..., :1]) * way, felt) - step
    middle = sighting.turned(middle, felt) - step

    # Of each ray (before the last axis) and each thing, how far off it is met.
    along = middle @ way.t()
    room = radius**2 - (middle.square().sum(-1, keepdim=True) - along.square())
    depth = room.clamp(min=1e-4).sqrt()
    met = is_disc.unsqueeze(-1) & (room > 0) & (along + depth > 0)
    to_disc = torch.where(met, (along - depth).clamp(min=0.0), torch.inf)

    after, connected = _next(view, ~is_disc)
    end = points.gather(-2, after.unsqueeze(-1).expand_as(points)) - points
    twist = _cross(way, end.unsqueeze(-2))
    twist = torch.where(twist.abs() > 1e-4, twist, torch.inf)
    share = _cross(points.unsqueeze(-2), way) / twist
    far = _cross(points, end).unsqueeze(-1) / twist
    met = connected.unsqueeze(-1) & twist.isfinite() & (far >= 0)
    met = met & (share > -EDGE) & (share < 1 + EDGE)
    to_surface = torch.where(met, far, torch.inf)

    distance, first = torch.cat((to_disc, to_surface), -2).min(-2)
    seen = distance < sighting.RANGE
    source = torch.arange(view.shape[-2], device=view.device).unsqueeze(-1)
    nearer_end = torch.where(share < 0.5, source, after.unsqueeze(-1))
    sources = torch.cat((source.expand_as(to_disc), nearer_end), -2)
    source = sources.gather(-2, first.unsqueeze(-2)).squeeze(-2).unsqueeze(-1)
    color = view[..., 1:].gather(-2, source.expand(*source.shape[:-1], 3))
    nearness = 1 - torch.where(seen, distance, sighting.RANGE) / sighting.RANGE
    return torch.cat((nearness.unsqueeze(-1), color * seen.unsqueeze(-1)), -1)


def discs(view: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Return the middle of the disc that each ray meets, (..., rays, 2), and whether it meets one.

    It does where all rays that show its colour fit one disc.
    """
    match = sighting.matching(view.unsqueeze(-3), view[..., 1:])
    middle, count = sighting.locate(view.unsqueeze(-3), match, radius)
    points = sighting.RANGE * (1 - view[..., :1]) * sighting.directions(view)
    off = (points.unsqueeze(-3) - middle.unsqueeze(-2)).square().sum(-1).sqrt() - radius
    return middle, (count > 0) & ((off.abs() < ROUND) | ~match).all(-1)


def _next(view: Tensor, surface: Tensor) -> tuple[Tensor, Tensor]:
    """Return each ray's next to the left that meets no disc, and whether both meet a surface.

    Args:
        view: (..., rays, 4).
        surface: (..., rays) bool, of no disc; one that meets nothing ends a surface.
    """
    count = view.shape[-2]
    order = torch.arange(2 * count, device=view.device)
    where = torch.where(torch.cat((surface, surface), -1), order, 2 * count - 1)
    coming = where.flip(-1).cummin(-1).values.flip(-1)
    after = coming[..., 1 : count + 1] % count
    met = surface & (view[..., 0] > sighting.NOTHING)
    return after, met & met.gather(-1, after)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
