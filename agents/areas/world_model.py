"""The world model: what is seen, from what was seen, done and felt."""

from __future__ import annotations

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.areas.forward_model import delay_line
from motley.agents.layers import Linear, concatenate

EPSILON = 1e-6
"""Under the square root, so that its gradient is finite where nothing surprises."""


class WorldModel(Area):
    """Predicts each ray of vision from the last two views, the efference copy and what is felt.

    What is felt comes with the view that is predicted, as reafference: so the error is what neither
    the command nor the motion felt explains, and tells a body that was stopped or pushed from a
    world that changed. No plan can be made by it: how an action will feel is not known before.

    The output is a code of the prediction and, ray by ray, how much the present view departed
    from what was predicted of it: a map of surprise. The prediction is a change added to the
    last view, so that persistence is the starting point. It learns from its own error
    (`motley.costs.WorldPrediction`), and with a `SelfModel` that error is predicted (after Haber et
    al. 2018, where the world model predicts what comes of an action and knows nothing of how it
    felt).

    Args:
        sizes: features of each input; the first is vision, the last the efference copy, and what is
            between them is felt in the same step as the view (``egomotion``).
        size: features of the code.
        channels: of a ray.
        hidden: width of the hidden layer.
    """

    def __init__(self, sizes: tuple[int, ...], size: int = 8, channels: int = 4, hidden: int = 24):
        if len(sizes) < 2 or sizes[0] % channels:
            raise ValueError(
                f"WorldModel wants vision of rays x {channels} channels first and the efference "
                f"copy last, not sizes {sizes}"
            )
        self.rays, self.channels = sizes[0] // channels, channels
        super().__init__(sizes, size + self.rays)
        self.hidden = Linear(2 * sizes[0] + sum(sizes[1:]), hidden, 2**0.5)
        self.code = Linear(hidden, size)
        self.change = Linear(size, sizes[0], gain=0.1)

    def initial_state(self, n: int) -> State:
        """Return two blank views, (worlds, 2, features)."""
        return {"views": self.hidden.weight.new_zeros(n, 2, self.sizes[0])}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the code, then the surprise of each ray."""
        vision = inputs[0]
        views = delay_line(vision, state["views"], episode_start)
        seen = torch.cat((views[:, :, :2].flatten(2), concatenate(inputs[1:])), -1)
        code = torch.tanh(self.code(torch.tanh(self.hidden(seen))))
        error = vision - views[:, :, 1] - self.change(code)
        rays = torch.unflatten(error, -1, (self.rays, self.channels))
        # The first view of an episode is no surprise: nothing could have foretold it.
        surprise = (rays.square().mean(-1) + EPSILON).sqrt() * (~episode_start).unsqueeze(-1)
        return torch.cat((code, surprise), -1), {"views": views[-1][:, 1:]}
