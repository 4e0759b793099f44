"""Exercise 7: SGD with momentum."""

import numpy as np


def sgd_step(w: np.ndarray, g: np.ndarray, v: np.ndarray, rate: float, momentum: float, decay: float) -> None:
    """One step of Caffe's SGD, in place:

    v ← momentum · v + rate · (g + decay · w)
    w ← w − v

    w are weights, g is their gradient and v their velocity, all of one shape. The function changes w and v, leaves
    g as it is, and returns nothing.
    """
    raise NotImplementedError("write sgd_step")
