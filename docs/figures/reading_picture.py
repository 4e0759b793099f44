"""The picture, its label, and what the net says."""

from __future__ import annotations

import numpy as np
from _one_pass import colored, one_pass, panel
from book.drawing import figure, style, svg
from matplotlib.patches import Patch


def draw() -> str:
    found = one_pass()
    predicted = found.blobs["score"][0].argmax(axis=0)
    names = {**dict(enumerate(found.dataset.labels["label"].classes)), 255: "void (255)"}
    wanted = np.unique(found.sample.label)
    colors = colored(wanted[None], found.dataset)[0] / 255
    with style():
        drawn = figure(6.2, 2.6)
        left, middle, right = drawn.subplots(1, 3)
        panel(left, found.sample.image, "picture, 96×96×3")
        panel(middle, colored(found.sample.label, found.dataset), "label, 96×96")
        panel(right, colored(predicted, found.dataset), "the largest score, 96×96")
        handles = [Patch(facecolor=color, label=names[int(k)]) for k, color in zip(wanted, colors, strict=True)]
        drawn.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=9)
        return svg(drawn)
