"""Arm: a body of two links that reaches from where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from motley.envs import kernels
from motley.envs.streams import Floats, Ints, angle, length, unit
from motley.envs.task import Body

if TYPE_CHECKING:
    from motley.envs.world import World


@dataclass(frozen=True)
class Arm(Body):
    """A planar arm of two links, with the shoulder at the body's place.

    Actions set the speed of shoulder and elbow through a first-order lag. A task that has such a
    body includes `fields` in its own.

    Attributes:
        links: lengths of upper arm and forearm, metres.
        joint_speed: of each joint at full command, radians a step.
        response: share of the way to the commanded speed that a step brings, 0 to 1.
        motor_noise: standard deviation of a command, as a fraction of it.
        limits: least and most angle of shoulder and elbow, radians; the elbow's is counted from
            the upper arm, and is never negative.
        control_step: seconds that a step stands for; an arm's is shorter than a walker's.
    """

    controls: ClassVar[tuple[str, str]] = ("shoulder", "elbow")
    links: tuple[float, float] = (1.0, 1.0)
    joint_speed: float = 0.25
    response: float = 0.5
    motor_noise: float = 0.0
    limits: tuple[tuple[float, float], tuple[float, float]] = ((-0.6, 2.6), (0.2, 2.8))
    control_step: float = 0.05

    @cached_property
    def packed(self) -> Floats:
        """(9,) float32 in the order of `kernels.move_arm`."""
        own = (*self.links, self.joint_speed, self.response, self.motor_noise)
        return np.array([*own, *self.limits[0], *self.limits[1]], np.float32)

    def fields(self) -> dict[str, tuple[tuple[int, ...], npt.DTypeLike]]:
        """Fields of a world with such a body.

        joint: angles of shoulder and elbow (rad). joint_speed: theirs (rad a step). hand: from the
        shoulder (m). felt: sine and cosine of each joint.
        """
        pair, four = ((2,), np.float32), ((4,), np.float32)
        return {"joint": pair, "joint_speed": pair, "hand": pair, "felt": four}

    def move(self, world: World, actions: Floats) -> int:
        """See `Body.move`; ``actions`` (N, 2) are [shoulder, elbow], clipped to [-1, 1]."""
        return int(
            kernels.move_arm(
                world.flags,
                world.counters,
                actions,
                self.packed,
                world.joint,
                world.joint_speed,
                world.hand,
                world.felt,
            )
        )

    def rest(self, world: World, rows: Ints, joint: npt.ArrayLike) -> None:
        """Put the arms of worlds ``rows`` (R,) at rest in a posture (2,) or (R, 2) radians."""
        world.joint[rows] = joint
        world.joint_speed[rows] = 0.0
        directions = unit(world.joint[rows])
        world.felt[rows] = directions[..., ::-1].reshape(-1, 4)
        world.hand[rows] = self.hand(world.joint[rows])

    def hand(self, joint: Floats) -> Floats:
        """Where the hand is in a posture: (..., 2) radians -> (..., 2) metres from the shoulder."""
        upper, fore = np.float32(self.links[0]), np.float32(self.links[1])
        both = joint[..., 0] + joint[..., 1]
        return upper * unit(joint[..., 0]) + fore * unit(both)

    def posture(self, hand: Floats) -> Floats:
        """The posture that brings the hand to a place, or as near to it as the links reach.

        Args:
            hand: (..., 2) metres from the shoulder.

        Returns:
            (..., 2) radians, within the limits.
        """
        upper, fore = self.links
        distance = length(hand)
        cosine = (distance * distance - upper**2 - fore**2) / np.float32(2 * upper * fore)
        cosine = np.clip(cosine, -1.0, 1.0)
        sine = np.sqrt(1.0 - cosine * cosine)
        elbow = angle(np.stack([cosine, sine], -1))
        offset = angle(np.stack([upper + fore * cosine, fore * sine], -1))
        low, high = np.array(self.limits, np.float32).T
        joint = np.stack([angle(hand) - offset, elbow], -1)
        return np.clip(joint, low, high).astype(np.float32)

    def commands(self, joint: Floats, speed: Floats, target: Floats, gain: float = 0.8) -> Floats:
        """Actions (N, 2) that bring the arm from a posture to another and stop it there.

        Each step covers ``gain`` of what is left, as far as the joints can go: the command is
        the inverse of the lag.

        Args:
            joint: (N, 2) radians.
            speed: (N, 2) radians a step.
            target: (N, 2) radians.
            gain: 0 to 1.
        """
        most = np.float32(self.joint_speed)
        wanted = np.clip(np.float32(gain) * (target - joint), -most, most)
        lag = np.float32(self.response)
        action: Floats = (wanted - (1 - lag) * speed) / (lag * most)
        return np.clip(action, -1.0, 1.0)
