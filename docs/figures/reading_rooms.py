"""The levels of the house, from the contract of imports in pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path

import tomllib
from book import drawing
from book.drawing import figure, style, svg
from matplotlib.patches import FancyBboxPatch

PAGES = ((1, 4, "rooms: the ground"), (5, 8, "rooms: nets"), (9, 12, "rooms: uses"))


def levels() -> list[list[str]]:
    """The packages of each level, lowest first."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    lines = tomllib.loads(text)["tool"]["importlinter"]["contracts"][0]["layers"]
    return [re.findall(r"\w+", line) for line in reversed(lines)]


def draw() -> str:
    found = levels()
    with style():
        drawn = figure(6.8, 5.4)
        axes = drawn.subplots()
        axes.axis("off")
        axes.set_xlim(-1.0, 12)
        axes.set_ylim(0.4, len(found) + 0.6)
        for level, names in enumerate(found, start=1):
            color = drawing.COLORS[next(i for i, (low, high, _) in enumerate(PAGES) if low <= level <= high)]
            axes.text(-0.3, level, str(level), ha="right", va="center", fontsize=9)
            width = 12 / len(names)
            for i, name in enumerate(names):
                box = FancyBboxPatch(
                    (i * width + 0.06, level - 0.36),
                    width - 0.12,
                    0.72,
                    boxstyle="round,pad=0,rounding_size=0.1",
                    fill=False,
                    edgecolor=color,
                )
                axes.add_patch(box)
                size = 9.5 if len(names) < 7 else 7.2
                axes.text((i + 0.5) * width, level, name, ha="center", va="center", fontsize=size)
        return svg(drawn)
