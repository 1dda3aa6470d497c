"""The forward model: what is true by now, from late senses and the commands since."""

from __future__ import annotations

import torch
from torch import Tensor

from motley.agents.areas.base import Area, State
from motley.agents.layers import Linear, concatenate


def delay_line(now: Tensor, before: Tensor, episode_start: Tensor) -> Tensor:
    """Return the last values of a signal beside each other, without a loop over time.

    Args:
        now: (time, worlds, features).
        before: (worlds, length, features), the values before the sequence, oldest first; zero
            before an episode.
        episode_start: (time, worlds) bool; from before it nothing is kept.

    Returns:
        (time, worlds, length + 1, features), oldest first; the last is now.
    """
    length = before.shape[1]
    whole = torch.cat((before.transpose(0, 1), now))
    # The number of the episode at each step; what was before the sequence is of number 0.
    episode = episode_start.long().cumsum(0)
    old = torch.zeros_like(episode[:1]).expand(length, -1)
    number = torch.cat((old, episode))
    steps = len(now)
    rows = [
        whole[k : k + steps] * (number[k : k + steps] == episode).unsqueeze(-1)
        for k in range(length + 1)
    ]
    return torch.stack(rows, 2)


class ForwardModel(Area):
    """Predicts the present senses from late ones and a tapped delay line of efference copies.

    The Smith predictor's model (Miall et al. 1993; Wolpert & Kawato 1998): senses that arrive ``d``
    steps late are brought up to date by the commands that were sent meanwhile. The output is a
    linear function of what is sensed and of a hidden layer over the sensed, its last change and
    the line, so that persistence is in reach from the first step on. It learns from its sensory
    prediction error (`motley.costs.SensoryPrediction`): what arrives ``d`` steps on is what was
    true now.

    Args:
        sizes: features of each input; the last input is the efference copy, and the one before it
            whatever gates it (``go``), kept in the line as well; the others are the late senses.
        size: features of the prediction.
        window: commands that the line holds; the delay that can be bridged.
        hidden: width of the hidden layer.
    """

    def __init__(self, sizes: tuple[int, ...], size: int = 12, window: int = 8, hidden: int = 64):
        if len(sizes) < 3:
            raise ValueError(
                "ForwardModel wants late senses, a gate and the efference copy, "
                f"not {len(sizes)} inputs"
            )
        super().__init__(sizes, size)
        if window < 1:
            raise ValueError(f"ForwardModel(window={window}): give at least 1")
        self.window = window
        self.sensed, self.sent = sum(sizes[:-2]), sum(sizes[-2:])
        self.hidden = Linear(2 * self.sensed + window * self.sent, hidden, 2**0.5)
        self.prediction = Linear(self.sensed + hidden, size)

    def initial_state(self, n: int) -> State:
        """Return no senses and no commands."""
        weight = self.hidden.weight
        return {
            "senses": weight.new_zeros(n, 1, self.sensed),
            "line": weight.new_zeros(n, self.window - 1, self.sent),
        }

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the prediction, (time, worlds, size)."""
        senses, sent = concatenate(inputs[:-2]), concatenate(inputs[-2:])
        recent = delay_line(senses, state["senses"], episode_start)
        line = delay_line(sent, state["line"], episode_start)
        change = recent[:, :, 1] - recent[:, :, 0]
        hidden = torch.tanh(self.hidden(torch.cat((senses, change, line.flatten(2)), -1)))
        after = {"senses": recent[-1][:, 1:], "line": line[-1][:, 1:]}
        return self.prediction(torch.cat((senses, hidden), -1)), after
