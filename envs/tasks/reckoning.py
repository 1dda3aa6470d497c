"""Dead reckoning, which several reference policies share."""

from __future__ import annotations

import numpy as np

from motley.envs.kernels import FORWARD_SCALE
from motley.envs.streams import Floats, Ints


def reckon(position: Floats, heading: Floats, egomotion: Floats, rows: Ints) -> None:
    """Move poses of worlds ``rows`` (R,) on by what was felt of the last step, in place.

    Args:
        position: (N, 2) metres.
        heading: (N,) radians.
        egomotion: (N, 3), the sense of that name.
        rows: the worlds.
    """
    forward, sine, cosine = egomotion[rows].T
    heading[rows] += np.arctan2(sine, cosine)
    way = np.stack((np.cos(heading[rows]), np.sin(heading[rows])), -1)
    position[rows] += FORWARD_SCALE * forward[:, None] * way
