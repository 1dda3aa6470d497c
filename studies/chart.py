"""Curves as inline SVG: small, sharp, and coloured by the page, so that they follow its theme."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
PAD_LEFT, PAD_RIGHT, PAD_TOP, PAD_BOTTOM = 46, 14, 12, 38
LETTER, LINE = 7, 16
"""Width of a letter and height of a line of the labels, at most."""


@dataclass(frozen=True)
class Curve:
    """One arm in a chart.

    Attributes:
        label: the arm's. colour: its number in the page's palette, 0 to 7.
        x, y: (K,) the line. low, high: (K,) the interval, NaN where there is none.
        runs: the lines (x, y) of single runs behind it.
        mark: (x, text) of a point to point out on the line.
    """

    label: str
    colour: int
    x: Floats
    y: Floats
    low: Floats
    high: Floats
    runs: Sequence[tuple[Floats, Floats]] = ()
    mark: tuple[float, str] | None = None


@dataclass(frozen=True)
class Chart:
    """A chart of curves over steps.

    Attributes:
        title: what the y axis shows. curves: the arms.
        lines: (y, text) of horizontal lines to compare with, named beside the plot, off its curves.
        low, high: of the y axis; None takes what the curves need.
        x_title: below the x axis. x_max: its end; 0 takes the longest curve's.
        width, height: of the drawing, in units that the page scales.
    """

    title: str
    curves: Sequence[Curve]
    lines: Sequence[tuple[float, str]] = ()
    low: float | None = None
    high: float | None = None
    width: int = 760
    height: int = 360
    x_title: str = "environment steps"
    x_max: float = 0.0

    @property
    def right(self) -> float:
        """Where the plot ends."""
        names = [LETTER * len(text) for _, text in self.lines]
        return self.width - PAD_RIGHT - max(names, default=0)

    def svg(self) -> str:
        """The chart as an SVG element."""
        x1 = self.x_max or max((float(c.x[-1]) for c in self.curves if len(c.x)), default=1.0)
        y0, y1 = self._y_range()
        levels = ticks(y0, y1, 6 if self.height > 300 else 4)
        if y0 < 0 and len(levels) > 1 and levels[0] > y0:  # the bottom edge would be taken for zero
            y0 = levels[0] - (levels[1] - levels[0])
            levels.insert(0, round(y0, 12))
        inner_w = self.right - PAD_LEFT
        inner_h = self.height - PAD_TOP - PAD_BOTTOM

        def px(x: float) -> float:
            return PAD_LEFT + inner_w * x / x1

        def py(y: float) -> float:
            return PAD_TOP + inner_h * (1 - (min(max(y, y0), y1) - y0) / (y1 - y0))

        def path(x: Floats, y: Floats) -> str:
            keep = np.isfinite(y)
            points = zip(x[keep], y[keep], strict=True)
            return " ".join(f"{px(a):.1f},{py(b):.1f}" for a, b in points)

        bottom, right = PAD_TOP + inner_h, self.right
        out = [
            f'<svg class="chart" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(self.title)} over {self.x_title}">'
        ]
        out += [
            f'<line class="grid" x1="{PAD_LEFT}" x2="{right}" y1="{py(tick):.1f}" '
            f'y2="{py(tick):.1f}"/><text class="tick" text-anchor="end" '
            f'x="{PAD_LEFT - 7}" y="{py(tick) + 4:.1f}">{tick:g}</text>'
            for tick in levels
        ]
        out += [
            f'<text class="tick" text-anchor="middle" x="{px(tick):.1f}" '
            f'y="{bottom + 17}">{thousands(tick)}</text>'
            for tick in ticks(0, x1, 6 if self.width > 500 else 3)
        ]
        out.append(
            f'<text class="axis" text-anchor="middle" x="{PAD_LEFT + inner_w / 2:.0f}" '
            f'y="{self.height - 4}">{self.x_title}</text>'
        )
        lines = sorted(self.lines, reverse=True)
        names = spread([py(value) + 4 for value, _ in lines])
        for (value, text), y in zip(lines, names, strict=True):
            out.append(
                f'<line class="level" x1="{PAD_LEFT}" x2="{right}" y1="{py(value):.1f}" '
                f'y2="{py(value):.1f}"/><text class="note" x="{right + 7}" '
                f'y="{y:.1f}">{escape(text)}</text>'
            )
        for curve in self.curves:
            band = np.isfinite(curve.low) & np.isfinite(curve.high)
            if band.sum() > 1:
                there = path(curve.x[band], curve.high[band])
                back = path(curve.x[band][::-1], curve.low[band][::-1])
                out.append(f'<polygon class="band c{curve.colour}" points="{there} {back}"/>')
            for xs, ys in curve.runs:
                out.append(f'<polyline class="run c{curve.colour}" points="{path(xs, ys)}"/>')
        out += [
            f'<polyline class="line c{c.colour}" points="{path(c.x, c.y)}"/>' for c in self.curves
        ]
        single = [(c, np.flatnonzero(np.isfinite(c.y))) for c in self.curves]
        out += [
            f'<circle class="dot c{c.colour}" cx="{px(float(c.x[at[0]])):.1f}" '
            f'cy="{py(float(c.y[at[0]])):.1f}" r="3"/>'
            for c, at in single
            if len(at) == 1  # of which a line shows nothing
        ]
        marks = [
            (py(float(np.interp(c.mark[0], c.x, c.y))), px(c.mark[0]), c.mark[1], c.colour)
            for c in self.curves
            if c.mark is not None
        ]
        marks.sort()
        for (y, x, text, colour), below in zip(
            marks, spread([m[0] + 20 for m in marks]), strict=True
        ):
            side, dx = ("start", 9) if x < right * 0.7 else ("end", -9)
            out.append(
                f'<line class="drop c{colour}" x1="{x:.1f}" x2="{x:.1f}" '
                f'y1="{y:.1f}" y2="{bottom}"/>'
                f'<circle class="dot c{colour}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
                f'<text class="mark c{colour}" text-anchor="{side}" '
                f'x="{x + dx:.1f}" y="{below:.1f}">{escape(text)}</text>'
            )
        out.append(f'<line class="cursor" y1="{PAD_TOP}" y2="{bottom}" x1="0" x2="0"/>')
        return "".join(out) + "</svg>" + self._data(x1)

    def _y_range(self) -> tuple[float, float]:
        values = [c.y[np.isfinite(c.y)] for c in self.curves]
        values += [y[np.isfinite(y)] for c in self.curves for y in (c.low, c.high)]
        values += [y[np.isfinite(y)] for c in self.curves for _, y in c.runs]
        pool = np.concatenate([*values, np.array([v for v, _ in self.lines])])
        low = float(pool.min()) if self.low is None and pool.size else (self.low or 0.0)
        high = float(pool.max()) if self.high is None and pool.size else (self.high or 1.0)
        low = min(low, float(pool.min())) if pool.size else low
        high = max(high, float(pool.max())) if pool.size else high
        return (low, high) if high - low > 1e-9 else (low - 0.5, high + 0.5)

    def _data(self, x1: float) -> str:
        """The numbers for the page's cursor."""
        data = {
            "x1": x1,
            "left": PAD_LEFT,
            "right": self.right,
            "width": self.width,
            "curves": [
                {
                    "label": c.label,
                    "colour": c.colour,
                    "points": [
                        [float(x), round(float(y), 4)]
                        for x, y in zip(c.x, c.y, strict=True)
                        if math.isfinite(y)
                    ],
                }
                for c in self.curves
            ],
        }
        text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
        return f'<script type="application/json">{text}</script>'


def spread(at: Sequence[float], gap: float = LINE) -> list[float]:
    """Ascending positions, each moved on by no more than it takes to be ``gap`` apart."""
    found: list[float] = []
    for y in at:
        found.append(max(y, found[-1] + gap) if found else y)
    return found


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers between ``low`` and ``high``, close to ``about`` of them."""
    rough = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def thousands(x: float) -> str:
    """``150k``, ``1.5M``."""
    if x >= 1e6:
        return f"{x / 1e6:g}M"
    return f"{x / 1e3:g}k" if x >= 1e3 else f"{x:g}"
