"""The second skip of a trained FCN-8s: scores of one class, from the coarser path, from pool3, and their sum."""

from __future__ import annotations

import numpy as np
from _drawing import Drawing
from _scene import colored, diverging, largest_class, scene


def draw() -> str:
    net, picture, label = scene()
    blobs = net.blobs
    shown = largest_class(label)
    height, width = picture.shape[:2]
    w = 126
    h = w * height / width
    drawing = Drawing(400, 3 * h + 130)
    name = net.info.classes[shown]
    maps = [blobs[each][0, shown] for each in ("upscore_pool4c", "score_pool3", "fuse_pool3")]
    largest = max(float(np.abs(each).max()) for each in maps)
    columns = (6, 137, 268)
    drawing.text(6, 16, f"Scores for “{name}” at stride 8: orange below 0, blue above", 12.5, "start", bold=True)
    for x, words, values in zip(columns, ("upsampled", "from pool3", "their sum"), maps, strict=True):
        drawing.picture(x, 24, w, h, diverging(values, largest))
        drawing.text(x + w / 2, 24 + h + 15, words)
    for x, sign in ((134.5, "+"), (265.5, "=")):
        drawing.text(x, 24 + h / 2 + 5, sign, 15, bold=True)
    top = 24 + h + 44
    drawing.text(6, top, "The class with the best score, without and with skips", 12.5, "start", bold=True)
    for place, (words, blob) in enumerate(
        (
            ("the picture", None),
            ("stride 32", "score_fr"),
            ("+ pool4: 16", "fuse_pool4"),
            ("+ pool3: 8", "fuse_pool3"),
            ("score", "score"),
            ("the truth", None),
        )
    ):
        x, y = columns[place % 3], top + 8 + (h + 24) * (place // 3)
        pixels = colored(blobs[blob][0].argmax(0), net) if blob else picture if place == 0 else colored(label, net)
        drawing.picture(x, y, w, h, pixels)
        drawing.text(x + w / 2, y + h + 15, words)
    return drawing.svg()
