"""What one output reads, for three windows: the arrays are the layer's."""

from __future__ import annotations

import numpy as np
from _drawing import FAINT, Drawing

from fcnlite import layers

CELL = 26
CASES = (
    ("stride 1, pad 0", {}, (1, 1)),
    ("stride 2, pad 1", {"stride": 2, "pad": 1}, (0, 1)),
    ("stride 1, pad 0, dilation 2", {"dilation": 2}, (0, 0)),
)


def draw() -> str:
    x = np.arange(1, 26).reshape(1, 1, 5, 5)
    drawing = Drawing(390, 660)
    top = 6
    for title, options, (i, j) in CASES:
        stride, pad, dilation = (
            options.get(key, default) for key, default in (("stride", 1), ("pad", 0), ("dilation", 1))
        )
        y = layers.apply("Convolution", x, params=[np.ones((1, 1, 3, 3)), [0]], num_output=1, kernel_size=3, **options)
        padded = np.pad(x[0, 0], pad)
        side = len(padded)
        drawing.text(10, top + 14, title, bold=True, anchor="start")
        taps = {(stride * i + dilation * k, stride * j + dilation * m): (1, 0.3) for k in range(3) for m in range(3)}
        outer = range(pad, side - pad)
        drawing.grid(
            10,
            top + 26,
            padded,
            CELL,
            taps,
            faint=lambda row, column, outer=outer: row not in outer or column not in outer,
        )
        made = y.top[0, 0]
        left = 10 + side * CELL + 62
        middle = top + 26 + side * CELL / 2
        drawing.line([(left - 50, middle), (left - 12, middle)], FAINT, 1.5, arrow=True)
        drawing.text(left - 32, middle - 8, "sum", 12)
        drawing.grid(left, middle - len(made) * CELL / 2 - 4, made, CELL + 8, {(i, j): (2, 0.35)})
        top += 26 + side * CELL + 26
    drawing.height = top
    return drawing.svg()
