"""The activations and their slopes, computed by the layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from _drawing import Axes, Drawing, color

from fcnlite import layers

CASES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("ReLU", "ReLU", {}),
    ("ReLU, negative_slope 0.1", "ReLU", {"negative_slope": 0.1}),
    ("PReLU, slope 0.25", "PReLU", {}),
    ("ELU", "ELU", {}),
    ("Sigmoid", "Sigmoid", {}),
    ("TanH", "TanH", {}),
)


def draw() -> str:
    drawing = Drawing(400, 560)
    x = np.linspace(-4, 4, 162).reshape(1, 1, 1, -1)
    for place, (title, kind, options) in enumerate(CASES):
        left, top = 24 + 200 * (place % 2), 10 + 178 * (place // 2)
        drawing.text(left, top + 8, title, 12.5, "start", bold=True)
        axes = Axes(drawing, (left, top + 16, 168, 126), (-4, 4), (-2, 4))
        axes.ticks((-4, -2, 0, 2, 4), (-2, 0, 2, 4))
        layer = layers.apply(kind, x, **options)
        (slope,) = layer.backward()
        axes.curve(x.ravel(), layer.top.ravel(), color(1))
        axes.curve(x.ravel(), slope.ravel(), color(2), dashed=True)
    drawing.line([(60, 550), (90, 550)], color(1), 2)
    drawing.text(96, 554, "y", 12.5, "start")
    drawing.line([(200, 550), (230, 550)], color(2), 2, dashed=True)
    drawing.text(236, 554, "slope, dy/dx", 12.5, "start")
    return drawing.svg()
