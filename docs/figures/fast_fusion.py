"""The bytes that the operations of FCN-8s read and write, each value once for each reader, after each pass."""

from __future__ import annotations

from _plans import fcn8s, rewritten
from book import drawing
from book.drawing import figure, style, svg


def draw() -> str:
    names, sizes = [], []
    for name, graph in rewritten(fcn8s()):
        moved = 4e-6 * sum(value.floats for each in graph.operations for value in (*each.inputs, *each.outputs))
        if not sizes or abs(moved - sizes[-1]) > 0.01:
            names.append(name or "(the layers)")
            sizes.append(moved)
    with style():
        drawn = figure(6.2, 2.6)
        axes = drawn.subplots()
        bars = axes.barh(range(len(names)), sizes, color=drawing.COLORS[0])
        axes.bar_label(bars, [f"{size:,.0f}" for size in sizes], padding=3, fontsize=9, color=drawing.INK)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.12 * max(sizes))
        axes.set_xlabel("MB read and written")
        return svg(drawn)
