"""3×3 convolution by Winograd's F(4×4, 3×3) (Lavin and Gray, 2016): 36 products for 16 outputs in place of 144.

For each 4×4 tile of the output, with d the 6×6 patch that it sees and g the 3×3 kernel,

    y = Aᵀ [ Σ_c (G g Gᵀ) ⊙ (Bᵀ d B) ] A

Exact in exact arithmetic: interpolation of a polynomial product at the points 0, ±3/4, ±3/2 and ∞, which keep the
rounding error a quarter of that at 0, ±1, ±2. The sums over c are 36 matrix products; tiles go through them in bands of
tile rows, so that all threads' bands together stay within `config.SCRATCH_BYTES`.

Where a sum is exactly 0, in a wide pad and with a bias of 0, a tile that reaches the picture makes it ±1e-7; ReLU then
passes a gradient to the bias that it else would not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fcnlite import config, threads
from fcnlite._kernels import isa
from fcnlite.layers.base import Array, Layer, Run
from fcnlite.layers.convolution import Convolution
from fcnlite.parameter import Parameter
from fcnlite.shapes import Window

TILE, PATCH = 4, 6
POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
LEAST_CHANNELS = 16
"""With fewer in or out, the transforms cost more than the products save."""
BAND_BYTES = 16 << 20
"""Of a thread's transformed tiles: enough columns for the matrix products, and near the cache."""


def kernel_transform() -> Array:
    """G, 6×3: the kernel's polynomial at the points, divided by Π (point − other points); its last row is ∞."""
    rows = []
    for point in POINTS:
        norm = np.prod([point - other for other in POINTS if other != point])
        rows.append([1 / norm, point / norm, point**2 / norm])
    return np.array([*rows, [0, 0, 1]])


def prepared(weight: Array) -> Array:
    """G g Gᵀ for every kernel of O×C×3×3: 36×O×C."""
    g = kernel_transform().astype(weight.dtype)
    along_rows = np.einsum("ki,ocij->kjoc", g, weight)
    return np.einsum("lj,kjoc->kloc", g, along_rows).reshape(PATCH * PATCH, *weight.shape[:2])


def convolve(x: Array, u: Array, bias: Array, pad: int) -> Array:
    """The convolution of x, N×C×H×W, by the prepared kernels u, plus bias (empty for none): N×O×H'×W'."""
    kernels: Any = isa.kernels("winograd")
    n, channels, height, width = x.shape
    outputs = u.shape[1]
    out_h, out_w = height + 2 * pad - 2, width + 2 * pad - 2
    down, across = -(-out_h // TILE), -(-out_w // TILE)
    y = np.empty((n, outputs, out_h, out_w), x.dtype)
    row_bytes = PATCH * PATCH * (channels + outputs) * across * x.itemsize
    bands = threads.shares(down, max(-(-down * row_bytes // BAND_BYTES), min(down, config.num_threads())))

    def work(item: tuple[int, tuple[int, int]]) -> None:
        i, (start, stop) = item
        rows = stop - start
        v = np.empty((PATCH * PATCH, channels, rows * across), x.dtype)
        kernels.transform_input(x[i], v, pad, start, rows, across)
        kernels.transform_output(np.matmul(u, v), bias, y[i], start, rows, across)

    threads.for_each(work, [(i, band) for i in range(n) for band in bands])
    return y


class WinogradConvolution:
    """The forward of a Convolution that Winograd's way suits; keeps the prepared kernels while the weight stays."""

    def __init__(self, layer: Convolution) -> None:
        self._layer = layer
        self._pad = layer.kernel.rows.pad
        self._prepared: tuple[Parameter, int, Array] | None = None

    @staticmethod
    def of(layer: Layer) -> WinogradConvolution | None:
        """For a 3×3 convolution of stride 1, equal pads and no groups; None for another layer."""
        if type(layer) is not Convolution:
            return None
        rows, columns = layer.kernel.rows, layer.kernel.columns
        suits = rows == columns == Window(3, 1, rows.pad, 1) and layer.options.group == 1
        return WinogradConvolution(layer) if suits and layer.options.num_output >= LEAST_CHANNELS else None

    def forward(self, bottom: list[Array], run: Run, params: Sequence[Parameter]) -> list[Array]:
        (x,) = bottom
        row = PATCH * PATCH * (x.shape[1] + self._layer.options.num_output) * (x.shape[3] + 2 * self._pad)
        if x.shape[1] < LEAST_CHANNELS or row * x.itemsize * config.num_threads() > config.SCRATCH_BYTES:
            return self._layer.forward(bottom, run)
        bias = params[1].array if len(params) > 1 else np.empty(0, x.dtype)
        return [convolve(x, self._kernels(params[0]), bias, self._pad)]

    def _kernels(self, weight: Parameter) -> Array:
        kept = self._prepared
        if kept is None or kept[0] is not weight or kept[1] != weight.version:
            kept = self._prepared = weight, weight.version, prepared(weight.array)
        return kept[2]
