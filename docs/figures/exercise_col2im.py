"""How many 2×2 windows read each pixel of a 3×3 picture: col2im of ones."""

import numpy as np
from _cells import arrow, document, grid, words

from fcnlite.exercise.solutions.col2im import col2im


def draw() -> str:
    counts = col2im(np.ones((4, 4), int), (1, 3, 3), 2, 1, 0)[0]
    windows = [
        grid(np.ones((2, 2), int), 20 + 90 * (i % 2), 40 + 100 * (i // 2), f"column {i}", {(1 - i // 2, 1 - i % 2): 5})
        for i in range(4)
    ]
    return document(
        460, 230, [*windows, arrow(210, 125, 300, 125), words(255, 112, "add"),
                   grid(counts, 320, 74, "col2im", {(1, 1): 5})]
    )  # fmt: skip
