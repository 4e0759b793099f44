"""One tile of F(6×6, 3×3): the patch and the filter, both transformed, their product, and the outputs."""

from __future__ import annotations

import numpy as np
from _one_pass import one_pass, panel, signed
from _winograd import matrices
from book.drawing import figure, style, svg

from fcnlite.compiler.convolution.winograd import POINTS

ROW, COLUMN, CHANNEL = 40, 56, 1


def draw() -> str:
    found = one_pass()
    at, g, bt = matrices(POINTS[8], 3)
    patch = found.x[0, CHANNEL, ROW : ROW + 8, COLUMN : COLUMN + 8].astype(float)
    weight = found.net.params["conv1_1"][0].array[5, CHANNEL].astype(float)
    v, u = bt @ patch @ bt.T, g @ weight @ g.T
    with style():
        drawn = figure(6.6, 3.5)
        axes = drawn.subplots(2, 3)
        panel(axes[0, 0], patch, "patch d, 8×8", cmap="viridis")
        signed(axes[0, 1], np.cbrt(v), "Bᵀ d B, 8×8")
        signed(axes[0, 2], np.cbrt(v * u), "⊙: 64 products")
        signed(axes[1, 0], weight, "filter g, 3×3")
        signed(axes[1, 1], np.cbrt(u), "G g Gᵀ, 8×8")
        signed(axes[1, 2], at @ (v * u) @ at.T, "Aᵀ … A: 36 outputs")
        return svg(drawn)
