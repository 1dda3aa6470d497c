"""What stands in a picture: the rays, the discs, the body, bars for numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from motley.envs import kernels
from motley.envs.canvas import Canvas, Color, Palette, Point, mix
from motley.envs.senses import Vision
from motley.envs.task import Task
from motley.envs.world import World

WHITE: Color = (255, 255, 255)
DARK: Color = (34, 36, 46)
BEAK: Color = (244, 158, 58)
TARGET: Color = (222, 66, 54)
BLANK_RAY = 0.75
"""Metres drawn of a ray that meets nothing."""


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
        color = mix(palette.ground, _color(ray[1:4]), 0.6) if near > 0 else palette.shadow
        end = (x + far * math.cos(angle), y + far * math.sin(angle))
        canvas.line(color, (x, y), end, 0.035 if near > 0 else 0.0)
        if near > 0:
            canvas.disc(color, end, max(0.05, 1.6 * canvas.pixel))


def shapes(
    canvas: Canvas, palette: Palette, world: World, index: int, scene: Mapping[str, Any]
) -> None:
    """The discs, full where they can be seen now, outlined where not; markers dashed."""
    markers = scene.get("markers", ())
    items = scene.get("items")
    marked = {(round(float(x), 3), round(float(y), 3)) for _, x, y, _ in markers}
    lit = world.light[index] > 0
    for shape in range(world.n_shapes):
        x, y = (float(c) for c in world.shape_position[index, shape])
        radius = float(world.shape_radius[index, shape])
        if radius <= 0 or (round(x, 3), round(y, 3)) in marked:
            continue
        color = _color(world.shape_color[index, shape])
        if world.shape_visible[index, shape] and lit:
            canvas.disc(palette.shadow, (x + 0.05, y - 0.07), radius)
            canvas.disc(mix(color, DARK, 0.35), (x, y), radius)
            canvas.disc(color, (x, y), radius - max(0.03, canvas.pixel))
            canvas.disc(
                mix(color, WHITE, 0.28), (x - radius * 0.12, y + radius * 0.14), radius * 0.7
            )
            ink = 1.0
        else:
            faded = 0.5 if world.shape_visible[index, shape] else 0.12
            canvas.disc(mix(palette.ground, color, faded), (x, y), radius)
            canvas.ring(mix(palette.ground, color, 0.65), (x, y), radius, 0.04)
            ink = 0.35
        if items is not None and not np.isnan(items[shape]).any():
            bright = 0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2] > 100
            stroke = mix(color, DARK if bright or ink < 1 else WHITE, 0.9 * ink)
            bars(canvas, items[shape], (x, y), radius * 0.72, stroke)
    target = scene.get("target")
    if target is not None:
        x, y = (float(c) for c in world.shape_position[index, target])
        radius = float(world.shape_radius[index, target])
        canvas.dashes(TARGET, (x, y), radius + 0.13, max(0.05, 1.5 * canvas.pixel))
    for _, x, y, radius in markers:
        canvas.disc(mix(palette.ground, palette.faint, 0.18), (x, y), radius)
        canvas.dashes(palette.ink, (x, y), radius, max(0.04, 1.4 * canvas.pixel))
        home = [(-0.2, 0.02), (0, 0.22), (0.2, 0.02), (0.13, 0.02), (0.13, -0.18)]
        home += [(-0.13, -0.18), (-0.13, 0.02)]
        canvas.polygon(palette.faint, [(x + a * radius * 2, y + b * radius * 2) for a, b in home])


def bars(
    canvas: Canvas,
    values: npt.NDArray[Any],
    at: Point,
    half: float,
    color: Color,
) -> None:
    """Numbers in [-1, 1] as bars from a middle line, in a square of half-width `half` metres."""
    step = 2 * half / len(values)
    for k, value in enumerate(values):
        left, right = at[0] - half + (k + 0.14) * step, at[0] - half + (k + 0.86) * step
        top = at[1] + 0.85 * half * float(np.clip(value, -1, 1))
        corners = [(left, at[1]), (right, at[1]), (right, top), (left, top)]
        canvas.polygon(color, corners)
    canvas.line(color, (at[0] - half, at[1]), (at[0] + half, at[1]), 0.0)


def body(canvas: Canvas, palette: Palette, task: Task, world: World, index: int) -> None:
    """The body: a disc with eyes and a beak to its heading; ringed while it is held."""
    x, y = (float(c) for c in world.position[index])
    radius, heading = task.body.radius, float(world.heading[index])

    def place(distance: float, side: float) -> Point:
        angle = heading + side
        return (x + distance * radius * math.cos(angle), y + distance * radius * math.sin(angle))

    canvas.disc(palette.shadow, (x + 0.04, y - 0.06), radius)
    canvas.polygon(BEAK, [place(1.65, 0.0), place(0.92, 0.55), place(0.92, -0.55)])
    canvas.disc(palette.rim, (x, y), radius + 0.03)
    canvas.disc(palette.body, (x, y), radius - 0.01)
    for side in (-0.62, 0.62):
        canvas.disc(WHITE, place(0.58, side), radius * 0.27)
        canvas.disc(DARK, place(0.68, side * 0.9), radius * 0.14)
    if not world.free[index]:
        canvas.dashes(palette.ink, (x, y), radius + 0.14, max(0.04, 1.2 * canvas.pixel), n=8)


def _color(rgb: npt.NDArray[Any]) -> Color:
    """A colour in [0, 1] as 8-bit numbers."""
    r, g, b = (round(255 * min(max(float(c), 0.0), 1.0)) for c in rgb)
    return r, g, b
