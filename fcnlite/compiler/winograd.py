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

from dataclasses import replace
from typing import Any

import numpy as np

from fcnlite import config, threads
from fcnlite._kernels import isa
from fcnlite.layers.base import Array, Layer, Run
from fcnlite.layers.convolution import Convolution
from fcnlite.shapes import Window
from fcnlite.spec import LayerSpec

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
    """G g Gᵀ for every kernel of O×C×3×3: 36×O×C, as (G ⊗ G) · g with the kernels as columns of nine."""
    g = kernel_transform().astype(weight.dtype)
    return threads.matmul(np.kron(g, g), weight.reshape(-1, 9).T).reshape(PATCH * PATCH, *weight.shape[:2])


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


class WinogradConvolution(Convolution):
    """A Convolution whose forward, and backward to its bottom, go Winograd's way.

    dX is the convolution of dY, padded by 2 − pad, with the kernels turned round and inputs and outputs exchanged. The
    prepared kernels are kept while the weight stays.
    """

    def __init__(self, spec: LayerSpec, phase: str) -> None:
        super().__init__(spec, phase)
        self._pad = self.kernel.rows.pad
        self._kept: dict[bool, tuple[int, Array]] = {}

    @staticmethod
    def suits(layer: Layer) -> bool:
        """Whether a layer is a 3×3 convolution of stride 1, with equal pads, no groups and enough outputs."""
        if type(layer) is not Convolution:
            return False
        rows, columns = layer.kernel.rows, layer.kernel.columns
        same = rows == columns == Window(3, 1, rows.pad, 1)
        return same and layer.options.group == 1 and layer.options.num_output >= LEAST_CHANNELS

    def forward(self, bottom: list[Array], run: Run) -> list[Array]:
        (x,) = bottom
        if not self._pays(x.shape[1], x.shape[3] + 2 * self._pad):
            return super().forward(bottom, run)
        bias = run.params[1] if self.options.bias_term else np.empty(0, x.dtype)
        return [convolve(x, self._kernels(run, turned=False), bias, self._pad)]

    def backward(self, dtop: list[Array], run: Run) -> list[Array | None]:
        (dy,), (x,) = dtop, run.bottom
        if not run.needs[0] or self._pad > 2 or not self._pays(x.shape[1], x.shape[3] + 4):
            return super().backward(dtop, run)
        super().backward(dtop, replace(run, needs=[False]))
        return [convolve(dy, self._kernels(run, turned=True), np.empty(0, dy.dtype), 2 - self._pad)]

    def _pays(self, channels: int, width: int) -> bool:
        """Whether there are channels enough, and a row of tiles stays within each thread's scratch memory."""
        row = PATCH * PATCH * (channels + self.options.num_output) * (width // TILE + 1) * 4
        return channels >= LEAST_CHANNELS and row * config.num_threads() <= config.SCRATCH_BYTES

    def _kernels(self, run: Run, *, turned: bool) -> Array:
        weight, version = run.params[0], run.versions[0]
        if turned not in self._kept or self._kept[turned][0] != version:
            given = weight[:, :, ::-1, ::-1].swapaxes(0, 1) if turned else weight
            self._kept[turned] = version, prepared(given)
        return self._kept[turned][1]
