"""Running mean of BatchNorm over its first iterations: with Caffe's weight blob, and without."""

from __future__ import annotations

import numpy as np
from _drawing import Axes, Drawing, color

from fcnlite import layers


def draw() -> str:
    rng = np.random.default_rng(0)
    params = [np.zeros(1), np.zeros(1), np.zeros(1)]
    corrected, naive, batches = [], [], []
    plain = 0.0
    for _ in range(30):
        x = rng.normal(5, 2, (2, 1, 4, 4))
        norm = layers.apply("BatchNorm", x, params=params, moving_average_fraction=0.9)
        params = norm.params
        corrected.append(float(params[0][0] / params[2][0]))
        plain = 0.9 * plain + 0.1 * x.mean()
        naive.append(plain)
        batches.append(float(x.mean()))
    steps = np.arange(1, 31)
    drawing = Drawing(400, 250)
    axes = Axes(drawing, (34, 10, 352, 190), (0, 31), (0, 6.2))
    axes.ticks((1, 10, 20, 30), range(7))
    for x, y in zip(steps, batches, strict=True):
        px, py = axes.at(x, y)
        drawing.add(f'<circle cx="{px:.4g}" cy="{py:.4g}" r="2.5" fill="{color(6)}"/>')
    axes.curve(steps, corrected, color(1))
    axes.curve(steps, naive, color(2), dashed=True)
    for place, (words, number) in enumerate(
        (("mean of the batch", 6), ("mean_sum / weight", 1), ("0.9 · old + 0.1 · new", 2))
    ):
        x0, y0 = 200, 130 + 20 * place
        drawing.line([(x0, y0 - 4), (x0 + 20, y0 - 4)], color(number), 2.5, dashed=number == 2)
        drawing.text(x0 + 27, y0, words, 12.5, "start")
    drawing.text(210, 240, "iteration", 12.5)
    return drawing.svg()
