"""Pictures of a world for people: a frame from one world's state.

The picture holds more than the body perceives. What it sees now is drawn full; what is
there and not seen is an outline; what no sense ever shows (a nest) is a dashed ring.
The ground's squares are one metre. A task adds to its picture by `Task.scene`:

- ``caption``: text for the status line, such as the phase.
- ``markers``: (label, x, y, radius) of places that no sense shows, metres.
- ``items``: (S, k) numbers to draw as bars on each shape; a row with a NaN has none.
- ``target``: index of the shape that the oracle would go to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pygame

from motley.envs import glyphs, kernels
from motley.envs.canvas import DAY, NIGHT, Canvas, Palette, Point, font, mix
from motley.envs.task import Task
from motley.envs.window import NoDisplayError, Window, WindowClosed
from motley.envs.world import World

__all__ = ["NoDisplayError", "Window", "WindowClosed", "render"]


@dataclass
class View:
    """What the renderer keeps of one world's episode: the path so far and where to look."""

    episode: tuple[int, int]
    centre: Point
    span: float
    path: list[tuple[int, Point]]


_views: WeakKeyDictionary[World, dict[int, View]] = WeakKeyDictionary()


def render(
    task: Task,
    world: World,
    index: int = 0,
    size: int = 256,
    observation: Mapping[str, npt.NDArray[Any]] | None = None,
) -> npt.NDArray[np.uint8]:
    """Draw one world.

    The path shown is the one through the states that were rendered in this episode, and the
    view is chosen at the episode's first frame and then kept.

    Args:
        task: the rules that the world runs under.
        world: the worlds.
        index: which of them to draw.
        size: width and height in pixels, at least 64.
        observation: what the body perceives, (size,) or (N, size) by sense; read from the
            world if None.

    Returns:
        (size, size, 3) uint8.

    Raises:
        ValueError: the size is too small to read.
        IndexError: there is no such world.
    """
    if size < 64:
        raise ValueError(f"a frame of {size} pixels cannot be read: ask for size >= 64")
    if not 0 <= index < world.n:
        raise IndexError(f"there are worlds 0 to {world.n - 1}, not {index}")
    scene = task.scene(world, index)
    view = _view(task, world, index, scene)
    palette = NIGHT.toward(DAY, min(max(float(world.light[index]), 0.0), 1.0))
    line = round(15 * (size / 256) ** 0.7)
    panel = round(2.6 * line)
    canvas = Canvas((size, size - panel), view.centre, view.span)
    _ground(canvas, palette)
    glyphs.fan(canvas, palette, world, index, observation)
    glyphs.shapes(canvas, palette, world, index, scene)
    _path(canvas, palette, view, task.body.speed)
    glyphs.body(canvas, palette, task, world, index)
    frame = pygame.Surface((size, size), 0, 32)
    frame.blit(canvas.finish(), (0, 0))
    for label, x, y, radius in scene.get("markers", ()):
        at = canvas.finished((x, y - radius))
        text = font(line).render(label, True, palette.ink)
        frame.blit(text, (at[0] - text.get_width() / 2, at[1] + 2))
    _wanderer(frame, canvas, palette, world, index, line)
    _status(frame, palette, task, world, index, scene, line, panel)
    return np.ascontiguousarray(pygame.surfarray.array3d(frame).swapaxes(0, 1))


def _view(task: Task, world: World, index: int, scene: Mapping[str, Any]) -> View:
    """The episode's view, with the present place on its path."""
    views = _views.setdefault(world, {})
    counters = world.counters[index]
    episode = (int(counters[kernels.SEED]), int(counters[kernels.EPISODE]))
    elapsed = int(world.elapsed[index])
    here = (float(world.position[index, 0]), float(world.position[index, 1]))
    view = views.get(index)
    if view is None or view.episode != episode:
        real = world.shape_radius[index] > 0
        discs = np.column_stack([world.shape_position[index], world.shape_radius[index]])[real]
        markers = [marker[1:] for marker in scene.get("markers", ())]
        places = np.array([*discs, *markers, (*here, task.body.radius)], np.float64)
        low = (places[:, :2] - places[:, 2:]).min(0)
        high = (places[:, :2] + places[:, 2:]).max(0)
        middle = (low + high) / 2
        span = max(4.0, float((high - low).max()) * 1.08 + 0.6)
        view = views[index] = View(episode, (float(middle[0]), float(middle[1])), span, [])
    while view.path and view.path[-1][0] >= elapsed:
        view.path.pop()
    view.path.append((elapsed, here))
    return view


def _ground(canvas: Canvas, palette: Palette) -> None:
    """Ground with a line at every metre."""
    canvas.surface.fill(palette.ground)
    half = max(canvas.surface.get_size()) / canvas.scale / 2
    x, y = canvas.centre
    for metre in range(math.floor(x - half), math.ceil(x + half) + 1):
        canvas.line(palette.grid, (metre, y - half), (metre, y + half), 0.0)
    for metre in range(math.floor(y - half), math.ceil(y + half) + 1):
        canvas.line(palette.grid, (x - half, metre), (x + half, metre), 0.0)


def _path(canvas: Canvas, palette: Palette, view: View, speed: float) -> None:
    """The body's path in this episode, older parts fainter; broken where it was carried."""
    steps = list(pairwise(view.path))
    for k, ((before, start), (after, end)) in enumerate(steps):
        if math.dist(start, end) > 1.6 * speed * (after - before):
            continue
        color = mix(palette.ground, palette.body, 0.75 * max(0.25, 1 - (len(steps) - k) / 60))
        canvas.line(color, start, end, max(0.05, 1.4 * canvas.pixel))
        canvas.disc(color, end, max(0.045, 1.5 * canvas.pixel))


def _wanderer(
    frame: pygame.Surface, canvas: Canvas, palette: Palette, world: World, index: int, line: int
) -> None:
    """An arrow at the edge, with the distance, to a body that has left the view."""
    at = np.array(
        canvas.finished((float(world.position[index, 0]), float(world.position[index, 1])))
    )
    low, high = np.full(2, 0.8 * line), np.array(canvas.size) - 0.8 * line
    if ((at > 0) & (at < canvas.size)).all():
        return
    edge = np.clip(at, low, high)
    ahead = (at - edge) / np.linalg.norm(at - edge)
    side = np.array([-ahead[1], ahead[0]])
    tip, foot = edge + ahead * 0.6 * line, edge - ahead * 0.3 * line
    pygame.draw.polygon(
        frame, glyphs.BEAK, [tip, foot + side * 0.5 * line, foot - side * 0.5 * line]
    )
    metres = float(np.linalg.norm(at - edge)) * canvas.pixel
    text = font(line).render(f"{metres:.1f} m away", True, palette.ink)
    spot = np.clip(edge - ahead * 1.2 * line - np.array(text.get_size()) / 2, 2, None)
    frame.blit(text, np.minimum(spot, np.array(canvas.size) - text.get_size() - 2))


def _status(
    frame: pygame.Surface,
    palette: Palette,
    task: Task,
    world: World,
    index: int,
    scene: Mapping[str, Any],
    line: int,
    panel: int,
) -> None:
    """Two lines below the picture: task, step; phase, score; and the cue as bars."""
    size = frame.get_width()
    top, margin = size - panel, round(0.45 * line)
    frame.fill(palette.panel, (0, top, size, panel))
    frame.fill(palette.grid, (0, top, size, max(1, size // 256)))
    cue = world.cue[index]
    left = margin
    if cue.size > 1:
        width, height = round(2.4 * line), panel - 2 * margin // 2
        chip = Canvas((width, height), (0.0, 0.0), 2.0)
        chip.surface.fill(palette.panel)
        half = width / height
        pygame.draw.rect(
            chip.surface,
            mix(palette.panel, palette.faint, 0.22),
            chip.surface.get_rect(),
            border_radius=chip.surface.get_height() // 6,
        )
        glyphs.bars(chip, cue, (0.0, 0.0), 0.85 * half, palette.ink)
        frame.blit(chip.finish(), (margin, top + (panel - height) // 2))
        left += width + margin
    name = f"{task.name} {task.level}{' ood' if task.ood else ''}"
    rows = (
        (name, f"step {int(world.elapsed[index])}/{task.horizon}", palette.ink),
        (scene.get("caption", ""), f"score {float(task.score(world)[index]):.2f}", palette.faint),
    )
    for k, (text, value, color) in enumerate(rows):
        y = top + round((0.35 + 1.1 * k) * line)
        written = font(line).render(value, True, color)
        frame.blit(written, (size - margin - written.get_width(), y))
        frame.blit(font(line).render(text, True, color), (left, y))
