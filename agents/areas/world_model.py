"""The world model: what is seen, from what was seen, done and felt."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from motley.agents.areas.base import Area, State, check_prior, wrong_factors
from motley.agents.areas.forward_model import delay_line
from motley.agents.areas.path_integrator import Egomotion
from motley.agents.areas.reprojection import reprojected
from motley.agents.layers import Linear, concatenate
from motley.costs import sighting

EPSILON = 1e-6
"""Under the square root, so that its gradient is finite where nothing surprises."""


class WorldModel(Area):
    """Predicts each ray of vision from what was seen, the efference copy and what is felt.

    What is felt comes with the view that is predicted, as reafference: so the error is what neither
    the command nor the motion felt explains, and tells a body that was stopped or pushed from a
    world that changed. No plan can be made by it: how an action will feel is not known before.

    The output is a code of the prediction and, ray by ray, how much the present view departed
    from what was predicted of it: a map of surprise. It learns from its own error
    (`motley.costs.WorldPrediction`), and with a `SelfModel` that error is predicted (after Haber et
    al. 2018, where the world model predicts what comes of an action and knows nothing of how it
    felt).

    Its rungs of prior strength:

    - ``exact``: the last view is moved by the motion that is felt, the reafference principle (von
      Holst & Mittelstaedt 1950) worked out for rays: that things are discs of one radius, seen
      before surfaces that are straight between rays, is given
      (:func:`~motley.agents.areas.reprojection.reprojected`). What surprises is what moves of
      itself or is pushed, but for edges that lay between two rays, and what comes into view from
      behind another. Nothing is learnt, nor is the command used. The code is how near surfaces are
      expected to be, mean over ``size`` sectors.
    - ``noisy``: the same, with gains of the felt step and turn that start wrong by random factors
      (deviation 0.2) and are learnt.
    - ``learnt``: the prediction is a change added to the last view, so that persistence is the
      starting point; it is made from the last two views and all other inputs.

    Args:
        sizes: features of each input; the first is vision, the last the efference copy, and what is
            between them is felt in the same step as the view (``egomotion``, which comes second
            where views are moved by it).
        size: features of the code.
        channels: of a ray.
        hidden: width of the hidden layer, of the learnt rung.
        prior: the rung.
        radius: of things, metres, where it is given.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int = 8,
        channels: int = 4,
        hidden: int = 24,
        prior: str = "learnt",
        radius: float = 0.35,
    ):
        check_prior("WorldModel", prior)
        if len(sizes) < 2 or sizes[0] % channels:
            raise ValueError(
                f"WorldModel wants vision of rays x {channels} channels first and the efference "
                f"copy last, not sizes {sizes}"
            )
        if prior != "learnt" and (channels != sighting.CHANNELS or len(sizes) < 3 or sizes[1] != 3):
            raise ValueError(
                f"WorldModel(prior={prior!r}) wants vision of rays x {sighting.CHANNELS} channels, "
                f"then egomotion of 3 numbers and the efference copy, not sizes {sizes} and "
                f"{channels} channels"
            )
        self.rays, self.channels = sizes[0] // channels, channels
        super().__init__(sizes, size + self.rays)
        self.prior, self.radius = prior, radius
        if prior == "learnt":
            self.hidden = Linear(2 * sizes[0] + sum(sizes[1:]), hidden, 2**0.5)
            self.code = Linear(hidden, size)
            self.change = Linear(size, sizes[0], gain=0.1)
        else:
            # Of the step and of the turn.
            self.gains = wrong_factors(2) if prior == "noisy" else None

    def initial_state(self, n: int) -> State:
        """Return blank views, (worlds, views, features): two, or one where it is moved."""
        if self.prior == "learnt":
            return {"views": self.hidden.weight.new_zeros(n, 2, self.sizes[0])}
        device = None if self.gains is None else self.gains.device
        return {"views": torch.zeros(n, 1, self.sizes[0], device=device)}

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the code, then the surprise of each ray."""
        vision = inputs[0]
        views = delay_line(vision, state["views"], episode_start)
        if self.prior == "learnt":
            seen = torch.cat((views[:, :, :2].flatten(2), concatenate(inputs[1:])), -1)
            code = torch.tanh(self.code(torch.tanh(self.hidden(seen))))
            error = vision - views[:, :, 1] - self.change(code)
        else:
            expected = self._moved(views[:, :, 0], inputs[1:])
            code = self._sectors(expected)
            error = vision - expected.flatten(-2)
        rays = torch.unflatten(error, -1, (self.rays, self.channels))
        # The first view of an episode is no surprise: nothing could have foretold it.
        surprise = (rays.square().mean(-1) + EPSILON).sqrt() * (~episode_start).unsqueeze(-1)
        return torch.cat((code, surprise), -1), {"views": views[-1][:, 1:]}

    def _moved(self, view: Tensor, felt: tuple[Tensor, ...]) -> Tensor:
        """Return the last view moved by what is felt, (time, worlds, rays, channels)."""
        motion = Egomotion(felt)
        ahead, turn = sighting.FORWARD * motion.ahead, motion.turn
        if self.gains is not None:
            ahead, turn = ahead * self.gains[0], turn * self.gains[1]
        return reprojected(sighting.rays(view), ahead, turn, self.radius)

    def _sectors(self, view: Tensor) -> Tensor:
        """Return the mean nearness in each of as many sectors as the code has features."""
        return functional.adaptive_avg_pool1d(view[..., 0], self.size - self.rays)
