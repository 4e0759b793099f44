"""1, 2, 4 upsampled by 2: each pixel adds its own scaled kernel."""

import numpy as np
from book.drawing import COLORS, FAINT, INK, figure, style, svg

from fcnlite.exercise.solutions.bilinear import bilinear_kernel, upsample


def draw() -> str:
    x = np.array([1.0, 2, 4])
    line = bilinear_kernel(4)[0] / bilinear_kernel(4)[0].sum() * 2
    total = upsample(np.broadcast_to(x, (1, 3, 3)).copy(), 2)[0, 3] / 1.0
    with style():
        drawn = figure(6.2, 2.7)
        axes = drawn.subplots()
        below = np.zeros(8)
        for i, value in enumerate(x):
            part = np.zeros(8)
            part[2 * i : 2 * i + 4] = value * line
            axes.bar(
                np.arange(8), part, bottom=below, color=COLORS[i], alpha=0.75, width=0.8, label=f"{value:g} · kernel"
            )
            below += part
        for place, value in enumerate(below):
            axes.text(place, value + 0.08, f"{value:g}", ha="center", color=INK)
        axes.set(xlabel="pixel of the result", ylim=(0, 4.6), xticks=range(8))
        axes.grid(axis="y", alpha=0.3, color=FAINT)
        axes.legend(loc="upper left")
        assert np.allclose(below, total)
        return svg(drawn)
