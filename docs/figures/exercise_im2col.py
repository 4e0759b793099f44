"""A 3×4 picture and the matrix of its 2×2 patches."""

import numpy as np
from _cells import arrow, document, grid, words

from fcnlite.exercise.solutions.im2col import im2col


def draw() -> str:
    x = np.arange(1, 13).reshape(1, 3, 4)
    cols = im2col(x, 2, 1, 0)
    window = {(0, 1): 2, (0, 2): 2, (1, 1): 2, (1, 2): 2}
    column = {(i, 1): 2 for i in range(4)}
    names = ("kh, kw = 0, 0", "kh, kw = 0, 1", "kh, kw = 1, 0", "kh, kw = 1, 1")
    rows = [words(480, 40 + 34 * (i + 0.5), name, 12, "start") for i, name in enumerate(names)]
    return document(
        570, 190, [grid(x[0], 15, 57, "x", window), arrow(162, 108, 252, 108, 2), words(207, 96, "position 1"),
                   grid(cols, 265, 40, "im2col(x, 2, 1, 0)", column), *rows]
    )  # fmt: skip
