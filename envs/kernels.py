"""All compiled code: random numbers, motion, contact, ray casting, angles.

It is one file, because Numba's cache on disk does not notice a change in an imported one.
Rules that make a world's numbers the same bits at every batch size: a world's arithmetic
reads its own rows only, no fast-math, and every transcendental function is called here, one
number at a time (NumPy's vector loops round differently in their tails).

A world's core state is packed in three blocks, so that a call costs few array arguments:
``floats`` (N, 10 + k + 6S) float32, ``flags`` (N, 2 + 3S) bool and ``counters`` (N, 4) uint64,
with S shapes and a cue of k numbers. `motley.envs.world.World` gives the columns names.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

PHYSICS = 1
"""Version of motion, contact and vision; part of every task's hash."""

# Columns of ``floats``; the cue begins at CUE, then positions (2S), radii (S), colours (3S).
X, Y, HEADING, DISPLACEMENT, TURN, LIGHT, EGOMOTION, GAIN, CUE = 0, 1, 2, 3, 4, 5, 6, 9, 10
# Columns of ``flags``; then visible (S), touchable (S), contact (S).
FREE, TOUCH, SHAPES = 0, 1, 2
# Columns of ``counters``.
SEED, EPISODE, DRAW, ELAPSED = 0, 1, 2, 3

RANGE = 8.0
"""Metres that a ray reaches; nearness is 1 - distance / RANGE."""
FORWARD_SCALE = 0.8
"""Metres of forward motion at an egomotion reading of 1: room for a gain of 1.5 and noise."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_EPISODE = np.uint64(0xD1342543DE82EF95)
_ONE = np.uint64(1)
_LOW_32 = np.uint64(0xFFFFFFFF)
_S27, _S30, _S31, _S32, _S40 = (np.uint64(s) for s in (27, 30, 31, 32, 40))
_TWO_PI = 2.0 * math.pi

compiled = njit(cache=True, nogil=True, error_model="numpy")


@compiled
def _mix(z):  # type: ignore[no-untyped-def]
    """SplitMix64's finaliser (Steele, Lea & Flood 2014): (uint64) -> uint64."""
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@compiled
def _next(counters, row):  # type: ignore[no-untyped-def]
    """The next 64 random bits of a world, a function of (seed, episode, draw) alone."""
    key = _mix(_mix(counters[row, SEED] + _GOLDEN) ^ (counters[row, EPISODE] * _EPISODE))
    counters[row, DRAW] += _ONE
    return _mix(key + counters[row, DRAW] * _GOLDEN)


@compiled
def _normal_pair(bits):  # type: ignore[no-untyped-def]
    """Two standard normal numbers from 64 bits (Box & Muller 1958), float64."""
    u = (float(np.int64(bits >> _S32)) + 0.5) * 2.3283064365386963e-10
    angle = float(np.int64(bits & _LOW_32)) * 2.3283064365386963e-10 * _TWO_PI
    size = math.sqrt(-2.0 * math.log(u))
    return size * math.cos(angle), size * math.sin(angle)


@compiled
def fill_uniform(counters, rows, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (R, M) float32 with uniforms in [0, 1), 24 bits each, from worlds ``rows``."""
    for r in range(rows.size):
        for j in range(out.shape[1]):
            bits = _next(counters, rows[r])
            out[r, j] = np.float32(np.int64(bits >> _S40)) * np.float32(5.9604644775390625e-08)


@compiled
def fill_normal(counters, rows, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (R, M) float32 with standard normals from worlds ``rows``."""
    for r in range(rows.size):
        for j in range(out.shape[1]):
            out[r, j] = _normal_pair(_next(counters, rows[r]))[0]


@compiled
def fill_integers(counters, rows, span, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (R, M) int64 with integers in [0, span), from worlds ``rows``."""
    for r in range(rows.size):
        for j in range(out.shape[1]):
            high = _next(counters, rows[r]) >> _S32
            out[r, j] = np.int64((high * np.uint64(span)) >> _S32)


@compiled
def fill_permutation(counters, rows, out):  # type: ignore[no-untyped-def]
    """Fill each row of ``out`` (R, M) int64 with a permutation of 0 .. M-1 (Fisher & Yates)."""
    for r in range(rows.size):
        for j in range(out.shape[1]):
            out[r, j] = j
        for j in range(out.shape[1] - 1, 0, -1):
            high = _next(counters, rows[r]) >> _S32
            other = np.int64((high * np.uint64(j + 1)) >> _S32)
            out[r, j], out[r, other] = out[r, other], out[r, j]


@compiled
def fill_unit(angles, out):  # type: ignore[no-untyped-def]
    """Write the unit vectors of ``angles`` (M,) radians to ``out`` (M, 2) float32."""
    for i in range(angles.size):
        out[i, 0] = math.cos(float(angles[i]))
        out[i, 1] = math.sin(float(angles[i]))


@compiled
def fill_angle(vectors, out):  # type: ignore[no-untyped-def]
    """Write the directions of ``vectors`` (M, 2) to ``out`` (M,) float32, in [-pi, pi]."""
    for i in range(out.size):
        out[i] = math.atan2(float(vectors[i, 1]), float(vectors[i, 0]))


@compiled
def fill_steering(position, heading, target, speed, turn, out):  # type: ignore[no-untyped-def]
    """Write the action that heads for ``target`` (N, 2) to ``out`` (N, 2) float32.

    The body turns first and walks then, so forward is the cosine of what the turn leaves over;
    ``speed`` in metres and ``turn`` in radians are a step's most.
    """
    for i in range(out.shape[0]):
        dx = float(target[i, 0] - position[i, 0])
        dy = float(target[i, 1] - position[i, 1])
        bearing = math.atan2(dy, dx) - float(heading[i])
        bearing -= _TWO_PI * math.floor(bearing / _TWO_PI + 0.5)
        turned = min(max(bearing, -turn), turn)
        reach = min(1.0, math.sqrt(dx * dx + dy * dy) / speed)
        out[i, 0] = reach * max(0.0, math.cos(bearing - turned))
        out[i, 1] = turned / turn


@compiled
def move(floats, flags, counters, actions, body, n_shapes, shapes_at):  # type: ignore[no-untyped-def]
    """Move every body by one step and mark what it touched on its way.

    Args:
        floats: (N, 10 + k + 6S) packed state, changed in place like the next two.
        flags: (N, 2 + 3S).
        counters: (N, 4).
        actions: (N, 2) float32 [forward, turn], clipped to [0, 1] and [-1, 1].
        body: (7,) float32 speed (m), turn (rad), radius (m), motor noise of forward and turn,
            egomotion noise of forward (fraction) and turn (rad).
        n_shapes: S.
        shapes_at: column of ``floats`` at which the shapes begin.

    Returns:
        -1, or the first world whose action is not finite; then nothing has moved.
    """
    n = floats.shape[0]
    for i in range(n):
        if not (math.isfinite(actions[i, 0]) and math.isfinite(actions[i, 1])):
            return i
    touchable_at = SHAPES + n_shapes
    contact_at = touchable_at + n_shapes
    radius_at = shapes_at + 2 * n_shapes
    for i in range(n):
        counters[i, ELAPSED] += _ONE
        motor_forward, motor_turn = _normal_pair(_next(counters, i))
        sense_forward, sense_turn = _normal_pair(_next(counters, i))
        x, y = float(floats[i, X]), float(floats[i, Y])
        to_x, to_y = x, y
        if flags[i, FREE]:
            go = min(max(float(actions[i, 0]), 0.0), 1.0)
            steer = min(max(float(actions[i, 1]), -1.0), 1.0)
            # Noise grows with the command, so rest is exact (Harris & Wolpert 1998).
            distance = max(0.0, go * (1.0 + body[3] * motor_forward)) * body[0]
            turn = steer * body[1] + body[4] * motor_turn * max(go, abs(steer))
            heading = float(floats[i, HEADING]) + turn
            if heading >= math.pi:
                heading -= _TWO_PI
            elif heading < -math.pi:
                heading += _TWO_PI
            to_x = x + distance * math.cos(heading)
            to_y = y + distance * math.sin(heading)
            floats[i, X], floats[i, Y], floats[i, HEADING] = to_x, to_y, heading
            floats[i, DISPLACEMENT], floats[i, TURN] = distance, turn
            felt = distance * float(floats[i, GAIN]) * (1.0 + body[5] * sense_forward)
            floats[i, EGOMOTION] = min(max(felt / FORWARD_SCALE, -1.0), 1.0)
            felt_turn = turn + body[6] * sense_turn
            floats[i, EGOMOTION + 1] = math.sin(felt_turn)
            floats[i, EGOMOTION + 2] = math.cos(felt_turn)
        else:
            floats[i, DISPLACEMENT] = floats[i, TURN] = 0.0
            floats[i, EGOMOTION] = floats[i, EGOMOTION + 1] = 0.0
            floats[i, EGOMOTION + 2] = 1.0
        step_x, step_y = to_x - x, to_y - y
        length = step_x * step_x + step_y * step_y
        touch = False
        for s in range(n_shapes):
            # The nearest point of the step's path, so that a fast body does not jump past.
            dx = float(floats[i, shapes_at + 2 * s]) - x
            dy = float(floats[i, shapes_at + 2 * s + 1]) - y
            along = 0.0
            if length > 0.0:
                along = min(max((dx * step_x + dy * step_y) / length, 0.0), 1.0)
            dx -= along * step_x
            dy -= along * step_y
            radius = float(floats[i, radius_at + s])
            reach = radius + body[2]
            contact = radius > 0.0 and dx * dx + dy * dy <= reach * reach
            flags[i, contact_at + s] = contact
            touch |= contact and flags[i, touchable_at + s]
        flags[i, TOUCH] = touch
    return -1


@compiled
def perceive(floats, flags, rows, rays, places, n_shapes, shapes_at, out):  # type: ignore[no-untyped-def]
    """Write what the bodies ``rows`` perceive.

    Args:
        floats: (N, 10 + k + 6S) packed state.
        flags: (N, 2 + 3S).
        rows: (R,) worlds to read.
        rays: (2, V) float32 unit vectors of the rays in the body's frame.
        places: (5, 2) int64 [offset, size] in numbers per world of vision, egomotion, touch,
            cue and go; offset -1 where the body lacks the sense.
        n_shapes: S.
        shapes_at: as in `move`.
        out: flat float32; a sense is a block (N, size) that begins at N x offset.
    """
    n = floats.shape[0]
    n_rays = rays.shape[1]
    nearest = np.empty(n_rays, np.float32)
    seen = np.empty(n_rays, np.int64)
    radius_at = shapes_at + 2 * n_shapes
    color_at = shapes_at + 3 * n_shapes
    zero, limit = np.float32(0.0), np.float32(RANGE)
    for r in range(rows.size):
        i = rows[r]
        if places[0, 0] >= 0:
            at = n * places[0, 0] + i * places[0, 1]
            for j in range(places[0, 1]):
                out[at + j] = zero
            if floats[i, LIGHT] > zero:
                cos = np.float32(math.cos(float(floats[i, HEADING])))
                sin = np.float32(math.sin(float(floats[i, HEADING])))
                for j in range(n_rays):
                    nearest[j] = limit
                    seen[j] = -1
                for s in range(n_shapes):
                    if not flags[i, SHAPES + s]:
                        continue
                    dx = floats[i, shapes_at + 2 * s] - floats[i, X]
                    dy = floats[i, shapes_at + 2 * s + 1] - floats[i, Y]
                    front, left = cos * dx + sin * dy, cos * dy - sin * dx
                    squared = dx * dx + dy * dy
                    room = floats[i, radius_at + s] * floats[i, radius_at + s]
                    for j in range(n_rays):
                        along = front * rays[0, j] + left * rays[1, j]
                        half = room - (squared - along * along)
                        chord = math.sqrt(max(half, zero))
                        # Inside the disc every ray meets it at distance 0.
                        near = max(along - chord, zero)
                        closer = half > zero and along + chord > zero and near < nearest[j]
                        nearest[j] = near if closer else nearest[j]
                        seen[j] = s if closer else seen[j]
                for j in range(n_rays):
                    if seen[j] >= 0:
                        out[at + 4 * j] = np.float32(1.0) - nearest[j] / limit
                        for c in range(3):
                            color = floats[i, color_at + 3 * seen[j] + c]
                            out[at + 4 * j + 1 + c] = color * floats[i, LIGHT]
        if places[1, 0] >= 0:
            at = n * places[1, 0] + 3 * i
            for j in range(3):
                out[at + j] = floats[i, EGOMOTION + j]
        if places[2, 0] >= 0:
            out[n * places[2, 0] + i] = np.float32(flags[i, TOUCH])
        if places[3, 0] >= 0:
            at = n * places[3, 0] + i * places[3, 1]
            for j in range(places[3, 1]):
                out[at + j] = floats[i, CUE + j]
        if places[4, 0] >= 0:
            out[n * places[4, 0] + i] = np.float32(flags[i, FREE])
