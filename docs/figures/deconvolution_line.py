"""A deconvolution along one axis: every input adds the filter, times its value, to the top."""

from __future__ import annotations

import numpy as np
from _drawing import Drawing

from fcnlite import layers

X = (1.0, 2.0, 4.0)
W = (0.25, 0.75, 0.75, 0.25)
CELL = 42


def deconvolve(values: object) -> np.ndarray:
    x, w = np.reshape(values, (1, 1, 1, -1)), np.reshape(W, (1, 1, 1, -1))
    options = {"kernel_h": 1, "kernel_w": 4, "stride_h": 1, "stride_w": 2, "bias_term": False}
    return layers.apply("Deconvolution", x, params=[w], num_output=1, **options).top.ravel()


def draw() -> str:
    drawing = Drawing(400, 262)
    left = 54
    drawing.text(left - 8, 30, "x", anchor="end", bold=True)
    for i, value in enumerate(X):
        column = left + CELL * (2 * i + 1)
        drawing.grid(column, 10, [[value]], CELL, {(0, 0): (1 + i, 0.35)})
        only = np.where(np.arange(3) == i, X, 0)
        added = deconvolve(only)[2 * i : 2 * i + 4]
        top = 70 + 42 * i
        drawing.text(left - 8, top + 21, f"{value:g} · w", 12, "end")
        drawing.grid(left + CELL * 2 * i, top, [added], CELL, {(0, k): (1 + i, 0.35) for k in range(4)})
    drawing.text(left - 8, 226, "sum, y", anchor="end", bold=True)
    drawing.grid(left, 206, [deconvolve(X)], CELL)
    return drawing.svg()
