"""Products for each output, and rounding error in float32, of Winograd's tiles for 3×3 windows."""

from __future__ import annotations

from fractions import Fraction

from _winograd import error
from book import drawing
from book.drawing import figure, style, svg

POINTS = tuple(map(Fraction, ("0", "1", "-1", "2", "-2", "1/2", "-1/2", "3", "-3", "1/3", "-1/3")))
OURS = {6: ("0", "3/4", "-3/4", "3/2", "-3/2"), 8: ("0", "1/2", "-1/2", "1", "-1", "2", "-2")}


def draw() -> str:
    sizes = range(4, 13)
    usual = [error(POINTS[: n - 1], 3) for n in sizes]
    ours = {n: error(tuple(map(Fraction, points)), 3) for n, points in OURS.items()}
    products = [n * n / (n - 2) ** 2 for n in sizes]
    with style():
        drawn = figure(6.4, 3.2)
        left, right = drawn.subplots(1, 2)
        left.plot([n - 2 for n in sizes], products, marker=".", color=drawing.COLORS[0])
        left.axhline(9, color=drawing.FAINT, linestyle="--", linewidth=0.8)
        left.text(10, 8.6, "direct: 9", ha="right", va="top", fontsize=9)
        left.set_ylim(0, 9.6)
        left.set_ylabel("products for each output")
        right.plot([n - 2 for n in sizes], usual, marker=".", color=drawing.COLORS[0], label="0, ±1, ±2, ±1/2, ±3 …")
        right.plot([n - 2 for n in ours], ours.values(), "o", color=drawing.COLORS[1], label="fcnlite's points")
        right.set_yscale("log")
        right.set_ylabel("largest error / largest output")
        right.legend(fontsize=9, loc="upper left")
        for axes in (left, right):
            axes.set_xticks([2, 4, 6, 8, 10])
            axes.set_xlabel("m, the side of a tile")
        return svg(drawn)
