"""im2col in numbers: a 3×3 picture, a 2×2 window."""

from __future__ import annotations

import numpy as np
from _drawing import Drawing
from fcnlite.shapes import Window

from fcnlite.layers.columns import Geometry, columns


def draw() -> str:
    x = np.arange(1.0, 10).reshape(1, 3, 3)
    w = np.array([[1.0, 0, 0, -1]])
    (cols,) = columns(x, Geometry(Window(2), Window(2)), (0, 4))
    y = w @ cols
    drawing = Drawing(400, 330)
    drawing.text(20, 16, "x, 3×3", anchor="start", bold=True)
    drawing.grid(20, 26, x[0], 30, {(row, column): (2, 0.35) for row in (0, 1) for column in (1, 2)})
    drawing.text(140, 62, "the window at", 13, "start")
    drawing.text(140, 80, "output (0, 1)", 13, "start")
    drawing.line([(136, 70), (114, 60)], line=1.2, arrow=True)
    drawing.line([(225, 66), (266, 66), (266, 146)], line=1.2, arrow=True)
    drawing.text(212, 140, "cols(X), 4×4", anchor="end", bold=True)
    drawing.grid(220, 150, cols, 30, {(row, 1): (2, 0.35) for row in range(4)})
    for row, name in enumerate(("k=0, l=0", "k=0, l=1", "k=1, l=0", "k=1, l=1")):
        drawing.text(348, 170 + 30 * row, name, 12, "start")
    drawing.text(20, 168, "W, 1×4", anchor="start", bold=True)
    drawing.grid(20, 178, w, 30, {(0, tap): (1, 0.3) for tap in range(4)})
    drawing.text(152, 199, "times", 12, "start")
    drawing.text(212, 306, "Y = W · cols(X)", anchor="end", bold=True)
    drawing.grid(220, 286, y, 30, {(0, 1): (2, 0.35)})
    return drawing.svg()
