"""Where the gradient is on its way back: its size at each pixel, over all channels."""

from __future__ import annotations

import numpy as np
from _one_pass import one_pass, panel
from book.drawing import figure, style, svg

BLOBS = ("score", "fuse_pool3", "fuse_pool4", "score_fr", "pool5", "pool4", "pool3", "pool2", "pool1", "data")


def draw() -> str:
    found = one_pass()
    with style():
        drawn = figure(6.4, 3.1)
        for axes, name in zip(drawn.subplots(2, 5).ravel(), BLOBS, strict=True):
            size = np.sqrt(np.square(found.grads[name][0]).sum(axis=0))
            panel(axes, size, f"{name}\nup to {size.max():.0e}", cmap="magma_r")
        return svg(drawn)
