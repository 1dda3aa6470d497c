"""Four small rooms in a row that are the same in every episode, for the study of novelty.

They stand apart from the other measured environments, since stored runs are known by their module's
code.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from motley.studies.measured import Measured, rooms

LAYOUT = 0
"""The seed that the rooms are drawn with."""


class Undrawn(gym.Wrapper[Any, Any, Any, Any]):
    """Begins every episode in the same rooms, whatever the seed."""

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Begin anew; ``seed`` changes nothing."""
        return self.env.reset(**(kwargs | {"seed": LAYOUT}))


def same_rooms(**settings: Any) -> gym.Env[Any, Any]:
    """The rooms of :func:`motley.studies.measured.rooms`, always these: the share visited."""
    drawn = rooms(**settings)
    assert isinstance(drawn, Measured)
    return Measured(Undrawn(drawn.env), drawn.note, drawn.measure)


SAME = "novelty/SameRooms-N4-S5-v0"
gym.register(SAME, f"{__name__}:{same_rooms.__name__}")
