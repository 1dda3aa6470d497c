"""What stands in a picture: the ground in sight, rays, walls, discs, the body, bars for numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from motley.envs import kernels
from motley.envs.canvas import Canvas, Color, Palette, Point, mix
from motley.envs.senses import Vision
from motley.envs.sight import Sight
from motley.envs.task import Task
from motley.envs.world import World

WHITE: Color = (255, 255, 255)
DARK: Color = (34, 36, 46)
BEAK: Color = (244, 158, 58)
TARGET: Color = (222, 66, 54)
BLANK_RAY = 0.75
"""Metres drawn of a ray that meets nothing."""
WALL_WIDTH = 0.14
"""Metres drawn of a wall, which has no thickness in the world."""


def ground(canvas: Canvas, palette: Palette, sight: Sight) -> None:
    """Ground with a line at every metre, brighter where it is in sight."""
    canvas.surface.fill(palette.shade)
    if len(sight.outline):
        canvas.polygon(palette.ground, [(float(x), float(y)) for x, y in sight.outline])
    half = max(canvas.surface.get_size()) / canvas.scale / 2
    x, y = canvas.centre
    for metre in range(math.floor(x - half), math.ceil(x + half) + 1):
        canvas.line(palette.grid, (metre, y - half), (metre, y + half), 0.0)
    for metre in range(math.floor(y - half), math.ceil(y + half) + 1):
        canvas.line(palette.grid, (x - half, metre), (x + half, metre), 0.0)


def fan(
    canvas: Canvas,
    palette: Palette,
    world: World,
    index: int,
    observation: Mapping[str, npt.NDArray[Any]] | None,
) -> None:
    """The rays of vision, tinted by what each meets; nothing in the dark."""
    sense = world.reader.senses.get("vision")
    if not isinstance(sense, Vision) or world.light[index] <= 0:
        return
    if observation is None:
        out = np.empty(world.n * world.reader.width, np.float32)
        world.reader.write(world, np.array([index]), out)
        observation = world.reader.split(out, world.n)
    seen = np.asarray(observation["vision"])
    rays = (seen[index] if seen.ndim == 2 else seen).reshape(sense.rays, -1)
    x, y = (float(c) for c in world.position[index])
    for ray, angle in zip(rays, sense.angles + world.heading[index], strict=True):
        near = float(ray[0])
        far = (1 - near) * kernels.RANGE if near > 0 else BLANK_RAY
        end = (x + far * math.cos(angle), y + far * math.sin(angle))
        if near <= 0:
            canvas.line(palette.shadow, (x, y), end, 0.0)
            continue
        # Grey walls all round would drown the few rays that meet something coloured.
        strength = 0.3 + 0.7 * float(np.ptp(ray[1:4]) / max(ray[1:4].max(), 1e-6))
        color = mix(palette.ground, rgb(ray[1:4]), 0.6 * strength)
        canvas.line(color, (x, y), end, 0.035 * strength)
        canvas.disc(color, end, max(0.05, 1.6 * canvas.pixel))


def walls(canvas: Canvas, palette: Palette, world: World, index: int, sight: Sight) -> None:
    """The walls, full where some part is in sight, faint where not."""
    width = max(WALL_WIDTH, 3 * canvas.pixel)
    ends = [[float(c) for c in wall] for wall in world.wall[index]]
    real = [k for k, (x1, y1, x2, y2) in enumerate(ends) if (x1, y1) != (x2, y2)]
    colors = [rgb(color) for color in world.wall_color[index]]
    # Layer upon layer, so that walls join at their corners.
    for k in real:
        if sight.walls[k]:
            canvas.bar(palette.shadow, ends[k], width, (0.05, -0.07))
    for k in real:
        seen = bool(sight.walls[k])
        canvas.bar(mix(colors[k], DARK, 0.45) if seen else palette.faint, ends[k], width)
    for k in real:
        seen = bool(sight.walls[k])
        inner = mix(colors[k], WHITE, 0.12) if seen else mix(palette.shade, colors[k], 0.35)
        canvas.bar(inner, ends[k], width - 2 * max(0.025, canvas.pixel))


def shapes(
    canvas: Canvas,
    palette: Palette,
    world: World,
    index: int,
    scene: Mapping[str, Any],
    sight: Sight,
) -> None:
    """The discs: full where they are in sight, an outline on top where not; markers dashed."""
    markers = scene.get("markers", ())
    marked = {(round(float(x), 3), round(float(y), 3)) for _, x, y, _ in markers}
    places = [(float(x), float(y)) for x, y in world.shape_position[index]]
    radii = [float(radius) for radius in world.shape_radius[index]]
    colors = [rgb(color) for color in world.shape_color[index]]
    out = set(scene.get("absent", ()))
    there = [
        k
        for k in range(world.n_shapes)
        if radii[k] > 0
        and k not in out
        and (world.shape_visible[index, k] or _key(places[k]) not in marked)
    ]
    hidden = [k for k in there if not sight.shapes[k]]
    for k in hidden:
        visible = bool(world.shape_visible[index, k])
        canvas.disc(mix(palette.shade, colors[k], 0.3 if visible else 0.12), places[k], radii[k])
    for k in there:
        if sight.shapes[k]:
            disc(canvas, palette, colors[k], places[k], radii[k], bool(world.shape_solid[index, k]))
    for k in hidden:
        canvas.ring(mix(palette.shade, colors[k], 0.8), places[k], radii[k], 0.04)
    items = scene.get("items")
    for k in there:
        if items is not None and not np.isnan(items[k]).any():
            strength = 0.9 if sight.shapes[k] else 0.32
            stroke = mix(colors[k], DARK if bright(colors[k]) or k in hidden else WHITE, strength)
            bars(canvas, items[k], places[k], radii[k] * 0.72, stroke)
    target = scene.get("target")
    if target is not None:
        width = max(0.05, 1.5 * canvas.pixel)
        canvas.dashes(TARGET, places[target], radii[target] + 0.13, width)
    for label, x, y, radius in markers:
        canvas.disc(mix(palette.shade, palette.faint, 0.18), (x, y), radius)
        canvas.dashes(palette.ink, (x, y), radius, max(0.04, 1.4 * canvas.pixel))
        if label in ("nest", "home"):
            house = [(-0.2, 0.02), (0, 0.22), (0.2, 0.02), (0.13, 0.02), (0.13, -0.18)]
            house += [(-0.13, -0.18), (-0.13, 0.02)]
            corners = [(x + a * radius * 2, y + b * radius * 2) for a, b in house]
            canvas.polygon(palette.faint, corners)


def disc(
    canvas: Canvas, palette: Palette, color: Color, at: Point, radius: float, solid: bool
) -> None:
    """A disc in full: a ball to pass through, or with a broad rim where it is solid."""
    x, y = at
    canvas.disc(palette.shadow, (x + 0.05, y - 0.07), radius)
    canvas.disc(mix(color, DARK, 0.5 if solid else 0.35), at, radius)
    rim = max(0.07, 2 * canvas.pixel) if solid else max(0.03, canvas.pixel)
    canvas.disc(color, at, radius - rim)
    if not solid:
        canvas.disc(mix(color, WHITE, 0.28), (x - radius * 0.12, y + radius * 0.14), radius * 0.7)


def bars(
    canvas: Canvas,
    values: npt.NDArray[Any],
    at: Point,
    half: float,
    color: Color,
    height: float | None = None,
) -> None:
    """Numbers in [-1, 1] as bars from a line through `at`, which reaches `half` to each side.

    A bar of 1 is `height` high, 0.85 of `half` if None; all in metres.
    """
    unit = 0.85 * half if height is None else height
    step = 2 * half / len(values)
    for k, value in enumerate(values):
        left, right = at[0] - half + (k + 0.14) * step, at[0] - half + (k + 0.86) * step
        top = at[1] + unit * float(np.clip(value, -1, 1))
        corners = [(left, at[1]), (right, at[1]), (right, top), (left, top)]
        canvas.polygon(color, corners)
    canvas.line(color, (at[0] - half, at[1]), (at[0] + half, at[1]), 0.0)


def lines(canvas: Canvas, palette: Palette, scene: Mapping[str, Any]) -> None:
    """The scene's lines, such as the links of an arm, with round joints."""
    drawn = [
        (start, end, rgb(np.asarray(color)), max(width, 2 * canvas.pixel))
        for start, end, color, width in scene.get("lines", ())
    ]
    for start, end, color, width in drawn:
        edge = width + 2 * max(0.025, canvas.pixel)
        canvas.bar(mix(color, DARK, 0.45), (*start, *end), edge)
    for start, end, color, width in drawn:
        canvas.bar(color, (*start, *end), width)
        for joint in (start, end):
            canvas.disc(mix(color, WHITE, 0.45), joint, width * 0.28)


def body(canvas: Canvas, palette: Palette, task: Task, world: World, index: int) -> None:
    """The body; ringed where it touches something, in dashes while it is held."""
    x, y = (float(c) for c in world.position[index])
    radius = task.body.radius
    figure(canvas, palette, (x, y), float(world.heading[index]), radius)
    if world.touched[index]:
        canvas.ring(BEAK, (x, y), radius + 0.12, max(0.06, 1.6 * canvas.pixel))
    if not world.free[index]:
        canvas.dashes(palette.ink, (x, y), radius + 0.14, max(0.04, 1.2 * canvas.pixel), n=8)


def figure(canvas: Canvas, palette: Palette, at: Point, heading: float, radius: float) -> None:
    """A disc with eyes, and a beak to its heading (radians)."""

    def place(distance: float, side: float) -> Point:
        angle = heading + side
        x, y = distance * math.cos(angle), distance * math.sin(angle)
        return at[0] + radius * x, at[1] + radius * y

    canvas.disc(palette.shadow, (at[0] + 0.16 * radius, at[1] - 0.24 * radius), radius)
    canvas.polygon(BEAK, [place(1.65, 0.0), place(0.92, 0.55), place(0.92, -0.55)])
    canvas.disc(palette.rim, at, 1.12 * radius)
    canvas.disc(palette.body, at, 0.96 * radius)
    for side in (-0.62, 0.62):
        canvas.disc(WHITE, place(0.58, side), radius * 0.27)
        canvas.disc(DARK, place(0.68, side * 0.9), radius * 0.14)


def bright(color: Color) -> bool:
    """Whether dark ink reads better on it than white."""
    return 0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2] > 100


def rgb(color: npt.NDArray[Any]) -> Color:
    """A colour in [0, 1] as 8-bit numbers."""
    r, g, b = (round(255 * min(max(float(c), 0.0), 1.0)) for c in color)
    return r, g, b


def _key(place: Point) -> Point:
    return round(place[0], 3), round(place[1], 3)
