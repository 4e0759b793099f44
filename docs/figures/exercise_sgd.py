"""Twenty steps down a narrow valley, without momentum and with it."""

import numpy as np
from book.drawing import COLORS, FAINT, INK, figure, style, svg

from fcnlite.exercise.solutions.sgd import sgd_step

STEEP = np.array([1.0, 20.0])


def walk(momentum: float) -> np.ndarray:
    w, v = np.array([-4.0, 1.0]), np.zeros(2)
    path = [w.copy()]
    for _ in range(20):
        sgd_step(w, STEEP * w, v, 0.04, momentum, 0.0)
        path.append(w.copy())
    return np.array(path)


def draw() -> str:
    with style():
        drawn = figure(6.2, 2.6)
        axes = drawn.subplots()
        x, y = np.meshgrid(np.linspace(-4.6, 2.6, 120), np.linspace(-1.6, 1.6, 80))
        axes.contour(
            x,
            y,
            (STEEP[0] * x**2 + STEEP[1] * y**2) / 2,
            levels=[0.3, 1, 3, 6, 10, 16, 24],
            colors=FAINT,
            linewidths=0.7,
        )
        for momentum, color in ((0.0, COLORS[0]), (0.8, COLORS[1])):
            path = walk(momentum)
            axes.plot(*path.T, "o-", color=color, markersize=3, linewidth=1.2, label=f"momentum {momentum:g}")
        axes.plot(0, 0, "+", color=INK, markersize=10)
        axes.set(xlabel="w[0]", ylabel="w[1]")
        axes.legend(loc="upper right")
        return svg(drawn)
