"""Multiply-adds for each load, by the rows of the block that a micro-kernel holds in registers."""

from __future__ import annotations

from book import drawing
from book.drawing import figure, style, svg

KERNELS = ((14, "AVX-512: 32 registers", "left"), (6, "AVX2: 16 registers", "left"))


def draw() -> str:
    rows = range(1, 21)
    with style():
        drawn = figure(6.2, 2.9)
        axes = drawn.subplots()
        axes.plot(rows, [2 * row / (2 + row) for row in rows], color=drawing.COLORS[0], marker=".")
        for count, label, side in KERNELS:
            rate = 2 * count / (2 + count)
            axes.plot([count], [rate], "o", color=drawing.COLORS[1], markersize=8)
            axes.annotate(
                f"{label}\n{count} rows, {2 * count} sums + 3",
                (count, rate),
                (8, -28),
                textcoords="offset points",
                fontsize=9,
                ha=side,
            )
        axes.axhline(2, color=drawing.FAINT, linewidth=0.8, linestyle="--")
        axes.set_ylim(0, 2.1)
        axes.set_xlim(0, 20.5)
        axes.set_xticks([1, 6, 14, 20])
        axes.set_xlabel("rows of the block, two vectors wide")
        axes.set_ylabel("multiply-adds for each load")
        return svg(drawn)
