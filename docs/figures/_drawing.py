"""Draws SVG: grids of numbers, boxes, arrows, curves and small pictures, in the colours of the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from PIL import Image

COLORS = ("#0072b2", "#c64f00", "#00855f", "#b3548c", "#b07800", "#2f8fc4")
"""The colours 1 to 6 of the book's style sheet, for readers of the SVG alone."""
WIDTH = 366
"""What a page has room for in a window of 400 pixels."""
FAINT = "var(--figure-faint, #8a8f98)"
Mark = tuple[int, float]
"""The number of a colour, and the opacity of the fill."""


def color(number: int) -> str:
    """Colour 1 to 6."""
    return f"var(--figure-{number}, {COLORS[number - 1]})"


def number(value: float) -> str:
    """A number as short as possible."""
    return f"{value + 0.0:g}".replace("-", "−")


class Drawing:
    """Collects shapes; `svg` returns the document. Lengths are pixels; text is 13 pixels high unless said otherwise."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []
        self._markers: set[str] = set()

    def add(self, element: str) -> None:
        self._parts.append(element)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: Mark | None = None,
        stroke: str | None = "currentColor",
        line: float = 1,
        dashed: bool = False,
        radius: float = 0,
    ) -> None:
        paint = f'fill="{color(fill[0])}" fill-opacity="{fill[1]:g}"' if fill else 'fill="none"'
        edge = f'stroke="{stroke}" stroke-width="{line:g}"' if stroke else ""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.add(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" {paint} {edge}{dash}/>'
        )

    def text(
        self, x: float, y: float, words: str, size: float = 13, anchor: str = "middle", bold: bool = False
    ) -> None:
        """Words whose baseline is at y."""
        weight = ' font-weight="bold"' if bold else ""
        self.add(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}" fill="currentColor"{weight}>'
            f"{escape(words)}</text>"
        )

    def line(
        self,
        points: Sequence[tuple[float, float]],
        stroke: str = "currentColor",
        line: float = 1.3,
        arrow: bool = False,
        dashed: bool = False,
    ) -> None:
        """A line through points, with an arrow head at its end if `arrow`."""
        path = " ".join(f"{x:.5g},{y:.5g}" for x, y in points)
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.add(
            f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{line:g}" '
            f'stroke-linejoin="round"{dash}/>'
        )
        if arrow:
            (x0, y0), (x1, y1) = points[-2], points[-1]
            along = np.array([x1 - x0, y1 - y0]) / np.hypot(x1 - x0, y1 - y0)
            across = np.array([-along[1], along[0]])
            tip = np.array([x1, y1])
            corners = [tip, tip - 8 * along + 3.5 * across, tip - 8 * along - 3.5 * across]
            self.add(f'<polygon points="{" ".join(f"{x:.5g},{y:.5g}" for x, y in corners)}" fill="{stroke}"/>')

    def grid(
        self,
        x: float,
        y: float,
        values: Any,
        cell: float = 28,
        marks: Mapping[tuple[int, int], Mark] | None = None,
        show: Callable[[Any], str] = number,
        size: float = 13,
        faint: Callable[[int, int], bool] = lambda row, column: False,
    ) -> None:
        """A matrix as cells with numbers. `marks` fills cells; cells that are `faint` have dashed edges."""
        values = np.asarray(values)
        for row, column in np.ndindex(values.shape):
            left, top = x + column * cell, y + row * cell
            mark = (marks or {}).get((row, column))
            pale = faint(row, column)
            self.box(left, top, cell, cell, mark, FAINT if pale else "currentColor", 0.8, dashed=pale)
            self.text(left + cell / 2, top + cell / 2 + size * 0.36, show(values[row, column]), size)

    def picture(self, x: float, y: float, width: float, height: float, pixels: Any) -> None:
        """An H×W or H×W×3 array of uint8 as a picture, its pixels as squares."""
        file = io.BytesIO()
        Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG", optimize=True)
        data = base64.b64encode(file.getvalue()).decode("ascii")
        self.add(
            f'<image x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" preserveAspectRatio="none" '
            f'style="image-rendering: pixelated" href="data:image/png;base64,{data}"/>'
        )

    def svg(self) -> str:
        scale = min(1, WIDTH / self.width)
        width, height = self.width * scale, self.height * scale
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" font-family="sans-serif"><g transform="scale({scale:g})">{"".join(self._parts)}'
            "</g></svg>\n"
        )


class Axes:
    """A plot of curves inside a rectangle of a drawing."""

    def __init__(
        self,
        drawing: Drawing,
        place: tuple[float, float, float, float],
        xs: tuple[float, float],
        ys: tuple[float, float],
    ) -> None:
        self.drawing, self.place, self.xs, self.ys = drawing, place, xs, ys
        drawing.box(*place, stroke=FAINT)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point in the drawing."""
        left, top, width, height = self.place
        return (
            left + width * (x - self.xs[0]) / (self.xs[1] - self.xs[0]),
            top + height * (1 - (y - self.ys[0]) / (self.ys[1] - self.ys[0])),
        )

    def curve(self, x: Any, y: Any, stroke: str = "currentColor", dashed: bool = False) -> None:
        """Points inside the rectangle, joined."""
        inside = [(a, b) for a, b in zip(x, y, strict=True) if self.ys[0] <= b <= self.ys[1]]
        self.drawing.line([self.at(a, b) for a, b in inside], stroke, 2, dashed=dashed)

    def ticks(self, xs: Sequence[float] = (), ys: Sequence[float] = ()) -> None:
        left, top, width, height = self.place
        for value in xs:
            x, _ = self.at(value, self.ys[0])
            self.drawing.line([(x, top), (x, top + height)], FAINT, 0.4)
            self.drawing.text(x, top + height + 15, number(value), 12)
        for value in ys:
            _, y = self.at(self.xs[0], value)
            self.drawing.line([(left, y), (left + width, y)], FAINT, 0.4)
            self.drawing.text(left - 5, y + 4, number(value), 12, "end")
