"""Exercise 6: softmax loss over maps."""

import numpy as np


def softmax_loss(x: np.ndarray, label: np.ndarray) -> tuple[float, np.ndarray]:
    counts = label != 255
    count = max(1, np.count_nonzero(counts))
    classes = np.where(counts, label, 0)[:, None]
    shifted = x - x.max(axis=1, keepdims=True)
    logarithm = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    of_label = np.take_along_axis(logarithm, classes, axis=1)[:, 0]
    loss = -np.where(counts, of_label, 0).sum() / count
    dx = np.exp(logarithm)
    np.put_along_axis(dx, classes, np.take_along_axis(dx, classes, axis=1) - 1, axis=1)
    dx *= counts[:, None]
    dx /= count
    return float(loss), dx
