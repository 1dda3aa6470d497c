"""An innate detector: the rule for mover events, with nothing to learn."""

from __future__ import annotations

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.costs import sighting
from motley.costs.mover_event import mover_events


class MoverDetector(Area):
    """Says which rays show a thing that has just set another one moving; see `mover_events`.

    Args:
        sizes: features of ``vision`` and of ``egomotion``.
    """

    def __init__(self, sizes: tuple[int, ...]):
        if len(sizes) != 2 or sizes[0] % sighting.CHANNELS or sizes[1] != 3:
            raise ValueError(
                f"MoverDetector wants vision of rays x {sighting.CHANNELS} channels and egomotion "
                f"of 3 numbers, not sizes {sizes}"
            )
        super().__init__(sizes, sizes[0] // sighting.CHANNELS)

    def initial_state(self, n: int) -> State:
        """Return a blank last view, and rays that showed nothing at rest: (worlds, vision)."""
        return {name: torch.zeros(n, self.sizes[0]) for name in ("view", "rest")}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is (time, worlds, rays), 1 on rays that show a mover."""
        vision, egomotion = inputs
        state = {name: x.to(vision) for name, x in state.items()}
        return mover_events(vision, egomotion, episode_start, state)
