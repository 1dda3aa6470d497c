"""The inverse model: the command for a wanted change."""

from __future__ import annotations

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.areas.forward_model import delay_line
from motley.agents.layers import Linear


class InverseModel(Area):
    """Commands as a learnt inverse Jacobian times the way that is left.

    A matrix that depends on the posture turns a way into a command. It is used twice: on the way
    that is left to go, and on the way that was last seen to be covered, whose command is known from
    efference copies. Fitting the second (direct inverse modelling; Jordan & Rumelhart 1992 and
    Kawato 1990 set it beside distal teaching and feedback-error learning) teaches the first, by
    `motley.costs.MotorPrediction`, which reads the second half of the output and no more.

    Args:
        sizes: features of the posture, and of a sense that begins with the way from the hand to
            the target.
        size: numbers of a command.
        axes: numbers of the way.
        hidden: width of the hidden layer over the posture.
    """

    def __init__(self, sizes: tuple[int, ...], size: int = 2, axes: int = 2, hidden: int = 32):
        if len(sizes) != 2 or sizes[1] < axes:
            raise ValueError(
                f"InverseModel wants a posture and a sense that begins with {axes} numbers of the "
                f"way, not sizes {sizes}"
            )
        super().__init__(sizes, 2 * size)
        self.axes = axes
        self.hidden = Linear(sizes[0], hidden, 2**0.5)
        self.jacobian = Linear(hidden, size * axes)

    def initial_state(self, n: int) -> State:
        """Return no posture and no way, (worlds, 1, features)."""
        return {"last": self.hidden.weight.new_zeros(n, 1, self.sizes[0] + self.axes)}

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
        line = delay_line(torch.cat((posture, way), -1), state["last"], episode_start)
        before = line[:, :, 0]
        covered = (before[..., self.sizes[0] :] - way) * (~episode_start).unsqueeze(-1)
        commands = (
            self.command(posture, way),
            self.command(before[..., : self.sizes[0]], covered),
        )
        return torch.cat(commands, -1), {"last": line[-1][:, 1:]}
