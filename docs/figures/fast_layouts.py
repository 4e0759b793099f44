"""The order in memory of 2×3 pixels of four channels: NCHW, and blocked by two channels."""

from __future__ import annotations

from book import drawing
from book.drawing import figure, style, svg
from matplotlib.patches import Rectangle

CHANNELS, PIXELS, BLOCK = 4, 6, 2


def draw() -> str:
    nchw = [(channel, pixel) for channel in range(CHANNELS) for pixel in range(PIXELS)]
    blocked = [
        (block * BLOCK + lane, pixel)
        for block in range(CHANNELS // BLOCK)
        for pixel in range(PIXELS)
        for lane in range(BLOCK)
    ]
    with style():
        drawn = figure(6.8, 1.9)
        axes = drawn.subplots()
        axes.axis("off")
        axes.set_xlim(0, CHANNELS * PIXELS)
        axes.set_ylim(0, 4.2)
        for bottom, title, order in ((2.4, "N×C×H×W", nchw), (0.2, "blocked: N×C/2×H×W×2", blocked)):
            axes.text(0, bottom + 1.25, title, fontsize=9.5, va="bottom")
            for place, (channel, pixel) in enumerate(order):
                color = drawing.COLORS[channel]
                axes.add_patch(
                    Rectangle((place + 0.05, bottom), 0.9, 1, facecolor="none", edgecolor=color, linewidth=2)
                )
                axes.text(place + 0.5, bottom + 0.5, f"{'abcd'[channel]}{pixel}", fontsize=8, ha="center", va="center")
        return svg(drawn)
