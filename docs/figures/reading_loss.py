"""The loss of each pixel, gray for void, and the gradient of the scores of one class."""

from __future__ import annotations

import matplotlib
import numpy as np
from _one_pass import VOID, one_pass, panel, signed
from book.drawing import figure, style, svg

from fcnlite.layers.softmax import softmax

CLASS = 3


def draw() -> str:
    found = one_pass()
    label = found.sample.label
    p = softmax(found.blobs["score"], 1)[0]
    own = np.take_along_axis(p, np.where(label == 255, 0, label)[None].astype(int), 0)[0]
    loss = np.where(label == 255, np.nan, -np.log(own))
    shades = matplotlib.colormaps["magma_r"].with_extremes(bad=VOID)
    with style():
        drawn = figure(6.4, 2.5)
        axes = drawn.subplots(1, 3)
        bar = drawn.colorbar(panel(axes[0], p[CLASS], "p of triangle", cmap="viridis"), ax=axes[0], shrink=0.75)
        other = drawn.colorbar(panel(axes[1], loss, "−log p of the label", cmap=shades), ax=axes[1], shrink=0.75)
        gradient = found.grads["score"][0, CLASS]
        third = drawn.colorbar(signed(axes[2], gradient, "gradient of its score"), ax=axes[2], shrink=0.75)
        for each in (bar, other, third):
            each.ax.tick_params(labelsize=8)
            each.outline.set_visible(False)
        third.formatter.set_powerlimits((0, 0))
        return svg(drawn)
