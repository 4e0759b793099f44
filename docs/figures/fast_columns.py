"""The memory of im2col's columns for each convolution of FCN-8s, whole and in bands."""

from __future__ import annotations

from _plans import FED, fcn8s
from book.drawing import figure, style, svg

from fcnlite.layers.banding import _bands
from fcnlite.layers.convolution import Convolution


def draw() -> str:
    names, bottom, whole, band = [], [], [], []
    for layer, bottoms, tops in fcn8s().shapes(FED):
        if type(layer) is not Convolution or layer.geometry.pointwise:
            continue
        _, channels, height, width = bottoms[0]
        positions = tops[0][2] * tops[0][3]
        longest = max(stop - start for start, stop in _bands(layer.geometry, channels, positions, 4, 1))
        column = 4 * channels * layer.geometry.taps
        names.append(layer.spec.name)
        bottom.append(4e-6 * channels * height * width)
        whole.append(1e-6 * column * positions)
        band.append(1e-6 * column * longest)
    with style():
        drawn = figure(6.6, 3.2)
        axes = drawn.subplots()
        for i, (label, values) in enumerate((("the bottom", bottom), ("all columns", whole), ("one band", band))):
            axes.bar([place + 0.27 * (i - 1) for place in range(len(names))], values, 0.27, label=label)
        axes.set_yscale("log")
        axes.set_xticks(range(len(names)), names, rotation=55, ha="right", fontsize=8.5)
        axes.set_ylabel("MB")
        axes.set_ylim(0.5, 6000)
        axes.legend(fontsize=9, ncols=3, loc="upper right")
        return svg(drawn)
