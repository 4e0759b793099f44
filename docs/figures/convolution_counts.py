"""The number of windows that read each pixel: backward of a window of ones, with a gradient of ones."""

from __future__ import annotations

import numpy as np
from _drawing import Drawing

from fcnlite import layers


def draw() -> str:
    x = np.zeros((1, 1, 5, 5))
    drawing = Drawing(400, 360)
    cases = (
        ({}, "stride 1, pad 0"),
        ({"pad": 1}, "stride 1, pad 1"),
        ({"stride": 2}, "stride 2, pad 0"),
        ({"dilation": 2}, "dilation 2, pad 0"),
    )
    for place, (options, title) in enumerate(cases):
        left, top = 20 + 195 * (place % 2), 8 + 180 * (place // 2)
        conv = layers.apply(
            "Convolution", x, params=[np.ones((1, 1, 3, 3)), [0]], num_output=1, kernel_size=3, **options
        )
        counts = conv.backward()[0][0, 0]
        marks = {index: (1, 0.07 * counts[index]) for index in np.ndindex(counts.shape) if counts[index]}
        drawing.text(left, top + 14, title, anchor="start", bold=True)
        drawing.grid(left, top + 24, counts, 28, marks)
    return drawing.svg()
