"""The share of each pixel of the receptive field in the output of stacked averages of 3."""

import numpy as np
from book.drawing import figure, style, svg


def draw() -> str:
    with style():
        drawn = figure(6.2, 2.7)
        axes = drawn.subplots()
        for count in (3, 8, 13):
            share = np.ones(1)
            for _ in range(count):
                share = np.convolve(share, np.ones(3) / 3)
            places = np.arange(len(share)) - count
            axes.plot(places, 100 * share, "o-", markersize=3, label=f"{count} layers: field {len(share)}")
        axes.set(xlabel="pixel, from the centre of the field", ylabel="share, %")
        axes.legend()
        return svg(drawn)
