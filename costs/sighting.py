"""Where on the rays of vision a thing is: what trackers and the costs that teach them share."""

from __future__ import annotations

import math

import torch
from torch import Tensor

RANGE, FORWARD = 8.0, 0.8
"""Metres: distance at which nearness is 0, and forward motion at an egomotion reading of 1."""
CHANNELS = 4
NOTHING = 1e-3
"""Nearness (8 mm short of the range) up to which a ray meets nothing."""
MOVED = 2e-3
"""Change of nearness (1.6 cm) from which a ray shows motion."""
ALIKE = 0.03
"""Greatest difference of a colour's channel that still counts as the same."""


def rays(vision: Tensor) -> Tensor:
    """Return the rays' channels: (..., rays x 4) -> (..., rays, 4)."""
    return torch.unflatten(vision, -1, (-1, CHANNELS))


def directions(view: Tensor) -> Tensor:
    """Return the unit vectors (ahead, left) of the rays of a view (..., rays, 4): (rays, 2)."""
    count = view.shape[-2]
    angle = torch.arange(count, device=view.device, dtype=view.dtype) * (2 * math.pi / count)
    return torch.stack((angle.cos(), angle.sin()), -1)


def at_rest(egomotion: Tensor) -> Tensor:
    """Return whether the body stood still in the last step: (..., 3) -> (...,) bool."""
    return (egomotion[..., 0].abs() < 1e-3) & (egomotion[..., 1].abs() < 1e-3)


def mover_color(view: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Return the colour of what moved between two views from one place.

    A ray that shows the same colour nearer or farther shows a mover for certain; else it is on the
    ray that something came nearest on, since where it went away there is only what was behind.

    Args:
        view: (..., rays, 4).
        before: likewise, one step before.

    Returns:
        The colour, (..., 3), and whether anything moved, (...,) bool.
    """
    nearer = view[..., 0] - before[..., 0]
    same = (view - before)[..., 1:].abs().amax(-1) < ALIKE
    along = same & (nearer.abs() > MOVED) & (view[..., 0] > NOTHING)
    signs = torch.where(along, 10.0, nearer)
    found = signs.argmax(-1)[..., None, None].expand(*signs.shape[:-1], 1, 3)
    return view[..., 1:].gather(-2, found).squeeze(-2), signs.amax(-1) > MOVED


def matching(view: Tensor, color: Tensor) -> Tensor:
    """Return which rays (..., rays, 4) show a colour (..., 3): (..., rays) bool."""
    alike = (view[..., 1:] - color.unsqueeze(-2)).abs().amax(-1) < ALIKE
    return alike & (view[..., 0] > NOTHING)


def _mean_way(way: Tensor, match: Tensor) -> Tensor:
    """Return the mean direction of the rays that match, a unit vector: (..., 2)."""
    mean = (match.to(way.dtype).unsqueeze(-1) * way).sum(-2)
    return mean / mean.square().sum(-1, keepdim=True).clamp(min=1e-9).sqrt()


def outermost(view: Tensor, match: Tensor) -> Tensor:
    """Return the outermost two points that matching rays meet, leftmost first: (..., 2, 2) metres.

    They are one and the same where one ray matches, and of no meaning where none does.
    """
    way = directions(view)
    mean = _mean_way(way, match)
    aside = mean[..., :1] * way[:, 1] - mean[..., 1:] * way[:, 0]
    points = RANGE * (1 - view[..., :1]) * way
    ends = []
    for order in (aside, -aside):
        at = torch.where(match, order, -torch.inf).argmax(-1)[..., None, None]
        met = points.expand(*at.shape[:-2], *points.shape[-2:])
        ends.append(met.gather(-2, at.expand(*at.shape[:-1], 2)).squeeze(-2))
    return torch.stack(ends, -2)


def locate(view: Tensor, match: Tensor, radius: Tensor | float) -> tuple[Tensor, Tensor]:
    """Return where the middle of a disc is, of which some rays show the near side.

    From two rays on, it is the centre of the circle through the outermost two points that were
    met, on their far side; from one, it is straight on.

    Args:
        view: (..., rays, 4).
        match: (..., rays) bool, the rays that meet the disc.
        radius: metres.

    Returns:
        (..., 2) metres (ahead, left), zero where no ray meets it, and how many rays do, (...,).
    """
    count, ends = match.sum(-1), outermost(view, match)
    mean = _mean_way(directions(view), match)
    middle, chord = ends.mean(-2), ends[..., 0, :] - ends[..., 1, :]
    squared = chord.square().sum(-1, keepdim=True)
    across = torch.stack((chord[..., 1], -chord[..., 0]), -1) / squared.clamp(min=1e-9).sqrt()
    on = torch.where(squared > 1e-6, across, mean)
    deep = (torch.as_tensor(radius) ** 2 - squared / 4).clamp(min=1e-6).sqrt()
    place = middle + deep * on
    return torch.where((count > 0).unsqueeze(-1), place, torch.zeros_like(place)), count


def turned(vector: Tensor, egomotion: Tensor) -> Tensor:
    """Return (..., 2) vectors (ahead, left) in the frame of the body after it turned."""
    size = egomotion[..., 1:].square().sum(-1).clamp(min=1e-9).sqrt()
    sine, cosine = egomotion[..., 1] / size, egomotion[..., 2] / size
    ahead, left = vector.unbind(-1)
    return torch.stack((cosine * ahead + sine * left, cosine * left - sine * ahead), -1)


def before_moving(place: Tensor, felt: Tensor) -> Tensor:
    """Return places (worlds, 2) in the body's frame before a step, from those after it."""
    back = torch.stack((felt[..., 0], -felt[..., 1], felt[..., 2]), -1)
    forward = torch.stack((felt[..., 0], torch.zeros_like(felt[..., 0])), -1)
    # It turned first and walked then: undo the walk along the new heading, then the turn.
    return turned(place + FORWARD * forward, back)


def seen_again(
    place: Tensor, seen: Tensor, felt: Tensor, starts: Tensor, free: Tensor
) -> tuple[Tensor, Tensor]:
    """Return where a thing out of sight will next be seen, by felt motion in the present frame.

    Args:
        place: where it is seen, (time, worlds, 2) metres.
        seen: (time, worlds) bool, whether it is.
        felt: egomotion, (time, worlds, 3).
        starts: (time, worlds) bool, an episode starts.
        free: (time, worlds) bool, the body is free; one that is carried feels nothing of it.

    Returns:
        The place in the body's frame of each step, (time, worlds, 2) metres, and the steps at which
        it means anything, (time, worlds) bool: the thing is out of sight, and seen again within
        the rollout and the episode, the body being free at both steps and between.
    """
    places, counts = torch.zeros_like(place), torch.zeros_like(starts)
    again, coming = torch.zeros_like(place[0]), torch.zeros_like(starts[0])
    for t in reversed(range(len(place) - 1)):
        here = seen[t + 1] & free[t + 1]
        again = torch.where(here.unsqueeze(-1), place[t + 1], again)
        coming = (here | (coming & ~seen[t + 1])) & ~starts[t + 1] & free[t]
        again = before_moving(again, felt[t + 1])
        places[t], counts[t] = again, coming & ~seen[t]
    return places, counts
