"""All compiled code: random numbers, motion, contact, ray casting, angles.

It is one file, because Numba's cache on disk does not notice a change in an imported one.
Rules that make a world's numbers the same bits at every batch size: a world's arithmetic
reads its own rows only, no fast-math, and every transcendental function is called here, one
number at a time (NumPy's vector loops round differently in their tails).

A world's core state is packed in three blocks, so that a call costs few array arguments:
``floats`` (N, 10 + k + 6S + 7W) float32, ``flags`` (N, 2 + 4S) bool and ``counters`` (N, 4)
uint64, with S shapes, W walls and k numbers of the senses that a task writes (cue, smell ...).
``plan`` (4,) int64 says where: S, the column of ``floats`` at which the shapes begin, W, and the
column at which the walls begin. `motley.envs.world.World` gives the columns names.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

PHYSICS = 2
"""Version of motion, contact and vision; part of every task's hash."""

# Columns of ``floats``; what a task writes begins at SHOWN, then positions (2S), radii (S) and
# colours (3S) of shapes, then ends (4W) and colours (3W) of walls.
X, Y, HEADING, DISPLACEMENT, TURN, LIGHT, EGOMOTION, GAIN, SHOWN = 0, 1, 2, 3, 4, 5, 6, 9, 10
# Columns of ``flags``; then visible (S), touchable (S), contact (S), solid (S).
FREE, TOUCH, SHAPES = 0, 1, 2
# Columns of ``counters``.
SEED, EPISODE, DRAW, ELAPSED = 0, 1, 2, 3

RANGE = 8.0
"""Metres that a ray reaches; nearness is 1 - distance / RANGE."""
FORWARD_SCALE = 0.8
"""Metres of forward motion at an egomotion reading of 1: room for a gain of 1.5 and noise."""
SLACK = 1e-5
"""Metres that a body may stand inside what holds it, so that rounding does not push it about."""
TOUCH_GAP = 1e-3
"""Metres within which a body that leans on something solid touches it."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_EPISODE = np.uint64(0xD1342543DE82EF95)
_ONE, _TWO = np.uint64(1), np.uint64(2)
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
def _key(counters, row):  # type: ignore[no-untyped-def]
    """What a world's random bits of this episode have in common."""
    return _mix(_mix(counters[row, SEED] + _GOLDEN) ^ (counters[row, EPISODE] * _EPISODE))


@compiled
def _next(counters, row, key):  # type: ignore[no-untyped-def]
    """The next 64 random bits of a world, a function of (seed, episode, draw) alone."""
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
        key = _key(counters, rows[r])
        for j in range(out.shape[1]):
            bits = _next(counters, rows[r], key)
            out[r, j] = np.float32(np.int64(bits >> _S40)) * np.float32(5.9604644775390625e-08)


@compiled
def fill_normal(counters, rows, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (R, M) float32 with standard normals from worlds ``rows``."""
    for r in range(rows.size):
        key = _key(counters, rows[r])
        for j in range(out.shape[1]):
            out[r, j] = _normal_pair(_next(counters, rows[r], key))[0]


@compiled
def fill_integers(counters, rows, span, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (R, M) int64 with integers in [0, span), from worlds ``rows``."""
    for r in range(rows.size):
        key = _key(counters, rows[r])
        for j in range(out.shape[1]):
            high = _next(counters, rows[r], key) >> _S32
            out[r, j] = np.int64((high * np.uint64(span)) >> _S32)


@compiled
def fill_permutation(counters, rows, out):  # type: ignore[no-untyped-def]
    """Fill each row of ``out`` (R, M) int64 with a permutation of 0 .. M-1 (Fisher & Yates)."""
    for r in range(rows.size):
        for j in range(out.shape[1]):
            out[r, j] = j
        key = _key(counters, rows[r])
        for j in range(out.shape[1] - 1, 0, -1):
            high = _next(counters, rows[r], key) >> _S32
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
def fill_exp(values, out):  # type: ignore[no-untyped-def]
    """Write e to the power of ``values`` (M,) to ``out`` (M,) float32."""
    for i in range(out.size):
        out[i] = math.exp(float(values[i]))


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
def _nearest_on(ax, ay, bx, by, x, y):  # type: ignore[no-untyped-def]
    """The point of the segment from a to b that is nearest to (x, y)."""
    ex, ey = bx - ax, by - ay
    length = ex * ex + ey * ey
    share = 0.0
    if length > 0.0:
        share = min(max(((x - ax) * ex + (y - ay) * ey) / length, 0.0), 1.0)
    return ax + share * ex, ay + share * ey


@compiled
def _is_wall(floats, i, at):  # type: ignore[no-untyped-def]
    """Whether the wall at column ``at`` has a length."""
    return floats[i, at] != floats[i, at + 2] or floats[i, at + 1] != floats[i, at + 3]


@compiled
def _walk(floats, flags, i, to_x, to_y, radius, plan):  # type: ignore[no-untyped-def]
    """Walk world i's body towards a point among its walls and solid discs, sliding along them.

    Returns:
        Where it ends, float64, and whether it met a wall.
    """
    shapes, shapes_at, walls, walls_at = plan[0], plan[1], plan[2], plan[3]
    x, y = float(floats[i, X]), float(floats[i, Y])
    bumped = False
    # As float64: to Numba float(...) of a float32 is one, and a wall's edge would be rounded.
    room = np.float64(radius)
    way_x, way_y = to_x - x, to_y - y
    # Pieces shorter than the radius cannot pass through anything.
    pieces = 1 + int(2.0 * math.sqrt(way_x * way_x + way_y * way_y) / radius)
    for _ in range(pieces):
        from_x, from_y = x, y
        x += way_x / pieces
        y += way_y / pieces
        # Pushed out again and again, until a corner's sides hold it both. Where it fits nowhere,
        # as in a wedge, it stays where it was.
        for attempt in range(4):
            clear = True
            for s in range(shapes):
                if flags[i, SHAPES + 3 * shapes + s]:
                    dx = x - float(floats[i, shapes_at + 2 * s])
                    dy = y - float(floats[i, shapes_at + 2 * s + 1])
                    reach = radius + float(floats[i, shapes_at + 2 * shapes + s])
                    if abs(dx) >= reach or abs(dy) >= reach:
                        continue
                    gap = math.sqrt(dx * dx + dy * dy)
                    if gap < reach - SLACK:
                        clear = False
                        if gap > 0.0:
                            x += dx * (reach / gap - 1.0)
                            y += dy * (reach / gap - 1.0)
            for w in range(walls):
                at = walls_at + 4 * w
                if not _is_wall(floats, i, at):
                    continue
                ax, ay = float(floats[i, at]), float(floats[i, at + 1])
                bx, by = float(floats[i, at + 2]), float(floats[i, at + 3])
                # Most walls are farther off along one axis alone.
                if x <= np.float64(min(ax, bx)) - room or x >= np.float64(max(ax, bx)) + room:
                    continue
                if y <= np.float64(min(ay, by)) - room or y >= np.float64(max(ay, by)) + room:
                    continue
                near_x, near_y = _nearest_on(ax, ay, bx, by, x, y)
                dx, dy = x - near_x, y - near_y
                gap = math.sqrt(dx * dx + dy * dy)
                if gap < radius - SLACK:
                    bumped = True
                    clear = False
                    if gap > 0.0:
                        x += dx * (radius / gap - 1.0)
                        y += dy * (radius / gap - 1.0)
            if clear:
                break
            if attempt == 3:
                x, y = from_x, from_y
    return x, y, bumped


@compiled
def move(floats, flags, counters, actions, body, plan):  # type: ignore[no-untyped-def]
    """Move every body by one step and mark what it touched on its way.

    Walls and solid discs hold it: it slides along them, and feels walls as it feels what is
    touchable. The displacement is what was realised, along the heading.

    Args:
        floats: packed state, changed in place like the next two.
        flags: likewise.
        counters: (N, 4).
        actions: (N, 2) float32 [forward, turn], clipped to [0, 1] and [-1, 1].
        body: (7,) float32 speed (m), turn (rad), radius (m), motor noise of forward and turn,
            egomotion noise of forward (fraction) and turn (rad).
        plan: (4,) where shapes and walls are.

    Returns:
        -1, or the first world whose action is not finite; then nothing has moved.
    """
    n = floats.shape[0]
    for i in range(n):
        if not (math.isfinite(actions[i, 0]) and math.isfinite(actions[i, 1])):
            return i
    n_shapes, shapes_at, n_walls = plan[0], plan[1], plan[2]
    touchable_at = SHAPES + n_shapes
    contact_at = touchable_at + n_shapes
    solid_at = contact_at + n_shapes
    radius_at = shapes_at + 2 * n_shapes
    for i in range(n):
        counters[i, ELAPSED] += _ONE
        touch = False
        x, y = float(floats[i, X]), float(floats[i, Y])
        to_x, to_y = x, y
        if flags[i, FREE]:
            key = _key(counters, i)
            motor_forward, motor_turn = _normal_pair(_next(counters, i, key))
            sense_forward, sense_turn = _normal_pair(_next(counters, i, key))
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
            held = n_walls > 0
            for s in range(n_shapes):
                held |= flags[i, solid_at + s]
            if held:
                to_x, to_y, touch = _walk(floats, flags, i, to_x, to_y, float(body[2]), plan)
                distance = (to_x - x) * math.cos(heading) + (to_y - y) * math.sin(heading)
            floats[i, X], floats[i, Y], floats[i, HEADING] = to_x, to_y, heading
            floats[i, DISPLACEMENT], floats[i, TURN] = distance, turn
            felt = distance * float(floats[i, GAIN]) * (1.0 + body[5] * sense_forward)
            floats[i, EGOMOTION] = min(max(felt / FORWARD_SCALE, -1.0), 1.0)
            felt_turn = turn + body[6] * sense_turn
            floats[i, EGOMOTION + 1] = math.sin(felt_turn)
            floats[i, EGOMOTION + 2] = math.cos(felt_turn)
        else:
            counters[i, DRAW] += _TWO  # what a held body does not need is not worked out
            floats[i, DISPLACEMENT] = floats[i, TURN] = 0.0
            floats[i, EGOMOTION] = floats[i, EGOMOTION + 1] = 0.0
            floats[i, EGOMOTION + 2] = 1.0
        step_x, step_y = to_x - x, to_y - y
        length = step_x * step_x + step_y * step_y
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
            if flags[i, solid_at + s]:
                reach += TOUCH_GAP
            contact = radius > 0.0 and dx * dx + dy * dy <= reach * reach
            flags[i, contact_at + s] = contact
            touch |= contact and flags[i, touchable_at + s]
        flags[i, TOUCH] = touch
    return -1


@compiled
def move_arm(flags, counters, actions, arm, joint, speed, hand, felt):  # type: ignore[no-untyped-def]
    """Move every two-link arm by one step.

    A command sets a joint's speed through a first-order lag, v' = v + response (command - v); a
    joint that reaches a limit stops there. An arm that is held has no speed.

    Args:
        flags: packed state of the world; free is read.
        counters: (N, 4), changed in place like the arrays below.
        actions: (N, 2) float32 [shoulder, elbow], clipped to [-1, 1].
        arm: (9,) float32 lengths of the links (m), speed at full command (rad a step), response
            (0 to 1), motor noise (fraction of the command), least and most angle of each joint.
        joint: (N, 2) float32 angles (rad), the elbow's from the upper link on.
        speed: (N, 2) float32 rad a step.
        hand: (N, 2) float32 metres from the shoulder, written.
        felt: (N, 4) float32 sine and cosine of each joint, written.

    Returns:
        -1, or the first world whose action is not finite; then nothing has moved.
    """
    n = joint.shape[0]
    for i in range(n):
        if not (math.isfinite(actions[i, 0]) and math.isfinite(actions[i, 1])):
            return i
    for i in range(n):
        counters[i, ELAPSED] += _ONE
        noise = _normal_pair(_next(counters, i, _key(counters, i)))
        for j in range(2):
            if flags[i, FREE]:
                command = min(max(float(actions[i, j]), -1.0), 1.0) * (1.0 + arm[4] * noise[j])
                v = float(speed[i, j])
                v += arm[3] * (command * arm[2] - v)
                to = float(joint[i, j]) + v
                bounded = min(max(to, float(arm[5 + 2 * j])), float(arm[6 + 2 * j]))
                joint[i, j] = bounded
                speed[i, j] = v if bounded == to else 0.0
            else:
                speed[i, j] = 0.0
            felt[i, 2 * j] = math.sin(float(joint[i, j]))
            felt[i, 2 * j + 1] = math.cos(float(joint[i, j]))
        both = float(joint[i, 0]) + float(joint[i, 1])
        hand[i, 0] = arm[0] * felt[i, 1] + arm[1] * math.cos(both)
        hand[i, 1] = arm[0] * felt[i, 0] + arm[1] * math.sin(both)
    return -1


@compiled
def perceive(floats, flags, rows, rays, places, copies, plan, out):  # type: ignore[no-untyped-def]
    """Write what the bodies ``rows`` perceive.

    Args:
        floats: packed state.
        flags: likewise.
        rows: (R,) worlds to read.
        rays: (2, V) float32 unit vectors of the rays in the body's frame.
        places: (3, 2) int64 [offset, size] in numbers per world of vision, touch and go; offset
            -1 where the body lacks the sense.
        copies: (C, 3) int64 [offset, size, column of ``floats``] of the senses that are read off.
        plan: (4,) where shapes and walls are.
        out: flat float32; a sense is a block (N, size) that begins at N x offset.
    """
    n = floats.shape[0]
    n_rays = rays.shape[1]
    n_shapes, shapes_at, n_walls, walls_at = plan[0], plan[1], plan[2], plan[3]
    nearest = np.empty(n_rays, np.float32)
    # As wide as the distances, so that a vector of the processor holds as many of both.
    seen = np.empty(n_rays, np.int32)
    radius_at = shapes_at + 2 * n_shapes
    color_at = shapes_at + 3 * n_shapes
    wall_color_at = walls_at + 4 * n_walls
    zero, one, limit = np.float32(0.0), np.float32(1.0), np.float32(RANGE)
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
                    seen[j] = np.int32(-1)
                for s in range(n_shapes):
                    if not flags[i, SHAPES + s]:
                        continue
                    dx = floats[i, shapes_at + 2 * s] - floats[i, X]
                    dy = floats[i, shapes_at + 2 * s + 1] - floats[i, Y]
                    front, left = cos * dx + sin * dy, cos * dy - sin * dx
                    squared = dx * dx + dy * dy
                    color = np.int32(color_at + 3 * s)
                    room = floats[i, radius_at + s] * floats[i, radius_at + s]
                    for j in range(n_rays):
                        along = front * rays[0, j] + left * rays[1, j]
                        half = room - (squared - along * along)
                        chord = math.sqrt(max(half, zero))
                        # Inside the disc every ray meets it at distance 0.
                        near = max(along - chord, zero)
                        closer = half > zero and along + chord > zero and near < nearest[j]
                        nearest[j] = near if closer else nearest[j]
                        seen[j] = color if closer else seen[j]
                for w in range(n_walls):
                    wall = walls_at + 4 * w
                    if not _is_wall(floats, i, wall):
                        continue
                    dx = floats[i, wall] - floats[i, X]
                    dy = floats[i, wall + 1] - floats[i, Y]
                    front, left = cos * dx + sin * dy, cos * dy - sin * dx
                    dx = floats[i, wall + 2] - floats[i, wall]
                    dy = floats[i, wall + 3] - floats[i, wall + 1]
                    along, across = cos * dx + sin * dy, cos * dy - sin * dx
                    twist = front * across - left * along
                    color = np.int32(wall_color_at + 3 * w)
                    for j in range(n_rays):
                        # A ray t (c, s) meets the wall's line at its share u; parallel is inf.
                        turn = rays[0, j] * across - rays[1, j] * along
                        near = twist / turn
                        share = (front * rays[1, j] - left * rays[0, j]) / turn
                        closer = share >= zero and share <= one
                        closer = closer and near >= zero and near < nearest[j]
                        nearest[j] = near if closer else nearest[j]
                        seen[j] = color if closer else seen[j]
                for j in range(n_rays):
                    if seen[j] >= 0:
                        out[at + 4 * j] = one - nearest[j] / limit
                        for c in range(3):
                            out[at + 4 * j + 1 + c] = floats[i, seen[j] + c] * floats[i, LIGHT]
        if places[1, 0] >= 0:
            out[n * places[1, 0] + i] = np.float32(flags[i, TOUCH])
        if places[2, 0] >= 0:
            out[n * places[2, 0] + i] = np.float32(flags[i, FREE])
        for c in range(copies.shape[0]):
            at = n * copies[c, 0] + i * copies[c, 1]
            for j in range(copies[c, 1]):
                out[at + j] = floats[i, copies[c, 2] + j]
