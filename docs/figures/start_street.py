"""The drawn street as the net of roads sees it: as it is, twice as large, and in warm light."""

from __future__ import annotations

import numpy as np
from _one_pass import panel
from _scene import ROOT
from book.drawing import figure, style, svg
from matplotlib.patches import Patch
from PIL import Image

import fcnlite

SHOWN = (320, 240)


def draw() -> str:
    segment = fcnlite.Segmenter(ROOT / "weights" / "camvid-fcn8s.h5")
    colors = np.array(segment.colors, np.uint8)
    street = Image.open(ROOT / "examples" / "street.png").convert("RGB")
    warm = Image.fromarray((np.asarray(street) * [1.25, 1, 0.75]).clip(0, 255).astype(np.uint8))
    pictures = {
        "480×360": street,
        "960×720": street.resize((960, 720), Image.Resampling.BICUBIC),
        "warm light": warm,
    }
    with style():
        drawn = figure(3.8, 4.9)
        cells = drawn.subplots(3, 2)
        seen = set()
        for row, (title, picture) in enumerate(pictures.items()):
            labels = segment(picture)
            seen |= {int(each) for each in np.flatnonzero(np.bincount(labels.ravel()) > 0.002 * labels.size)}
            panel(cells[row, 0], np.asarray(picture.resize(SHOWN)), title)
            small = Image.fromarray(labels).resize(SHOWN, Image.Resampling.NEAREST)
            panel(cells[row, 1], colors[np.asarray(small)], "classes")
        handles = [Patch(facecolor=colors[each] / 255, label=segment.classes[each]) for each in sorted(seen)]
        drawn.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
        return svg(drawn)
