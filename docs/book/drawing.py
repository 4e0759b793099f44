"""What the figures' scripts share: the book's colours, and SVG from Matplotlib that follows the page's colours.

def draw() -> str:
    with style():
        drawn = figure(6.2, 2.6)
        axes = drawn.subplots()
        axes.plot(...)
        return svg(drawn)
"""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib
from matplotlib.figure import Figure

INK = "#010203"
"""The colour of text and lines, which becomes the page's own."""
FAINT = "#808182"
"""Grid lines and notes."""
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours of series (Okabe and Ito's, which colour-blind readers can tell apart); lighter in dark mode."""


def figure(width: float = 6.4, height: float = 3.2, **options: Any) -> Figure:
    """An empty figure without a background; width and height in inches. A page is 7.6 inches wide, a phone 3.7."""
    return Figure(figsize=(width, height), layout="constrained", **options)


_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fcnlite",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "grid.color": FAINT,
    "axes.prop_cycle": matplotlib.cycler(color=COLORS),
}


def style() -> Any:
    """A context in which Matplotlib draws with the book's colours: `with style(): ...; return svg(figure)`."""
    return matplotlib.rc_context(_STYLE)


def svg(drawn: Figure) -> str:
    """The figure as an SVG document, in which the colours above are the page's."""
    stream = io.StringIO()
    with style():
        drawn.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    text = text.replace(INK, "currentColor").replace(FAINT, "var(--figure-faint, #888888)")
    for i, color in enumerate(COLORS, 1):
        text = text.replace(color, f"var(--figure-{i}, {color})")
    return text
