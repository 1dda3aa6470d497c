"""A smooth canvas measured in metres, for `motley.envs.render`.

Everything is drawn two to four times larger than wanted and then scaled down, which
smooths every edge. Colours are mixed with the ground beforehand instead of blended by
alpha, so that a frame of 256 x 256 takes a few milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pygame

Color = tuple[int, int, int]
Point = tuple[float, float]


def mix(a: Color, b: Color, share: float) -> Color:
    """The colour `share` (0 to 1) of the way from `a` to `b`."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


@dataclass(frozen=True)
class Palette:
    """The colours of a picture at one amount of light."""

    ground: Color
    shade: Color
    """Ground that is out of sight."""
    grid: Color
    shadow: Color
    ink: Color
    faint: Color
    panel: Color
    body: Color
    rim: Color

    def toward(self, other: Palette, share: float) -> Palette:
        """The palette `share` (0 to 1) of the way to `other`.

        What is written turns over at half way: ink half way to the ground could not be read.
        """
        grounds = {
            name: mix(getattr(self, name), getattr(other, name), share)
            for name in ("ground", "shade", "grid", "shadow")
        }
        return replace(self if share < 0.5 else other, **grounds)


DAY = Palette(
    ground=(246, 242, 234),
    shade=(232, 226, 214),
    grid=(226, 219, 205),
    shadow=(221, 214, 200),
    ink=(54, 58, 70),
    faint=(158, 152, 142),
    panel=(255, 253, 249),
    body=(70, 78, 104),
    rim=(255, 255, 255),
)
NIGHT = Palette(
    ground=(19, 23, 43),
    shade=(19, 23, 43),
    grid=(30, 36, 62),
    shadow=(12, 15, 30),
    ink=(222, 228, 246),
    faint=(108, 117, 158),
    panel=(11, 14, 29),
    body=(142, 154, 200),
    rim=(226, 232, 250),
)


def font(pixels: int) -> pygame.font.Font:
    """Pygame's own font, the same on every machine, `pixels` high.

    Not kept: `pygame.quit`, which other environments call when they close, spoils every font.
    """
    pygame.font.init()
    return pygame.font.Font(None, pixels)


def write(
    frame: pygame.Surface,
    text: str,
    at: Point,
    pixels: int,
    color: Color,
    anchor: Point = (0.5, 0.5),
    halo: Color | None = None,
) -> None:
    """Write a text, `pixels` high, with the part `anchor` (0 to 1) of its box at `at` (pixels).

    A `halo` of a pixel and more sets it off from what it is written on.
    """
    letters = font(pixels).render(text, True, color)
    left = round(at[0] - anchor[0] * letters.get_width())
    top = round(at[1] - anchor[1] * letters.get_height())
    if halo is not None:
        edge = font(pixels).render(text, True, halo)
        width = max(1, pixels // 14)
        for k in range(8):
            dx, dy = math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)
            frame.blit(edge, (left + round(1.3 * width * dx), top + round(1.3 * width * dy)))
    frame.blit(letters, (left, top))


def fit(text: str, width: float, pixels: int) -> str:
    """The text, cut short with two dots where it is wider than `width` pixels."""
    letters = font(pixels)
    if letters.size(text)[0] <= width:
        return text
    while text and letters.size(f"{text.rstrip()}..")[0] > width:
        text = text[:-1]
    return f"{text.rstrip()}.." if text else ""


class Canvas:
    """A surface addressed in metres, y upwards.

    Args:
        size: (width, height) of the finished picture in pixels.
        centre: the point in metres at the picture's centre.
        span: metres that the shorter side shows.
    """

    def __init__(self, size: tuple[int, int], centre: Point, span: float) -> None:
        self.size = size
        self.oversample = 4 if size[1] < 160 else 3 if size[1] < 512 else 2
        self.surface = pygame.Surface((size[0] * self.oversample, size[1] * self.oversample), 0, 32)
        self.centre = centre
        self.scale = min(size) * self.oversample / span
        self.pixel = self.oversample / self.scale
        """Metres that one pixel of the finished picture covers."""

    def at(self, point: Point) -> Point:
        """A point in metres, in pixels of the large surface."""
        width, height = self.surface.get_size()
        return (
            width / 2 + (point[0] - self.centre[0]) * self.scale,
            height / 2 - (point[1] - self.centre[1]) * self.scale,
        )

    def finished(self, point: Point) -> Point:
        """A point in metres, in pixels of the finished picture."""
        x, y = self.at(point)
        return x / self.oversample, y / self.oversample

    def line(self, color: Color, start: Point, end: Point, width: float) -> None:
        """A line `width` metres wide, at least one finished pixel."""
        (ax, ay), (bx, by) = self.at(start), self.at(end)
        length = math.hypot(bx - ax, by - ay)
        if length < 1e-6:
            return
        half = max(self.oversample, width * self.scale) / 2 / length
        nx, ny = -(by - ay) * half, (bx - ax) * half
        corners = [(ax + nx, ay + ny), (bx + nx, by + ny), (bx - nx, by - ny), (ax - nx, ay - ny)]
        pygame.draw.polygon(self.surface, color, corners)

    def bar(
        self, color: Color, ends: Sequence[float], width: float, shift: Point = (0.0, 0.0)
    ) -> None:
        """A line with round ends, (x, y, x, y) in metres and moved by `shift`."""
        x1, y1, x2, y2 = ends
        start, end = (x1 + shift[0], y1 + shift[1]), (x2 + shift[0], y2 + shift[1])
        self.line(color, start, end, width)
        for at in (start, end):
            self.disc(color, at, width / 2)

    def disc(self, color: Color, at: Point, radius: float) -> None:
        """A filled circle, `radius` in metres."""
        pygame.draw.circle(self.surface, color, self.at(at), radius * self.scale)

    def ring(self, color: Color, at: Point, radius: float, width: float) -> None:
        """A circle's outline, `width` metres inwards from `radius`."""
        w = max(self.oversample, round(width * self.scale))
        pygame.draw.circle(self.surface, color, self.at(at), radius * self.scale, w)

    def dashes(self, color: Color, at: Point, radius: float, width: float, n: int = 0) -> None:
        """A ring of `n` dashes, at `radius` metres; 0 takes as many as look well."""
        n = n or max(6, round(1.4 * radius / width))
        for k in range(n):
            turns = [2 * math.pi * (k + part) / n for part in (0.0, 0.2, 0.4, 0.6)]
            ends = [(at[0] + radius * math.cos(t), at[1] + radius * math.sin(t)) for t in turns]
            for start, end in pairwise(ends):
                self.line(color, start, end, width)

    def polygon(self, color: Color, points: Iterable[Point]) -> None:
        """A filled polygon, its corners in metres."""
        pygame.draw.polygon(self.surface, color, [self.at(point) for point in points])

    def finish(self) -> pygame.Surface:
        """The picture at its finished size."""
        return pygame.transform.smoothscale(self.surface, self.size)
