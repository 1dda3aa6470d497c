"""The forward model: what is true by now, from late senses and the commands since."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from motley.agents.areas import two_links
from motley.agents.areas.base import Area, State, check_prior, wrong_factors
from motley.agents.layers import Linear, concatenate

AT_LIMIT = 1e-4
"""Radians within which a joint is at its limit: more than rounding, less than it ever moves."""


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
    steps late are brought up to date by the commands that were sent meanwhile. It learns from its
    sensory prediction error (`motley.costs.SensoryPrediction`): what arrives ``d`` steps on is what
    was true now.

    Its rungs of prior strength:

    - ``exact``: the plant is given, an arm of two links, and run from the late posture on over the
      commands since (:class:`Plant`); nothing is learnt. How late the senses are is not told: of
      all delays up to ``window`` it is the one by which the commands best explain the changes of
      posture that were felt in this episode, one step ahead each, in squares (the likeliest under
      noise of one size). Delays that explain them equally well differ in commands to a held body
      alone, and predict the same.
    - ``noisy``: the same, where the plant's response, the joints' speed and the lengths of the
      links start wrong by random factors (deviation 0.2) and are learnt. Limits and rest are given.
    - ``learnt``: the output is a linear function of what is sensed and of a hidden layer over the
      sensed, its last change and the line, so that persistence is in reach from the first step on.

    With the plant given the output is the senses as they are by now: the posture, right up to noise
    of the motor; the way and the place of the hand, moved on by as much as the hand has moved
    since; the rest of them as it came; and last the speed of each joint, 1 is full. What the arm's
    own commands do not tell stays unknown: where a target has sprung to, how what is seen is
    turned, and what pushes the hand.

    Args:
        sizes: features of each input; the last input is the efference copy, and the one before it
            whatever gates it (``go``), kept in the line as well; the others are the late senses.
            Where the plant is given these are ``proprioception`` (sine and cosine of shoulder and
            elbow) and a sense that begins with the way from the hand to the target and the hand's
            place, and the efference copy has two numbers.
        size: features of the prediction, of the learnt rung.
        window: commands that the line holds; the delay that can be bridged.
        hidden: width of the hidden layer, of the learnt rung.
        prior: the rung.
        links, joint_speed, response, limits, rest: the plant's; see :class:`Plant`.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        size: int = 12,
        window: int = 8,
        hidden: int = 64,
        prior: str = "learnt",
        links: tuple[float, float] = two_links.LINKS,
        joint_speed: float = two_links.JOINT_SPEED,
        response: float = two_links.RESPONSE,
        limits: tuple[tuple[float, float], tuple[float, float]] = ((-0.6, 2.6), (0.2, 2.8)),
        rest: tuple[float, float] = (math.pi / 4, math.pi / 2),
    ):
        check_prior("ForwardModel", prior)
        if len(sizes) < 3:
            raise ValueError(
                "ForwardModel wants late senses, a gate and the efference copy, "
                f"not {len(sizes)} inputs"
            )
        learnt = prior == "learnt"
        if not learnt and (
            len(sizes) != 4 or sizes[1] < 4 or sizes[::2] != (4, 1) or sizes[3] != 2
        ):
            raise ValueError(
                f"ForwardModel(prior={prior!r}) wants a posture of 4 numbers, a sense that begins "
                f"with the hand's way and place (4), a gate of 1 and a command of 2, "
                f"not sizes {sizes}"
            )
        super().__init__(sizes, size if learnt else sizes[0] + sizes[1] + 2)
        if window < 1:
            raise ValueError(f"ForwardModel(window={window}): give at least 1")
        self.prior, self.window = prior, window
        self.sensed, self.sent = sum(sizes[:-2]), sum(sizes[-2:])
        if learnt:
            self.hidden = Linear(2 * self.sensed + window * self.sent, hidden, 2**0.5)
            self.prediction = Linear(self.sensed + hidden, size)
        else:
            self.plant = Plant(links, joint_speed, response, limits, rest, prior == "noisy")

    def initial_state(self, n: int) -> State:
        """Return no senses and no commands; and no error of any delay, where it is found out."""
        if self.prior != "learnt":
            new = self.plant.rest.new_zeros
            line = {"joints": new(n, 2, 2), "line": new(n, self.window + 2, self.sent)}
            return {**line, "error": new(n, self.window + 1)}
        weight = self.hidden.weight
        return {
            "senses": weight.new_zeros(n, 1, self.sensed),
            "line": weight.new_zeros(n, self.window - 1, self.sent),
        }

    def forward(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """See :class:`Area`; the output is the prediction, (time, worlds, size)."""
        if self.prior != "learnt":
            return self._simulate(inputs, state, episode_start)
        senses, sent = concatenate(inputs[:-2]), concatenate(inputs[-2:])
        recent = delay_line(senses, state["senses"], episode_start)
        line = delay_line(sent, state["line"], episode_start)
        change = recent[:, :, 1] - recent[:, :, 0]
        hidden = torch.tanh(self.hidden(torch.cat((senses, change, line.flatten(2)), -1)))
        after = {"senses": recent[-1][:, 1:], "line": line[-1][:, 1:]}
        return self.prediction(torch.cat((senses, hidden), -1)), after

    def _simulate(
        self, inputs: tuple[Tensor, ...], state: State, episode_start: Tensor
    ) -> tuple[Tensor, State]:
        """Return the senses as the plant has them by now, and the state."""
        posture, seen, go, command = inputs
        joints = delay_line(two_links.angles(posture), state["joints"], episode_start)
        line = delay_line(torch.cat((go, command), -1), state["line"], episode_start)
        earlier, before, late = joints.unbind(2)
        # By how many steps ago: what was sent, and whether a body that was free then obeyed it.
        commands = line[..., 1:].flip(2)
        obeyed = line[:, :, :-1, 0].flip(2) > 0.5

        # Of each delay, how wrong it has been about the postures that were felt.
        with torch.no_grad():
            at = slice(self.window + 1)
            speed = self.plant.speed(earlier.unsqueeze(2), before.unsqueeze(2), obeyed[:, :, 1:])
            told, _ = self.plant(before.unsqueeze(2), speed, commands[:, :, at], obeyed[:, :, at])
            wrong = (told - late.unsqueeze(2)).square().sum(-1)
            error, errors = state["error"], []
            # A loop, since delays that are equally good must stay so: of them the shortest counts.
            for now, start in zip(wrong, episode_start.unsqueeze(-1), strict=True):
                error = torch.where(start, torch.zeros_like(now), error + now)
                errors.append(error)
            delay = torch.stack(errors).argmin(-1)

        # From the late state on, over what was sent since.
        joint = late
        speed = self.plant.speed(before, late, obeyed.gather(-1, delay.unsqueeze(-1)).squeeze(-1))
        carried = torch.zeros_like(delay, dtype=torch.bool)
        for ago in reversed(range(self.window)):
            after = self.plant(joint, speed, commands[:, :, ago], obeyed[:, :, ago])
            since = ago < delay
            carried = carried | (since & obeyed[:, :, ago + 1] & ~obeyed[:, :, ago])
            joint, speed = (
                torch.where(since.unsqueeze(-1), *x)
                for x in zip(after, (joint, speed), strict=True)
            )
        moved = self.plant.hand(joint) - self.plant.hand(late)
        hand = torch.cat((seen[..., :2] - moved, seen[..., 2:4] + moved), -1).clamp(-1.0, 1.0)
        hand = hand * ~carried.unsqueeze(-1)
        known = (two_links.posture(joint), hand, seen[..., 4:], speed / self.plant.full_speed)
        kept = {"joints": joints[-1][:, 1:], "line": line[-1][:, 1:], "error": error}
        return torch.cat(known, -1), kept


class Plant(nn.Module):
    """An arm of two links whose joints take up a commanded speed through a first-order lag.

    A body that is held, by what its commands are gated with, is at rest in one posture.

    Args:
        links: lengths of upper arm and forearm, metres.
        joint_speed: of each joint at full command, radians a step.
        response: share of the way to the commanded speed that a step brings, 0 to 1.
        limits: least and most angle of shoulder and elbow, radians, within half a turn; a joint
            that reaches one stops there.
        rest: angles of shoulder and elbow of a body that is held, radians.
        noisy: whether response, speed and links start wrong by random factors and are learnt.
    """

    def __init__(
        self,
        links: tuple[float, float],
        joint_speed: float,
        response: float,
        limits: tuple[tuple[float, float], tuple[float, float]],
        rest: tuple[float, float],
        noisy: bool,
    ):
        super().__init__()
        # Response, speed of a joint, lengths of upper arm and forearm.
        self.given = (response, joint_speed, *links)
        self.factors = wrong_factors(4) if noisy else None
        for name, value in (("rest", rest), ("limits", tuple(zip(*limits, strict=True)))):
            self.register_buffer(name, torch.tensor(value), persistent=False)

    rest: Tensor
    limits: Tensor

    def _constant(self, which: int) -> Tensor | float:
        given = self.given[which]
        return given if self.factors is None else given * self.factors[which]

    @property
    def full_speed(self) -> Tensor | float:
        """Of a joint, radians a step."""
        return self._constant(1)

    def hand(self, joint: Tensor) -> Tensor:
        """Return where the hand is, (..., 2) metres from the shoulder, in a posture (..., 2)."""
        upper, fore = two_links.link_ends(joint, (self._constant(2), self._constant(3)))
        return upper + fore

    def speed(self, before: Tensor, now: Tensor, free: Tensor) -> Tensor:
        """Return the joints' speeds, (..., 2), from angles (..., 2) a step apart.

        None while the body is held, (...,) bool, nor at a limit, where a joint has been stopped.
        """
        low, high = self.limits.unbind()
        within = (now > low + AT_LIMIT) & (now < high - AT_LIMIT)
        return (now - before) * (within & free.unsqueeze(-1))

    def forward(
        self, joint: Tensor, speed: Tensor, command: Tensor, free: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return angles and speeds after a step, each (..., 2).

        Args:
            joint: (..., 2) radians.
            speed: (..., 2) radians a step.
            command: (..., 2), clipped to [-1, 1].
            free: (...,) bool, whether the body was free to obey it.
        """
        wanted = self.full_speed * command.clamp(-1.0, 1.0)
        speed = speed + self._constant(0) * (wanted - speed)
        to = joint + speed
        bounded = to.clamp(*self.limits.unbind())
        free = free.unsqueeze(-1)
        speed = torch.where(free & (bounded == to), speed, torch.zeros_like(speed))
        return torch.where(free, bounded, self.rest), speed
