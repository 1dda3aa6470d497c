"""Needs that sink, patches that ripen, and a planner over both: what several tasks share.

Arrays have the worlds first. The patch of a need is the shape of the same index. All of it is
elementwise, or a loop over the needs, so that a world has the same bits in any batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motley.envs.kernels import compiled
from motley.envs.streams import Bools, Floats, Ints

ONE = np.float32(1.0)


def total(values: Floats) -> Floats:
    """Sum over the last axis, from left to right: NumPy's own order depends on the batch."""
    out = values[..., 0].copy()
    for index in range(1, values.shape[-1]):
        out += values[..., index]
    return out


@dataclass(frozen=True)
class Metabolism:
    """How needs and patches change in a step.

    Attributes:
        setpoint: the level of a need that is best; 1 is full, 0 is death.
        meal: what a ripe patch gives, in levels.
    """

    setpoint: float = 0.8
    meal: float = 0.7

    def drive(self, need: Floats) -> Floats:
        """Mean of ((level - setpoint) / setpoint)^2 over the needs, (..., n) -> (...) in [0, 1].

        Keramati & Gutkin 2014, equation 1, with exponents 2 and 1, in units of the worst.
        """
        gap = need - np.float32(self.setpoint)
        return total(gap * gap) / np.float32(need.shape[-1] * self.setpoint**2)

    def gives(self, age: Floats, ripens: Floats) -> Floats:
        """What patches give, (...): the square of the time since they were eaten, up to ripe."""
        part = np.minimum(age / ripens, ONE)
        given: Floats = np.float32(self.meal) * part * part
        return given

    def live(self, need: Floats, age: Floats, rate: Floats, ripens: Floats, eats: Bools) -> None:
        """One step: needs sink by ``rate``, patches under ``eats`` are eaten up, others ripen.

        Changes ``need`` and ``age`` in place. What is more than a full need is lost.

        Args:
            need: level of each, (N, n).
            age: steps since each patch was eaten, (N, n).
            rate: what each need loses in a step, (N, n).
            ripens: steps that each patch takes to be ripe, (N, n).
            eats: the body is at the patch, (N, n).
        """
        need -= rate
        need += self.gives(age, ripens) * eats
        np.minimum(need, ONE, out=need)
        np.maximum(need, 0.0, out=need)
        age += ONE
        age[eats] = 0.0


@dataclass(frozen=True)
class Planner:
    """Chooses the patch to go to, and how long to wait, by simulating ways to go on.

    A way is a first patch, gone to at once or when it is due; a second, one of the next two to
    be due; and from then on always the next to be due. A patch is due once it is ripe and the
    need has room for what it gives, or the need is urgent, and not before the body is there.
    The way with the least drive over ``window`` steps is chosen; death counts as the highest
    drive from then on. A rollout of a base policy (Bertsekas & Castanon 1999).

    Attributes:
        metabolism: of needs and patches.
        legs: walks of a way.
        ripe: part of its ripening time at which a patch is due.
        urgent: level at which a need is.
        again: steps that it takes to leave a patch and come back to it.
        window: steps that are simulated.
        tail: steps for which what is left at the end counts.
    """

    metabolism: Metabolism
    legs: int = 9
    ripe: float = 0.97
    urgent: float = 0.12
    again: float = 5.0
    window: float = 60.0
    tail: float = 10.0

    def choose(
        self,
        need: Floats,
        age: Floats,
        rate: Floats,
        ripens: Floats,
        first: Floats,
        between: Floats,
    ) -> tuple[Ints, Floats]:
        """The patch to go to (N,), and for how many steps to put it off, (N,).

        Args:
            need: (N, n).
            age: (N, n).
            rate: (N, n); zero for a need that does not sink.
            ripens: (N, n).
            first: steps to each patch from here, (N, n).
            between: steps from each patch to each other, (N, n, n).
        """
        target, wait = np.empty(len(need), np.int64), np.empty(len(need), np.float32)
        met = self.metabolism
        settings = (met.setpoint, met.meal, self.ripe, self.urgent, self.again, self.window)
        _plan(
            need, age, np.maximum(rate, np.float32(1e-5)), ripens, first, between, settings,
            self.tail, self.legs, target, wait,
        )  # fmt: skip
        return target, wait


@compiled
def _pass(need, age, rate, steps, dead, setpoint):  # type: ignore[no-untyped-def]
    """Let ``steps`` pass for needs and patches (n,), in place: (drive summed over them, dead)."""
    drive = 0.0
    for k in range(need.size):
        after = max(need[k] - rate[k] * steps, 0.0)
        dead = dead or after <= 0.0
        gap = (0.5 * (need[k] + after) - setpoint) / setpoint
        drive += gap * gap
        need[k] = after
        age[k] += steps
    return steps * (1.0 if dead else drive / need.size), dead


@compiled
def _given(age, ripens, meal):  # type: ignore[no-untyped-def]
    part = min(age / ripens, 1.0)
    return meal * part * part


@compiled
def _due(need, age, rate, ripens, walk, settings):  # type: ignore[no-untyped-def]
    """Steps until a patch that is ``walk`` steps away is due."""
    _, meal, ripe, urgent, _, _ = settings
    room = (need + _given(age, ripens, meal) - 1.0) / rate
    return max(walk, min(max(ripens * ripe - age, room), (need - urgent) / rate))


@compiled
def _plan(need, age, rate, ripens, first, between, settings, tail, legs, target, wait):  # type: ignore[no-untyped-def]
    """`Planner.choose`: fill ``target`` and ``wait`` (N,)."""
    setpoint, meal, _, _, again, window = settings
    worlds, needs = need.shape
    h, s, due = np.empty(needs), np.empty(needs), np.empty(needs)
    for i in range(worlds):
        least = np.inf
        for pick in range(needs):
            walk = max(float(first[i, pick]), 1.0)
            put_off = _due(
                need[i, pick], age[i, pick], rate[i, pick], ripens[i, pick], walk, settings
            )
            for way in range(4):
                patient, runner_up = way % 2 == 1, way >= 2
                if patient and put_off <= walk:
                    continue
                h[:], s[:] = need[i], age[i]
                steps, at = put_off if patient else walk, pick
                clock, cost, dead = 0.0, 0.0, False
                for leg in range(legs):
                    # What it costs so far it will cost at least.
                    if clock + steps >= window or cost >= least:
                        break
                    spent, dead = _pass(h, s, rate[i], steps, dead, setpoint)
                    cost += spent
                    clock += steps
                    h[at] = min(h[at] + _given(s[at], ripens[i, at], meal), 1.0)
                    s[at] = 0.0
                    for k in range(needs):
                        way_there = again if k == at else float(between[i, at, k])
                        due[k] = _due(h[k], s[k], rate[i, k], ripens[i, k], way_there, settings)
                    at = int(due.argmin())
                    if leg == 0 and runner_up:
                        due[at] = np.inf
                        at = int(due.argmin())
                    steps = due[at]
                spent, dead = _pass(h, s, rate[i], max(window - clock, 0.0), dead, setpoint)
                cost += spent
                end = 0.0
                for k in range(needs):
                    late = h[k] - rate[i, k] * 0.5 * tail
                    late += _given(s[k] + 0.5 * tail, ripens[i, k], meal)
                    gap = (min(max(late, 0.0), 1.0) - setpoint) / setpoint
                    end += gap * gap
                cost += tail * (1.0 if dead else end / needs)
                if cost < least:
                    least = cost
                    target[i], wait[i] = pick, (put_off if patient else walk) - walk
