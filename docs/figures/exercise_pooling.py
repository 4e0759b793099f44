"""2×2 max pooling forward, with its mask, and backward."""

import numpy as np
from _cells import arrow, document, grid, words

from fcnlite.exercise.solutions.pooling import max_pool, max_pool_backward

X = np.array([[[1, 3, 2, 4], [5, 0, 1, 2], [7, 1, 3, 3], [2, 6, 3, 1]]])


def draw() -> str:
    y, mask = max_pool(X.astype(float), 2, 2)
    dy = np.array([[[10, 20], [30, 40]]])
    dx = max_pool_backward(dy, mask, X.shape)
    places = [divmod(int(place), 4) for place in mask.ravel()]
    winners = {place: i + 1 for i, place in enumerate(places)}
    corners = {(i // 2, i % 2): i + 1 for i in range(4)}
    return document(
        520, 410,
        [
            grid(X[0], 20, 40, "x", winners), arrow(170, 108, 240, 108), words(205, 94, "forward"),
            grid(y[0].astype(int), 260, 74, "y", corners), grid(mask[0], 390, 74, "mask", corners),
            grid(dy[0], 260, 284, "dy", corners), arrow(240, 318, 170, 318), words(205, 304, "backward"),
            grid(dx[0], 20, 250, "dx", winners),
        ],
    )  # fmt: skip
