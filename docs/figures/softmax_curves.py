"""Loss and gradient of one position with two classes, by the difference of the scores."""

from __future__ import annotations

import numpy as np
from _drawing import Axes, Drawing, color

from fcnlite import layers


def draw() -> str:
    difference = np.linspace(-6, 6, 121)
    x = np.zeros((1, 2, 1, 121))
    x[0, 0, 0] = difference
    loss = layers.apply("SoftmaxWithLoss", x, np.zeros((1, 1, 121)), normalization="NONE", tops=2)
    p = loss.tops[1][0, 0, 0]
    dx = loss.backward()[0][0, 0, 0]
    drawing = Drawing(400, 260)
    axes = Axes(drawing, (34, 12, 350, 200), (-6, 6), (-1.2, 6))
    axes.ticks((-6, -4, -2, 0, 2, 4, 6), (-1, 0, 1, 2, 3, 4, 5, 6))
    axes.curve(difference, p, color(3), dashed=True)
    axes.curve(difference, -np.log(p), color(1))
    axes.curve(difference, dx, color(2))
    for place, words, number in (
        ((-1.6, 4.35), "loss, −log p", 1),
        ((2.2, 1.15), "p of the label", 3),
        ((-5.7, -0.8), "gradient, p − 1", 2),
    ):
        x0, y0 = axes.at(*place)
        drawing.line([(x0, y0 - 4), (x0 + 18, y0 - 4)], color(number), 2.5)
        drawing.text(x0 + 23, y0, words, 12.5, "start")
    drawing.text(209, 250, "score of the label − score of the other class", 12.5)
    return drawing.svg()
