"""Exercise 7: SGD with momentum."""

import numpy as np


def sgd_step(w: np.ndarray, g: np.ndarray, v: np.ndarray, rate: float, momentum: float, decay: float) -> None:
    v *= momentum
    v += rate * (g + decay * w)
    w -= v
