"""The arena of FCN-8s's plan: each value and each scratch buffer, from the step that writes it to its last reader."""

from __future__ import annotations

from _plans import plan
from book import drawing
from book.drawing import figure, style, svg
from matplotlib.patches import Rectangle


def draw() -> str:
    found = plan()
    values = [(value.name, buffer) for value, buffer in found._buffers.items()]
    scratches = [(None, step.scratch) for step in found.steps if step.scratch.floats]
    with style():
        drawn = figure(6.6, 3.6)
        axes = drawn.subplots()
        for name, buffer in (*values, *scratches):
            height, bottom = 4e-6 * buffer.floats, 4e-6 * buffer.offset
            color = drawing.COLORS[1] if name is None else drawing.COLORS[0]
            width = buffer.last - buffer.first + 1
            axes.add_patch(
                Rectangle(
                    (buffer.first, bottom),
                    width,
                    height,
                    facecolor=color,
                    edgecolor=drawing.INK,
                    alpha=0.55,
                    linewidth=0.8,
                )
            )
            if name and height > 1.4:
                axes.text(buffer.first + 0.15, bottom + height / 2, name, fontsize=8, va="center", ha="left")
        axes.add_patch(Rectangle((0, 0), 0, 0, facecolor=drawing.COLORS[0], alpha=0.55, label="values"))
        axes.add_patch(Rectangle((0, 0), 0, 0, facecolor=drawing.COLORS[1], alpha=0.55, label="scratch of one step"))
        axes.set_xlim(0, len(found.steps))
        axes.set_ylim(0, 4e-6 * found.arena_floats * 1.02)
        axes.set_xlabel("step of the plan")
        axes.set_ylabel("MB from the beginning of the arena")
        axes.legend(fontsize=9, loc="upper right")
        return svg(drawn)
