"""What the five pooled stages hold: eight channels of each."""

from __future__ import annotations

from _one_pass import one_pass, panel, shape
from book.drawing import figure, style, svg

SHOWN = 8


def draw() -> str:
    found = one_pass()
    with style():
        drawn = figure(6.4, 4.6)
        rows = drawn.subplots(5, SHOWN)
        for stage, row in enumerate(rows, start=1):
            blob = found.blobs[f"pool{stage}"]
            strongest = (-blob[0].max(axis=(1, 2))).argsort()[:SHOWN]
            for channel, axes in zip(sorted(strongest), row, strict=True):
                panel(axes, blob[0, channel], f"{channel}", cmap="viridis", vmin=0)
            row[0].set_ylabel(f"pool{stage}\n{shape(blob)}", rotation=0, ha="right", va="center", fontsize=9)
        return svg(drawn)
