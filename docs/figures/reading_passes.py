"""The number of operations before the first pass of the compiler and after each pass, of two nets."""

from __future__ import annotations

from _one_pass import WEIGHTS
from book import drawing
from book.drawing import figure, style, svg

import fcnlite
from fcnlite import models, surgery


def draw() -> str:
    trained = fcnlite.load(WEIGHTS).listings({"data": (1, 3, 96, 96)})
    paper = models.build("voc-fcn8s", width=1 / 16)
    surgery.interp(paper)
    wide = paper.listings({"data": (1, 3, 96, 96)})
    with style():
        drawn = figure(6.4, 4.8)
        axes = drawn.subplots()
        rows = range(len(trained))
        for shift, (name, found) in zip((-0.2, 0.2), (("lite-fcn8s", trained), ("voc-fcn8s", wide)), strict=True):
            counts = [len(each) for each in found.values()]
            bars = axes.barh([row + shift for row in rows], counts, height=0.38, label=name)
            axes.bar_label(bars, padding=2, fontsize=8, color=drawing.INK)
        axes.set_yticks(rows, [name or "(the layers)" for name in trained])
        axes.invert_yaxis()
        axes.set_xlabel("operations")
        axes.legend(loc="lower right")
        return svg(drawn)
