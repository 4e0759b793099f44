"""How two threads share three convolutions of FCN-8s: portions of tiles, or groups of outputs."""

from __future__ import annotations

import numpy as np
from _one_pass import panel
from _plans import plan
from book.drawing import figure, style, svg

from fcnlite.compiler.convolution.winograd import WinogradWork

SHOWN = ("conv2_2", "conv3_2", "conv4_2")


def draw() -> str:
    found = plan(threads=2)
    with style():
        drawn = figure(6.4, 2.6)
        for axes, name in zip(drawn.subplots(1, 3), SHOWN, strict=True):
            step = next(each for each in found.steps if name in each.operation.layers)
            work = step.set_up.work.forward
            assert isinstance(work, WinogradWork)
            down, across = len(work.tiling.row_starts), len(work.tiling.col_starts)
            portions = np.arange(down * across).reshape(down, across) // work.at_once
            how = "shared by outputs" if work.by_outputs else "shared by portions"
            panel(
                axes,
                portions % 2 + 0.25 * (portions // 2 % 2),
                f"{name}: {down}×{across} tiles\n{how}",
                cmap="coolwarm",
            )
        return svg(drawn)
