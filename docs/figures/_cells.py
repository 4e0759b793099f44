"""Grids of numbers, arrows and words as SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

import numpy as np

CELL = 34


def color(number: int) -> str:
    """One of the book's colours, 1 to 6."""
    return f"var(--figure-{number}, #0072b2)"


def words(x: float, y: float, text: str, size: int = 14, anchor: str = "middle", **options: str) -> str:
    """A line of text whose middle is at y."""
    more = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in options.items())
    place = f'x="{x:g}" y="{y + size * 0.35:g}" font-size="{size}" text-anchor="{anchor}"'
    return f'<text {place} fill="currentColor"{more}>{escape(text)}</text>'


def box(
    x: float, y: float, width: float, height: float, number: int = 0, opacity: float = 0.0, thick: float = 1
) -> str:
    """A rectangle; `number` is that of its colour, 0 for the page's."""
    paint = color(number) if number else "currentColor"
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{paint}" fill-opacity="{opacity:g}" '
        f'stroke="{paint}" stroke-width="{thick:g}"/>'
    )


def grid(
    values: Any,
    x: float,
    y: float,
    title: str = "",
    fills: Mapping[tuple[int, int], int] | None = None,
    cell: float = CELL,
    show: Callable[[Any], str] = str,
) -> str:
    """A matrix of numbers; `fills` are the colours of cells, by row and column."""
    parts = [words(x + np.shape(values)[1] * cell / 2, y - 14, title)] if title else []
    for (i, j), value in np.ndenumerate(np.asarray(values)):
        number = (fills or {}).get((i, j), 0)
        parts.append(box(x + j * cell, y + i * cell, cell, cell, number, 0.25 if number else 0, 0.8))
        parts.append(words(x + (j + 0.5) * cell, y + (i + 0.5) * cell, show(value)))
    return "".join(parts)


def arrow(x1: float, y1: float, x2: float, y2: float, number: int = 0, dashed: bool = False) -> str:
    """A line with a head at its end."""
    paint = color(number) if number else "currentColor"
    direction = np.array([x2 - x1, y2 - y1]) / max(1e-9, float(np.hypot(x2 - x1, y2 - y1)))
    side = np.array([-direction[1], direction[0]])
    end = np.array([x2, y2])
    corners = [end, end - 8 * direction + 4 * side, end - 8 * direction - 4 * side]
    head = " ".join(f"{px:.1f},{py:.1f}" for px, py in corners)
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    line = f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{paint}" stroke-width="1.4"{dash}/>'
    return f'{line}<polygon points="{head}" fill="{paint}"/>'


def document(width: float, height: float, parts: Iterable[str]) -> str:
    """The SVG document."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-family="sans-serif">'
        f"{''.join(parts)}</svg>"
    )
