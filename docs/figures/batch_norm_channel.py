"""Values of two channels of a trained net: before BatchNorm, after it, and after Scale."""

from __future__ import annotations

import numpy as np
from _drawing import Axes, Drawing, color
from _scene import scene

from fcnlite import layers


def draw() -> str:
    net, _, _ = scene()
    steps = {}
    x = net.blobs["pool2"]
    for name in ("conv3_1", "bn3_1", "scale3_1"):
        spec = net.layer(name).spec
        params = [each.data for each in net.params[name]]
        x = layers.apply(spec.type, x, params=params, phase="TEST", **spec.options).top
        steps[name] = x[0].reshape(x.shape[1], -1)
    drawing = Drawing(400, 420)
    channels = (0, 17)
    titles = (
        ("conv3_1", "before: conv3_1, two channels"),
        ("bn3_1", "after BatchNorm (statistics of the training)"),
        ("scale3_1", "after Scale"),
    )
    for place, (name, title) in enumerate(titles):
        values = steps[name]
        top = 8 + 138 * place
        drawing.text(14, top + 12, title, 13, "start", bold=True)
        low, high = np.percentile(values[list(channels)], (0.2, 99.8))
        axes = Axes(drawing, (14, top + 20, 372, 82), (low, high), (0, 1.05))
        step = 10.0 ** np.floor(np.log10((high - low) / 3))
        step *= 5 if (high - low) / step > 15 else 2 if (high - low) / step > 6 else 1
        axes.ticks(np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step)
        for number, channel in enumerate(channels, start=1):
            counts, edges = np.histogram(values[channel], 60, (low, high))
            counts = counts / counts.max()
            axes.curve(np.repeat(edges, 2)[1:-1], np.repeat(counts, 2), color(number))
    return drawing.svg()
