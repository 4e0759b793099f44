"""The loss of one pixel with two classes, and its slope, against the difference of the scores."""

import numpy as np
from book.drawing import FAINT, figure, style, svg

from fcnlite.exercise.solutions.softmax_loss import softmax_loss


def draw() -> str:
    differences = np.linspace(-5, 5, 101)
    found = [softmax_loss(np.array([[[[d]], [[0.0]]]]), np.zeros((1, 1, 1), int)) for d in differences]
    with style():
        drawn = figure(6.2, 2.6)
        axes = drawn.subplots()
        axes.plot(differences, [loss for loss, _ in found], label="loss = −log p")
        axes.plot(differences, [dx[0, 0, 0, 0] for _, dx in found], label="its gradient, p − 1")
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.set(xlabel="score of the right class less that of the other one")
        axes.legend()
        return svg(drawn)
