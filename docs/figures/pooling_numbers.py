"""Max pooling in numbers, with its winners, and where the gradients go."""

from __future__ import annotations

import numpy as np
from _drawing import FAINT, Drawing

from fcnlite import layers

X = ((3, 1, 0, 2, 5), (4, 4, 1, 0, 1), (0, 2, 6, 1, 3), (1, 0, 2, 2, 7), (5, 1, 1, 0, 2))
CELL = 30


def draw() -> str:
    x = np.reshape(X, (1, 1, 5, 5))
    pool = layers.apply("Pooling", x, kernel_size=2, stride=2, tops=2)
    y, mask = pool.tops[0][0, 0], pool.tops[1][0, 0].astype(int)
    dy = np.arange(1.0, 10).reshape(3, 3)
    dx = pool.backward(dy[None, None], np.zeros((1, 1, 3, 3)))[0][0, 0]
    winners = {divmod(place, 5): (1 + (row + column) % 3, 0.35) for (row, column), place in np.ndenumerate(mask)}
    tops = {(row, column): (1 + (row + column) % 3, 0.35) for row, column in np.ndindex(3, 3)}
    drawing = Drawing(390, 436)
    for top, title, small, left, right in (
        (6, "Forward: the largest value of each window", "y", X, y),
        (226, "Backward: its gradient goes to the place it came from", "dy", dx, dy),
    ):
        drawing.text(10, top + 14, title, anchor="start", bold=True)
        drawing.grid(10, top + 24, left, CELL, winners)
        for row, column in np.ndindex(3, 3):
            drawing.box(10 + 60 * column, top + 24 + 60 * row, 60, 60, line=2, dashed=max(row, column) == 2)
        ends = ((202, top + 99), (248, top + 99))
        forward = small == "y"
        drawing.line(ends if forward else ends[::-1], FAINT, 1.5, arrow=True)
        drawing.grid(260, top + 54, right, CELL, tops)
        drawing.text(260, top + 48, small, anchor="start")
    return drawing.svg()
