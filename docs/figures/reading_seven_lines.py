"""Some steps of a forward pass: the record, and one map of the blob that the layer writes."""

from __future__ import annotations

import numpy as np
from _drawing import Drawing
from _one_pass import one_pass
from matplotlib import colormaps

from fcnlite.layers import ForwardRun

STEPS = (("conv1_1", 5), ("relu1_1", 5), ("pool1", 5), ("pool5", 1), ("score", 3))
"""The layer, and the channel that is shown of its top."""
ROW, SIDE = 92, 76


def shown(plane: np.ndarray) -> np.ndarray:
    """A map as colours: blue below 0, red above."""
    most = float(np.abs(plane).max()) or 1.0
    return (255 * colormaps["RdBu_r"](0.5 + plane / (2 * most))[..., :3]).astype(np.uint8)


def draw() -> str:
    found = one_pass()
    blobs, after = {"data": found.x}, {}
    for record in found.net.spec.layers[2:-1]:
        weights = [each.array for each in found.net.params.get(record.name, ())]
        bottoms = [blobs[name].copy() for name in record.bottom]
        tops = found.net.layer(record.name).forward(bottoms, ForwardRun(weights))
        blobs.update(zip(record.top, tops, strict=True))
        after[record.name] = tops[0]
    drawing = Drawing(366, (len(STEPS) + 1) * ROW + 26)
    drawing.text(90, 16, "the list", 13, bold=True)
    drawing.text(252, 16, "the blobs", 13, bold=True)
    x, y = 214, 26
    drawing.picture(x, y, SIDE, SIDE, found.sample.image)
    drawing.text(x + SIDE + 4, y + 36, "data", 12, "start")
    drawing.text(x + SIDE + 4, y + 52, "3×96×96", 11, "start")
    for name, channel in STEPS:
        y += ROW
        record = next(each for each in found.net.spec.layers if each.name == name)
        drawing.box(4, y + 4, 172, 66, (1, 0.12), radius=5)
        drawing.text(14, y + 23, f"{name}, {record.type}", 13, "start", bold=True)
        drawing.text(14, y + 42, f"reads {', '.join(record.bottom)}", 12, "start")
        drawing.text(14, y + 59, f"writes {', '.join(record.top)}", 12, "start")
        drawing.line([(180, y + 37), (x - 6, y + 37)], arrow=True)
        if name in ("pool5", "score", "relu1_1", "pool1"):
            drawing.text(90, y - 4, "⋮", 13)
        drawing.picture(x, y, SIDE, SIDE, shown(after[name][0, channel]))
        drawing.text(x + SIDE + 4, y + 36, record.top[0], 12, "start")
        drawing.text(x + SIDE + 4, y + 52, "×".join(map(str, after[name].shape[1:])), 11, "start")
    return drawing.svg()
