"""FCN-8s of the paper, unrolled: a line for each layer, with the shapes for a picture of 500×500 pixels."""

from __future__ import annotations

from fcnlite import models
from fcnlite.description.shapes import show
from fcnlite.net import Net

SIZE = 500


def draw() -> str:
    net = Net(models.describe("voc-fcn8s"))
    rows = [("layer", "type", "bottoms", "top", "shape")]
    for layer, _, tops in net.shapes({"data": (1, 3, SIZE, SIZE), "label": (1, 1, SIZE, SIZE)}):
        top = layer.spec.top[0]
        rows.append((layer.spec.name, layer.type, ", ".join(layer.spec.bottom), top, show(tops[0])))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"
