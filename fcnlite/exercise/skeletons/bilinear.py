"""Exercise 4: the bilinear kernel."""

import numpy as np


def bilinear_kernel(kernel_size: int) -> np.ndarray:
    """The kernel_size × kernel_size weights of bilinear interpolation by the factor f = ⌈kernel_size / 2⌉.

    Along one axis, the weight at place i falls linearly with the distance from the middle: 1 − distance / f.
    """
    raise NotImplementedError("write bilinear_kernel")


def upsample(x: np.ndarray, factor: int) -> np.ndarray:
    """Each channel of x (C×H×W), upsampled by a deconvolution with the bilinear kernel.

    kernel_size = 2·factor − factor % 2, stride = factor, no pad: the result is C×H'×W' with
    H' = factor · (H − 1) + kernel_size. Each pixel adds the kernel, multiplied by its value, to the result,
    which has the dtype of x.
    """
    raise NotImplementedError("write upsample")
