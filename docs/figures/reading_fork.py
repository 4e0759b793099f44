"""The gradient of pool3 is the sum of two: from conv4_1, and from the skip."""

from __future__ import annotations

import numpy as np
from _one_pass import one_pass, panel
from book.drawing import figure, style, svg


def draw() -> str:
    found = one_pass()
    net = found.net
    parts = []
    for blob in ("pool4", "score_pool3"):
        net.backward({blob: found.grads[blob]}, wrt=["pool3"])
        parts.append(net.grads["pool3"][0])
    channel = int(np.minimum(*(abs(part).max(axis=(1, 2)) for part in parts)).argmax())
    maps = [*parts, found.grads["pool3"][0]]
    most = max(float(abs(each[channel]).max()) for each in maps)
    with style():
        drawn = figure(6.2, 2.3)
        titles = ("through conv4_1", "+ through conv3_skip", "= gradient of pool3")
        for axes, each, title in zip(drawn.subplots(1, 3), maps, titles, strict=True):
            panel(axes, each[channel], title, cmap="RdBu_r", vmin=-most, vmax=most)
        return svg(drawn)
