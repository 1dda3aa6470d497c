"""The strip below a picture: task and step, phase and score, the cue and the needs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pygame

from motley.envs import glyphs, senses
from motley.envs.canvas import Canvas, Palette, fit, font, mix, write
from motley.envs.task import Task
from motley.envs.world import World


def panel(
    frame: pygame.Surface,
    palette: Palette,
    task: Task,
    world: World,
    index: int,
    scene: Mapping[str, Any],
    line: int,
    height: int,
) -> None:
    """Draw the strip, `height` pixels high, with two lines of text `line` pixels high.

    From left to right: what it is and the phase; the cue, where there is one now; the needs,
    where the scene gives them; the step and the score.
    """
    size = frame.get_width()
    top, margin = size - height, round(0.45 * line)
    frame.fill(palette.panel, (0, top, size, height))
    frame.fill(palette.grid, (0, top, size, max(1, size // 256)))
    letters = font(line)
    step = f"step {int(world.elapsed[index])}/{task.horizon}"
    score = f"score {float(task.score(world)[index]):.2f}"
    # As wide as it gets in this episode, so that nothing moves.
    widest = (f"step {task.horizon}/{task.horizon}", "score 0.00", score)
    right = size - margin
    edge = right - max(letters.size(text)[0] for text in widest) - margin
    tall = height - margin
    for chip in _chips(palette, world, index, scene, line, tall):
        edge -= chip.get_width()
        frame.blit(chip, (edge, top + (height - tall) // 2))
        edge -= margin // 2
    name = f"{task.name} {task.level}{' ood' if task.ood else ''}"
    rows = ((name, step, palette.ink), (scene.get("caption", ""), score, palette.faint))
    for k, (text, value, color) in enumerate(rows):
        y = top + round((0.35 + 1.1 * k) * line)
        write(frame, value, (right, y), line, color, (1.0, 0.0))
        write(frame, fit(text, edge - margin, line), (margin, y), line, color, (0.0, 0.0))


def _chips(
    palette: Palette,
    world: World,
    index: int,
    scene: Mapping[str, Any],
    line: int,
    tall: int,
) -> list[pygame.Surface]:
    """The little boxes, the rightmost first."""
    chips = []
    levels = np.asarray(scene.get("needs", ()), np.float64)
    if levels.size:
        colors = scene.get("need_colors", need_colors(levels.size))
        width = round(0.44 * line)
        chips.append(gauges(palette, levels, colors, width, tall, scene.get("setpoint")))
    label = str(scene.get("cue_label", ""))
    if label:
        chips.append(letter(palette, label, (round(2.4 * line), tall)))
    elif world.cue[index].any():
        chips.append(numbers(palette, world.cue[index], (round(2.4 * line), tall)))
    return chips


def need_colors(count: int) -> npt.NDArray[np.float32]:
    """The colours (count, 3) of as many needs, where the scene names none: hues all round."""
    return senses.hue(np.arange(count) * (360.0 / count))


def gauges(
    palette: Palette,
    levels: npt.NDArray[np.float64],
    colors: npt.NDArray[Any],
    width: int,
    tall: int,
    setpoint: float | None = None,
) -> pygame.Surface:
    """Levels (k,) in [0, 1] as upright bars, each `width` pixels wide, that fill from below.

    A line crosses them at their setpoint.
    """
    chip = _box(palette, (levels.size * width + width, tall))
    across, up = chip.size[0] * chip.pixel / 2, chip.size[1] * chip.pixel / 2
    step = 2 * across / (levels.size + 1)
    low, high = -0.84 * up, 0.84 * up
    for k, (level, color) in enumerate(zip(levels, colors, strict=True)):
        x = (k - (levels.size - 1) / 2) * step
        top = low + (high - low) * float(np.clip(level, 0.0, 1.0))
        for upper, paint in ((high, mix(palette.panel, palette.faint, 0.5)), (top, color)):
            fill = paint if isinstance(paint, tuple) else glyphs.rgb(paint)
            left, right = x - 0.36 * step, x + 0.36 * step
            chip.polygon(fill, [(left, low), (right, low), (right, upper), (left, upper)])
    if setpoint is not None:
        at = low + (high - low) * setpoint
        chip.line(palette.ink, (-0.94 * across, at), (0.94 * across, at), 0.0)
    return chip.finish()


def numbers(
    palette: Palette, values: npt.NDArray[Any], size: tuple[int, int], floor: bool = False
) -> pygame.Surface:
    """Numbers as bars up and down from the middle, or up from the floor where none is negative."""
    chip = _box(palette, size)
    across, up = (0.85 * side * chip.pixel / 2 for side in chip.size)
    base, height = (-up, 2 * up) if floor else (0.0, up)
    glyphs.bars(chip, values, (0.0, base), across, palette.ink, height)
    return chip.finish()


def letter(palette: Palette, label: str, size: tuple[int, int]) -> pygame.Surface:
    """A short text, as large as fits; each of its lines below the one before."""
    surface = _box(palette, size).finish()
    lines = label.split("\n")
    row = size[1] / (len(lines) + 0.3 * (len(lines) > 1))  # lines keep off the rounded edge
    pixels = min(_fitting(text, 0.86 * size[0], round(row)) for text in lines)
    for k, text in enumerate(lines):
        y = size[1] / 2 + (k - (len(lines) - 1) / 2) * row
        write(surface, text, (size[0] / 2, y), pixels, palette.ink)
    return surface


@lru_cache
def _fitting(label: str, width: float, most: int) -> int:
    """Height in pixels, `most` and at least 6, at which a text is no more than `width` wide."""
    pixels = most
    while pixels > 6 and font(pixels).size(label)[0] > width:
        pixels -= 1
    return pixels


def _box(palette: Palette, size: tuple[int, int]) -> Canvas:
    """A rounded field to draw on, its shorter side from -1 to 1."""
    chip = Canvas(size, (0.0, 0.0), 2.0)
    chip.surface.fill(palette.panel)
    field = chip.surface.get_rect()
    fill = mix(palette.panel, palette.faint, 0.22)
    pygame.draw.rect(chip.surface, fill, field, border_radius=field.height // 6)
    return chip
