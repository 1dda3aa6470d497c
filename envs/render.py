"""Pictures of a world for people: a frame from one world's state.

The picture holds more than the body perceives, and says what is what. The ground in sight is
bright, and what stands in sight is drawn full; what is there and out of sight (in the dark,
behind a wall or a disc, not shown yet) is an outline; what no sense ever shows (a nest) is a
dashed ring. With the light out, all is dark. A body on a visible disc sees nothing else: all ground
is shaded then, and the picture says why. The ground's squares are one metre. A task adds to its
picture by `Task.scene`, a dict of hints, all optional:

- ``caption``: text for the status line, such as the phase.
- ``markers``: [(label, x, y, radius)] of places that no sense shows, metres; "nest" gets a house.
- ``items``: (S, k) numbers in [-1, 1] to draw as bars on each shape; a row with a NaN has none.
- ``absent``: indices of shapes to leave out, which are no part of the world now.
- ``labels``: {index of a shape: short text} to write on shapes.
- ``target``: index of the shape that the oracle would go to.
- ``lines``: [((x1, y1), (x2, y2), (r, g, b) in 0..1, width in metres)], such as an arm's links.
- ``needs``: (k,) levels in [0, 1], drawn as bars beside the score. ``need_colors``: (k, 3) in
  0..1, those of the resources; hues all round where it is left out. ``setpoint``: the level
  that is best, drawn as a line across them.
- ``cue_label``: text that says what the cue shows, such as a sign's letter, of one short line or
  two; without it, a cue that is not all zero is drawn as bars.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pygame

from motley.envs import glyphs, kernels
from motley.envs.canvas import DAY, NIGHT, Canvas, Palette, Point, font, mix, write
from motley.envs.panel import panel
from motley.envs.sight import Sight, sight
from motley.envs.task import Task
from motley.envs.window import NoDisplayError, Window, WindowClosed
from motley.envs.world import World

__all__ = ["NoDisplayError", "Window", "WindowClosed", "render"]


PATH_LENGTH = 80
"""Frames that the path goes back."""
COVERED = "on a disc: nothing else is in sight"
"""Said of a picture that could be taken for dusk."""


@dataclass
class View:
    """What the renderer keeps of one world's episode: what to show and the path so far."""

    episode: tuple[int, int]
    things: list[tuple[float, float, float]]
    """Discs (x, y, radius) that the picture holds."""
    path: list[tuple[int, Point]]

    def frame(self, aspect: float) -> tuple[Point, float]:
        """Centre and height, metres, of a picture `aspect` times as wide as high."""
        places = np.array(self.things, np.float64)
        low = (places[:, :2] - places[:, 2:]).min(0)
        high = (places[:, :2] + places[:, 2:]).max(0)
        (x, y), (wide, tall) = (low + high) / 2, high - low
        return (float(x), float(y)), max(3.2, float(max(wide / aspect, tall)) * 1.08 + 0.6)

    def shows(self, thing: tuple[float, float, float], aspect: float) -> bool:
        """Whether a disc is inside the picture as it is."""
        (x, y), span = self.frame(aspect)
        wide, tall = span * aspect / 2 - thing[2], span / 2 - thing[2]
        return abs(thing[0] - x) <= wide and abs(thing[1] - y) <= tall


_views: WeakKeyDictionary[World, dict[int, View]] = WeakKeyDictionary()


def render(
    task: Task,
    world: World,
    index: int = 0,
    size: int = 256,
    observation: Mapping[str, npt.NDArray[Any]] | None = None,
) -> npt.NDArray[np.uint8]:
    """Draw one world.

    The path shown is the one through the states that were rendered in this episode. The view is
    chosen at the episode's first frame and then kept, unless something but the body leaves it.

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
    palette = NIGHT.toward(DAY, min(max(float(world.light[index]), 0.0), 1.0))
    line = round(15 * (size / 256) ** 0.7)
    strip = round(2.6 * line)
    view = _view(task, world, index, scene, size / (size - strip))
    canvas = Canvas((size, size - strip), *view.frame(size / (size - strip)))
    seen = sight(world, index)
    glyphs.ground(canvas, palette, seen)
    glyphs.fan(canvas, palette, world, index, observation)
    glyphs.walls(canvas, palette, world, index, seen)
    glyphs.shapes(canvas, palette, world, index, scene, seen)
    _path(canvas, palette, view, task.body.speed)
    glyphs.lines(canvas, palette, scene)
    glyphs.body(canvas, palette, task, world, index)
    frame = pygame.Surface((size, size), 0, 32)
    frame.blit(canvas.finish(), (0, 0))
    _letters(frame, canvas, palette, world, index, scene, seen, line)
    _wanderer(frame, canvas, palette, world, index, line)
    if seen.covered:
        _tell_covered(frame, canvas, palette, line)
    panel(frame, palette, task, world, index, scene, line, strip)
    return np.ascontiguousarray(pygame.surfarray.array3d(frame).swapaxes(0, 1))


def _view(task: Task, world: World, index: int, scene: Mapping[str, Any], aspect: float) -> View:
    """The episode's view, `aspect` times as wide as high, with the present place on its path."""
    views = _views.setdefault(world, {})
    counters = world.counters[index]
    episode = (int(counters[kernels.SEED]), int(counters[kernels.EPISODE]))
    elapsed = int(world.elapsed[index])
    here = (float(world.position[index, 0]), float(world.position[index, 1]))
    view = views.get(index)
    things = [*_extent(world, index, scene)]
    if view is None or view.episode != episode:
        things.append((*here, task.body.radius))
        view = views[index] = View(episode, things, [])
    elif any(not view.shows(thing, aspect) for thing in things):
        view.things += things
    while view.path and view.path[-1][0] >= elapsed:
        view.path.pop()
    view.path.append((elapsed, here))
    return view


def _extent(
    world: World, index: int, scene: Mapping[str, Any]
) -> Iterator[tuple[float, float, float]]:
    """Everything that the view should hold, but the body, as discs: x, y, radius."""
    for (x, y), radius in zip(world.shape_position[index], world.shape_radius[index], strict=True):
        if radius > 0:
            yield float(x), float(y), float(radius)
    for x1, y1, x2, y2 in world.wall[index]:
        if (x1, y1) != (x2, y2):
            yield float(x1), float(y1), glyphs.WALL_WIDTH
            yield float(x2), float(y2), glyphs.WALL_WIDTH
    for _, x, y, radius in scene.get("markers", ()):
        yield x, y, radius
    for start, end, _, width in scene.get("lines", ()):
        yield (*start, width)
        yield (*end, width)


def _letters(
    frame: pygame.Surface,
    canvas: Canvas,
    palette: Palette,
    world: World,
    index: int,
    scene: Mapping[str, Any],
    seen: Sight,
    line: int,
) -> None:
    """Labels of markers below them, and of shapes on them, or below where there is no room."""
    for label, x, y, radius in scene.get("markers", ()):
        at = canvas.finished((x, y - radius))
        write(frame, label, (at[0], at[1] + 2), line, palette.ink, (0.5, 0.0), palette.shade)
    items = scene.get("items")
    for shape, label in scene.get("labels", {}).items():
        color = glyphs.rgb(world.shape_color[index, shape])
        x, y = (float(c) for c in world.shape_position[index, shape])
        at = canvas.finished((x, y))
        radius = float(world.shape_radius[index, shape]) / canvas.pixel
        written = items is not None and not np.isnan(items[shape]).any()
        if written or font(line).size(label)[0] > 1.7 * radius:  # no room on it: below it
            write(
                frame, label, (at[0], at[1] + radius), line, palette.ink, (0.5, 0.0), palette.shade
            )
        elif seen.shapes[shape]:
            ink = glyphs.DARK if glyphs.bright(color) else glyphs.WHITE
            write(frame, label, at, round(max(line, 0.8 * radius)), ink)
        else:
            ink = mix(palette.shade, color, 0.8)
            write(frame, label, at, round(max(line, 0.8 * radius)), ink)


def _path(canvas: Canvas, palette: Palette, view: View, speed: float) -> None:
    """The body's path of late, older parts fainter; broken where it was carried."""
    steps = list(pairwise(view.path[-PATH_LENGTH:]))
    for k, ((before, start), (after, end)) in enumerate(steps, PATH_LENGTH - len(steps)):
        if math.dist(start, end) > 1.6 * speed * (after - before):
            continue
        color = mix(palette.shade, palette.body, 0.1 + 0.65 * k / PATH_LENGTH)
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
    text = f"{float(np.linalg.norm(at - edge)) * canvas.pixel:.1f} m away"
    half = np.array(font(line).size(text)) / 2
    spot = edge - ahead * (0.7 * line + float(np.abs(ahead) @ half))
    spot = np.clip(spot, half + 2, np.array(canvas.size) - half - 2)
    write(frame, text, (float(spot[0]), float(spot[1])), line, palette.ink)


def _tell_covered(frame: pygame.Surface, canvas: Canvas, palette: Palette, line: int) -> None:
    """Why all is shaded by day, at the top, where there is room for it."""
    if font(line).size(COVERED)[0] < canvas.size[0]:
        at = (canvas.size[0] / 2, 0.3 * line)
        write(frame, COVERED, at, line, palette.ink, (0.5, 0.0), palette.shade)
