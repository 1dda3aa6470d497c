"""The inverse model: the command for a wanted change."""

from __future__ import annotations

import torch
from torch import Tensor

from motley.agents.areas import two_links
from motley.agents.areas.base import Area, State, check_prior, wrong_factors
from motley.agents.areas.forward_model import delay_line
from motley.agents.layers import Linear


class InverseModel(Area):
    """Commands as an inverse Jacobian times the way that is left.

    A matrix that depends on the posture turns a way into a command. It is used twice: on the way
    that is left to go, and on the way that was last seen to be covered, whose command is known from
    efference copies. Fitting the second (direct inverse modelling; Jordan & Rumelhart 1992 and
    Kawato 1990 set it beside distal teaching and feedback-error learning) teaches the first, by
    `motley.costs.MotorPrediction`, which reads the second half of the output and no more.

    Its rungs of prior strength:

    - ``exact``: the arm is given, two links whose joints take up a commanded speed through a
      first-order lag. The inverse Jacobian says how far joints turn for the way, and the inverse of
      the lag which command brings them from their present speed to that turn in one step, however
      far beyond 1 it be. Nothing is learnt. How what is seen is turned stays unknown.
    - ``noisy``: the same, where the lengths of the links start wrong by random factors (deviation
      0.2) and are learnt. The lag is given: with a wrong one too, a read-out's gain could make up
      for any length.
    - ``learnt``: the matrix comes of a hidden layer over the posture, from random weights, and
      knows no lag.

    Args:
        sizes: features of the posture, and of a sense that begins with the way from the hand to
            the target. Where the arm is given the posture is sine and cosine of shoulder and elbow.
        size: numbers of a command; 2 where the arm is given, like ``axes``.
        axes: numbers of the way.
        hidden: width of the hidden layer over the posture, of the learnt rung.
        prior: the rung.
        links: lengths of upper arm and forearm, metres.
        joint_speed: of each joint at full command, radians a step.
        response: share of the way to the commanded speed that a step brings, 0 to 1.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int = 2,
        axes: int = 2,
        hidden: int = 32,
        prior: str = "learnt",
        links: tuple[float, float] = two_links.LINKS,
        joint_speed: float = two_links.JOINT_SPEED,
        response: float = two_links.RESPONSE,
    ):
        check_prior("InverseModel", prior)
        if len(sizes) != 2 or sizes[1] < axes:
            raise ValueError(
                f"InverseModel wants a posture and a sense that begins with {axes} numbers of the "
                f"way, not sizes {sizes}"
            )
        if prior != "learnt" and (sizes[0], size, axes) != (4, 2, 2):
            raise ValueError(
                f"InverseModel(prior={prior!r}) wants a posture of 4 numbers, and ways and "
                f"commands of 2, not sizes {sizes}, axes={axes} and size={size}"
            )
        super().__init__(sizes, 2 * size)
        self.axes, self.prior = axes, prior
        if prior == "learnt":
            self.hidden = Linear(sizes[0], hidden, 2**0.5)
            self.jacobian = Linear(hidden, size * axes)
        else:
            self.links, self.joint_speed, self.response = links, joint_speed, response
            self.factors = wrong_factors(2) if prior == "noisy" else None

    def initial_state(self, n: int) -> State:
        """Return no posture and no way, (worlds, 1, features); and no speed where it is used."""
        if self.prior == "learnt":
            return {"last": self.hidden.weight.new_zeros(n, 1, self.sizes[0] + self.axes)}
        device = None if self.factors is None else self.factors.device
        widths = {"joint": 2, "way": 2, "speed": 2}
        return {name: torch.zeros(n, 1, width, device=device) for name, width in widths.items()}

    def command(self, posture: Tensor, way: Tensor) -> Tensor:
        """Return the command (..., size) that covers a way (..., axes) in a posture."""
        matrix = torch.unflatten(
            self.jacobian(torch.tanh(self.hidden(posture))), -1, (-1, self.axes)
        )
        return (matrix * way.unsqueeze(-2)).sum(-1)

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the command for the way left, then that for the way covered."""
        posture, way = inputs[0], inputs[1][..., : self.axes]
        if self.prior != "learnt":
            return self._invert(posture, way, state, episode_start)
        line = delay_line(torch.cat((posture, way), -1), state["last"], episode_start)
        before = line[:, :, 0]
        covered = (before[..., self.sizes[0] :] - way) * (~episode_start).unsqueeze(-1)
        commands = (
            self.command(posture, way),
            self.command(before[..., : self.sizes[0]], covered),
        )
        return torch.cat(commands, -1), {"last": line[-1][:, 1:]}

    def _invert(
        self, posture: Tensor, way: Tensor, state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """Return the same by the arm that is given."""
        upper, fore = self.links
        links: two_links.Lengths = (upper, fore)
        if self.factors is not None:
            links = (upper * self.factors[0], fore * self.factors[1])
        going = (~episode_start).unsqueeze(-1)
        joints = delay_line(two_links.angles(posture), state["joint"], episode_start)
        ways = delay_line(way, state["way"], episode_start)
        joint, covered = joints[:, :, 1], (ways[:, :, 0] - way) * going
        speed = (joint - joints[:, :, 0]) * going
        speeds = delay_line(speed, state["speed"], episode_start)

        def command(joint: Tensor, way: Tensor, speed: Tensor) -> Tensor:
            turn = two_links.turning(joint, way, links)
            return (turn - (1.0 - self.response) * speed) / (self.response * self.joint_speed)

        # The way covered is a chord: the turn is that of the posture halfway.
        commands = (
            command(joint, way, speed),
            command(joints.mean(2), covered, speeds[:, :, 0]),
        )
        lines = {"joint": joints, "way": ways, "speed": speeds}
        return torch.cat(commands, -1), {name: line[-1][:, 1:] for name, line in lines.items()}
