"""One channel through the first four layers: convolution, BatchNorm, Scale, ReLU."""

from __future__ import annotations

from _one_pass import one_pass, panel, signed
from book.drawing import figure, style, svg

from fcnlite.layers import ForwardRun

CHANNEL = 5


def draw() -> str:
    found = one_pass()
    net, values = found.net, [found.x]
    for name in ("conv1_1", "bn1_1", "scale1_1", "relu1_1"):
        (top,) = net.layer(name).forward(values[-1:], ForwardRun([each.array for each in net.params.get(name, ())]))
        values.append(top)
    with style():
        drawn = figure(6.4, 2.1)
        axes = drawn.subplots(1, 4)
        titles = ("conv1_1", "bn1_1", "scale1_1", "relu1_1")
        for each, name, value in zip(axes, titles, values[1:], strict=True):
            plane = value[0, CHANNEL]
            title = f"{name}\n{plane.min():.1f} … {plane.max():.1f}"
            if name == "relu1_1":
                panel(each, plane, title, cmap="Reds", vmin=0)
            else:
                signed(each, plane, title)
        return svg(drawn)
