"""A picture of what the body perceives and of nothing else: the observation, drawn.

Vision is a disc round the body, its heading up; a ray that meets something fills its sector from
there outwards with the colour it reports. Rings lie at 1, 2, 4 and 8 m: distance is drawn by its
square root, so that near things have room. Every other sense is a box of bars below.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pygame

from motley.envs import glyphs, kernels
from motley.envs.canvas import DAY, NIGHT, Canvas, Palette, Point, mix, write
from motley.envs.panel import numbers
from motley.envs.senses import Sense, Vision
from motley.envs.task import Task

BODY_RADIUS = 0.075
"""Of the body's figure; the disc of vision has a radius of 1."""


def perceived(
    task: Task, observation: Mapping[str, npt.NDArray[Any]], step: int, size: int = 256
) -> npt.NDArray[np.uint8]:
    """Draw an observation of one world.

    Args:
        task: whose senses they are.
        observation: (size,) by sense.
        step: of the episode, for the corner of the picture.
        size: width and height in pixels, at least 64.

    Returns:
        (size, size, 3) uint8. Dark where vision is blank: a body cannot tell a night from a day
        with nothing in it.

    Raises:
        ValueError: the size is too small to read.
    """
    if size < 64:
        raise ValueError(f"a frame of {size} pixels cannot be read: ask for size >= 64")
    eye = next((sense for sense in task.senses if isinstance(sense, Vision)), None)
    others = [sense for sense in task.senses if sense is not eye]
    rows = [row for row in _rows(others) if row]
    line = round(12 * (size / 256) ** 0.7)
    tall = round(2.9 * line)
    strip = len(rows) * tall + round(0.4 * line)
    lit = eye is not None and bool(np.any(observation[eye.name]))
    palette = DAY if lit else NIGHT
    frame = pygame.Surface((size, size), 0, 32)
    canvas = Canvas((size, size - strip), (0.0, 0.0), 2.12)
    canvas.surface.fill(palette.shade)
    canvas.disc(palette.ground, (0.0, 0.0), 1.0)
    if eye is not None and lit:
        rays = np.asarray(observation[eye.name]).reshape(eye.rays, -1)
        for ray, angle in zip(rays, eye.angles, strict=True):
            _sector(canvas, palette, ray, float(angle) + math.pi / 2, math.pi / eye.rays)
    for metres in (1.0, 2.0, 4.0, kernels.RANGE):
        canvas.ring(palette.grid, (0.0, 0.0), _reach(metres), canvas.pixel)
    glyphs.figure(canvas, palette, (0.0, 0.0), math.pi / 2, BODY_RADIUS)
    frame.blit(canvas.finish(), (0, 0))
    for metres in (1.0, 2.0, 4.0):
        at = canvas.finished((0.0, -_reach(metres)))
        write(frame, f"{metres:.0f} m", at, line, palette.faint, (0.5, 0.5), palette.ground)
    gap = round(0.45 * line)
    corner = f"{task.name} {task.level}{' ood' if task.ood else ''}"
    write(frame, corner, (gap, gap), line, palette.ink, (0.0, 0.0))
    write(frame, f"step {step}/{task.horizon}", (size - gap, gap), line, palette.ink, (1.0, 0.0))
    frame.fill(palette.panel, (0, size - strip, size, strip))
    for k, row in enumerate(rows):
        top = size - strip + round(0.3 * line) + k * tall
        _boxes(frame, palette, row, observation, top, line, tall)
    return np.ascontiguousarray(pygame.surfarray.array3d(frame).swapaxes(0, 1))


def _reach(metres: float) -> float:
    """Where a distance is drawn, 0 to 1."""
    return BODY_RADIUS + (1 - BODY_RADIUS) * math.sqrt(metres / kernels.RANGE)


def _sector(
    canvas: Canvas, palette: Palette, ray: npt.NDArray[Any], angle: float, half: float
) -> None:
    """What a ray reports: nothing, or a colour from its distance outwards."""
    near = float(ray[0])
    if near <= 0:
        return
    start = _reach((1 - near) * kernels.RANGE)
    color = glyphs.rgb(ray[1:4])
    for inner, outer, share in ((start, 1.0, 0.22), (start, min(start + 0.055, 1.0), 1.0)):
        turns = [angle + half * part for part in (-1.0, -0.5, 0.0, 0.5, 1.0)]
        near_edge = [_polar(inner, turn) for turn in turns]
        far_edge = [_polar(outer, turn) for turn in reversed(turns)]
        canvas.polygon(mix(palette.ground, color, share), near_edge + far_edge)


def _polar(radius: float, angle: float) -> Point:
    return radius * math.cos(angle), radius * math.sin(angle)


def _rows(senses: Sequence[Sense]) -> tuple[list[Sense], list[Sense]]:
    """Senses of many numbers above, of few below."""
    return [s for s in senses if s.size > 4], [s for s in senses if s.size <= 4]


def _boxes(
    frame: pygame.Surface,
    palette: Palette,
    senses: Sequence[Sense],
    observation: Mapping[str, npt.NDArray[Any]],
    top: int,
    line: int,
    tall: int,
) -> None:
    """A row of boxes with the senses' names, as wide as they have numbers."""
    gap = round(0.45 * line)
    shares = [max(sense.size, 3) for sense in senses]
    unit = (frame.get_width() - gap * (len(senses) + 1)) / sum(shares)
    left = float(gap)
    for sense, share in zip(senses, shares, strict=True):
        width = round(share * unit)
        values = np.asarray(observation[sense.name])
        chip = numbers(palette, values, (width, tall - line - gap // 2), floor=sense.low >= 0)
        frame.blit(chip, (round(left), top))
        at = (left + width / 2, top + tall - line)
        write(frame, sense.name, at, round(0.85 * line), palette.faint, (0.5, 0.0))
        left += width + gap
