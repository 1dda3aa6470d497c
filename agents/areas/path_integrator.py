"""Path integration: the vector home, kept up to date from the body's own motion."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from motley.agents.areas.base import Area, State, check_prior, sum_since_start
from motley.agents.layers import concatenate

GAIN = 5.0
"""Factor between a learnt weight and its parameter.

A step of Adam is as long for these few parameters as for those of a wide layer, whose weights are
far smaller; without the factor the integrator learns that much more slowly than the rest.
"""


def check_egomotion(area: str, sizes: tuple[int, ...], prior: str) -> None:
    """Raise where an area does not get egomotion first, or has no such rung.

    Raises:
        ValueError: names the area and what it wants.
    """
    if sizes[0] != 3:
        raise ValueError(
            f"{area}'s first input must be egomotion (forward, sine, cosine), "
            f"not {sizes[0]} numbers"
        )
    check_prior(area, prior)


class Egomotion:
    """What a body felt of its motion, in the forms that the rungs of prior strength use.

    Args:
        inputs: of an area; the first is ``egomotion``: forward displacement, sine and cosine of
            the turn, (time, worlds, 3).
    """

    def __init__(self, inputs: tuple[Tensor, ...]):
        self.inputs = inputs

    @property
    def ahead(self) -> Tensor:
        """The displacement, in the sense's unit, (time, worlds)."""
        return self.inputs[0][..., 0]

    @property
    def turn(self) -> Tensor:
        """The turn in radians, left is positive, (time, worlds)."""
        return torch.atan2(self.inputs[0][..., 1], self.inputs[0][..., 2])

    def linear(self, weight: Tensor) -> Tensor:
        """Return linear functions of all inputs that are zero at rest, (time, worlds, outputs).

        The cosine is 1 at rest: it is taken off, so that standing still is no motion.
        """
        egomotion, *others = self.inputs
        rest = egomotion.new_tensor([0.0, 0.0, 1.0])
        return concatenate((egomotion - rest, *others)) @ weight.t()


class PathIntegrator(Area):
    """The way back to where the episode began, in the body's frame, from egomotion alone.

    At each step the vector is turned against the body's turn and the body's displacement is
    taken off (Mittelstaedt & Mittelstaedt 1980, in the egocentric form of Benhamou et al.
    1990): v' = R(-turn) v - d. This recurrence is linear in v, so a sequence is computed
    by cumulative sums in the frame of the first heading, without a loop over time.

    Its rungs of prior strength:

    - ``exact``: turn and displacement are read off the sense; nothing is learnt.
    - ``noisy``: the same, with gains that start wrong by a random factor (deviation 0.3)
      and are learnt.
    - ``learnt``: only the topology is given: a vector in a plane that turns and shifts. The shift,
      and cosine and sine of the turn, are linear functions of all inputs, from random weights.

    Args:
        sizes: features of each input; the first is ``egomotion``: forward displacement, sine
            and cosine of the turn.
        prior: the rung.
        reach: displacements of this many units of the sense give an output of 1.
    """

    credit: ClassVar[tuple[str, ...]] = ("feedback",)
    raw: ClassVar[slice] = slice(None)

    def __init__(self, sizes: tuple[int, ...], prior: str = "learnt", reach: float = 5.0):
        check_egomotion("PathIntegrator", sizes, prior)
        super().__init__(sizes, 2)
        self.prior, self.reach = prior, reach
        if prior == "noisy":
            self.gains = nn.Parameter(torch.exp(0.3 * torch.randn(2)))
        elif prior == "learnt":
            # displacement ahead and left, and cosine and sine of the turn, from the inputs
            self.motion = nn.Parameter(0.1 / GAIN * torch.randn(4, sum(sizes)))

    def initial_state(self, n: int) -> State:
        """Return the vector home at home: zeros, (worlds, 2)."""
        home = torch.zeros(n, 2)
        return {"home": home.to(next(self.parameters()).device) if self.prior != "exact" else home}

    def _motion(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Return displacement ahead and left, and turn in radians, each (time, worlds)."""
        felt = Egomotion(inputs)
        if self.prior == "learnt":
            ahead, left, cosine, sine = felt.linear(GAIN * self.motion).unbind(-1)
            return ahead, left, torch.atan2(sine, 1.0 + cosine)
        ahead, turn = felt.ahead, felt.turn
        if self.prior == "noisy":
            ahead, turn = ahead * self.gains[0], turn * self.gains[1]
        return ahead, torch.zeros_like(ahead), turn

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the vector home (ahead, left), (time, worlds, 2)."""
        ahead, left, turn = self._motion(inputs)
        # In the frame of the heading before the sequence: heading, then position, as sums.
        heading = torch.where(episode_start, torch.zeros_like(turn), turn).cumsum(0)
        cosine, sine = heading.cos(), heading.sin()
        step = torch.stack((cosine * ahead - sine * left, sine * ahead + cosine * left), -1)
        away = -sum_since_start(step, -state["home"], episode_start)
        home = torch.stack(
            (
                cosine * away[..., 0] + sine * away[..., 1],
                cosine * away[..., 1] - sine * away[..., 0],
            ),
            -1,
        )
        return home / self.reach, {"home": home[-1]}
