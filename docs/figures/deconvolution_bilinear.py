"""The bilinear filter for factor 2, and what it makes of a row of values."""

from __future__ import annotations

import numpy as np
from _drawing import FAINT, Axes, Drawing, color
from fcnlite.fillers import bilinear_kernel

from fcnlite import layers


def draw() -> str:
    drawing = Drawing(400, 430)
    kernel = bilinear_kernel(4)
    drawing.text(10, 18, "the 4×4 filter, times 16", anchor="start", bold=True)
    marks = {index: (1, 0.6 * kernel[index] / kernel.max()) for index in np.ndindex(4, 4)}
    drawing.grid(10, 28, kernel * 16, 30, marks)
    drawing.text(200, 60, "= outer product of", 13, "start")
    drawing.grid(200, 74, [np.array([1, 3, 3, 1])], 30, {(0, i): (1, 0.2 * v) for i, v in enumerate((1, 3, 3, 1))})
    drawing.text(200, 124, "with itself", 13, "start")

    factor, x = 4, np.array([1.0, 1.0, 3.0, 2.0, 4.0, 4.0])
    kernel = bilinear_kernel(2 * factor)[factor] / bilinear_kernel(2 * factor)[factor].max()
    kernel = kernel * (1 - 0.5 / factor)
    options = {"kernel_h": 1, "kernel_w": 2 * factor, "stride_h": 1, "stride_w": factor, "bias_term": False}
    y = layers.apply(
        "Deconvolution", x.reshape(1, 1, 1, -1), params=[kernel.reshape(1, 1, 1, -1)], num_output=1, **options
    )
    places = (np.arange(y.top.size) - (2 * factor - 1) / 2) / factor
    drawing.text(10, 196, "factor 4: inputs (orange) and outputs (blue)", anchor="start", bold=True)
    axes = Axes(drawing, (32, 208, 355, 180), (-1.1, 6.1), (0, 5))
    axes.ticks(range(6), range(5))
    for place, value in zip(places, y.top.ravel(), strict=True):
        (px, py), (_, zero) = axes.at(place, value), axes.at(place, 0)
        drawing.line([(px, zero), (px, py)], color(1), 1)
        drawing.add(f'<circle cx="{px:.4g}" cy="{py:.4g}" r="3" fill="{color(1)}"/>')
    for place, value in enumerate(x):
        px, py = axes.at(place, value)
        drawing.add(f'<circle cx="{px:.4g}" cy="{py:.4g}" r="6" fill="none" stroke="{color(2)}" stroke-width="2"/>')
    drawing.text(32 + 178, 422, "place, in pixels of the input", 12)
    drawing.line([axes.at(-0.5, 0.02), axes.at(-0.5, 4.9)], FAINT, 1, dashed=True)
    drawing.line([axes.at(5.5, 0.02), axes.at(5.5, 4.9)], FAINT, 1, dashed=True)
    return drawing.svg()
