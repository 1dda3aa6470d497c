"""What is in sight of a body, finer than its own rays: the renderer's line of sight.

The body sees along 24 rays. A picture that followed them would flicker as a distant disc slips
between two; it takes these instead, which meet the same discs and walls by the same rules.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from motley.envs import kernels
from motley.envs.world import World

RAYS = 720


class Sight(NamedTuple):
    """What the body of one world has in sight.

    Attributes:
        outline: (RAYS, 2) metres, where sight ends in each direction; empty in the dark.
        shapes: (S,) bool. walls: (W,) bool. Some part of it is in sight.
    """

    outline: npt.NDArray[np.float64]
    shapes: npt.NDArray[np.bool_]
    walls: npt.NDArray[np.bool_]

    @property
    def covered(self) -> bool:
        """Whether the body stands on a disc that it sees, and has nothing else in sight."""
        return bool(len(self.outline)) and not np.ptp(self.outline, axis=0).any()


def sight(world: World, index: int) -> Sight:
    """What the body of world ``index`` has in sight: nothing in the dark."""
    shapes = np.zeros(world.n_shapes, np.bool_)
    walls = np.zeros(world.wall.shape[1], np.bool_)
    if world.light[index] <= 0:
        return Sight(np.empty((0, 2)), shapes, walls)
    eye = world.position[index].astype(np.float64)
    turns = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    ray = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    far = np.concatenate([_discs(world, index, eye, ray), _walls(world, index, eye, ray)])
    far = np.concatenate([np.full((1, RAYS), kernels.RANGE), far])
    first = far.argmin(axis=0)
    met = np.unique(first[first > 0]) - 1
    shapes[met[met < shapes.size]] = True
    walls[met[met >= shapes.size] - shapes.size] = True
    return Sight(eye + far.min(axis=0)[:, None] * ray, shapes, walls)


def _discs(
    world: World, index: int, eye: npt.NDArray[np.float64], ray: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Distance at which each ray enters each visible disc, (S, RAYS); inf where it does not."""
    offset = world.shape_position[index] - eye
    radius = np.where(world.shape_visible[index], world.shape_radius[index], 0.0)[:, None]
    along = offset @ ray.T
    chord = radius**2 - ((offset**2).sum(axis=1)[:, None] - along**2)
    half = np.sqrt(np.maximum(chord, 0.0))
    return np.where((half > 0) & (along + half > 0), np.maximum(along - half, 0.0), np.inf)


def _walls(
    world: World, index: int, eye: npt.NDArray[np.float64], ray: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Distance at which each ray meets each wall, (W, RAYS); inf where it does not."""
    start = (world.wall[index, :, :2] - eye)[:, None]
    along = (world.wall[index, :, 2:] - world.wall[index, :, :2])[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):  # parallel to it, or no wall
        turn = ray[:, 0] * along[..., 1] - ray[:, 1] * along[..., 0]
        far = (start[..., 0] * along[..., 1] - start[..., 1] * along[..., 0]) / turn
        share = (start[..., 0] * ray[:, 1] - start[..., 1] * ray[:, 0]) / turn
        met = (share >= 0) & (share <= 1) & (far >= 0)
    return np.where(met, far, np.inf)
