"""Convolution as one matrix product: the patches under the window become columns, which BLAS multiplies.

It computes any convolution, and copies each value of the picture once for each element of the window. It is used for
groups that split blocks of channels, which direct.py cannot compute, and for the gradients of weights that Winograd's
algorithm (winograd.py) cannot compute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite import config
from fcnlite._kernels.blas import blas_kernels
from fcnlite.arrays import Array
from fcnlite.compiler.convolution.problem import PreparedWeights, Problem
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.machine import Machine
from fcnlite.description.shapes import paired

BAND_BYTES = 1 << 20
"""Bytes of columns made at a time: they are still in the cache when the product reads them."""
LEAST_BAND = 128
"""The fewest positions of a band: with fewer the product is slow."""
SUM_BYTES = 64 << 20
"""The most bytes of the threads' separate sums of a gradient; otherwise threads divide the outputs."""
PACKING = 1 / 16
"""Operations counted for each of a product, since BLAS copies its operands."""
PANEL = 8
"""Output channels that BLAS computes together: fewer take the same time."""
COPYING = 16
"""Operations counted for copying a value."""
CONVERSION_BYTES = 256 << 10
"""The fixed cost of the two conversions of layouts, in bytes that could be moved in the same time."""


@dataclass(frozen=True, eq=False)
class Im2colWork:
    """The division of the positions of the output."""

    maps: tuple[Array, Array]
    band: int
    """Positions whose columns are made at a time."""
    shares: int
    """Parts into which the outputs of a band are divided."""
    scratch: int


@dataclass(frozen=True)
class Im2col:
    """Any convolution, on N×C×H×W."""

    def name(self, p: Problem) -> str:
        return "im2col"

    @property
    def reads_blocked(self) -> bool:
        return False

    @property
    def writes_blocked(self) -> bool:
        return False

    @staticmethod
    def suits(p: Problem) -> bool:
        return not p.pool

    def prepared_floats(self, p: Problem) -> int:
        return p.outputs * self._column(p)

    def _column(self, p: Problem) -> int:
        """C/G·KH·KW."""
        return p.channels // p.group * p.window_area

    def cost(self, p: Problem) -> Cost:
        height, width = p.top_size
        positions = p.batch * height * width
        outputs = -(-(p.outputs // p.group) // PANEL) * PANEL * p.group
        copied = 0 if p.pointwise else positions * p.group * self._column(p)
        # Its neighbours are mostly blocked: both sides are converted, which reads and writes them once more.
        converted = CONVERSION_BYTES + 8.0 * (p.batch * p.channels * p.size[0] * p.size[1] + p.outputs * positions)
        products = 2.0 * positions * outputs * self._column(p)
        moved = COPYING * copied + PACKING * products
        return Cost(products, moved, 4.0 * self.prepared_floats(p) + converted, products - p.products)

    def prepare(
        self, weight: Array, p: Problem, machine: Machine, *, transposed: bool = False, into: Array | None = None
    ) -> Array:
        """The weight as it is, one matrix for each group: G×O/G×C/G·KH·KW."""
        if transposed:
            parts = weight.reshape(p.group, -1, *weight.shape[1:])
            weight = np.ascontiguousarray(parts.swapaxes(1, 2)[..., ::-1, ::-1])
        return weight.reshape(p.group, p.outputs // p.group, -1)

    def set_up(self, p: Problem, machine: Machine) -> Im2colWork:
        height, width = p.top_size
        band = self._band(p, machine)
        items = p.batch * p.group * -(-height * width // band)
        shares = 1 if items >= machine.threads else min(machine.threads, p.outputs // p.group)
        return Im2colWork(p.maps(), band, shares, self.backward_weights_scratch(p, machine))

    def _band(self, p: Problem, machine: Machine) -> int:
        """Positions whose columns are made at a time."""
        (height, width), of_column = p.top_size, 4 * self._column(p)
        if p.pointwise:  # the picture is its own columns: nothing is copied
            return -(-height * width // machine.threads)
        most = max(1, config.SCRATCH_BYTES // (machine.threads * of_column))
        return min(height * width, max(LEAST_BAND, BAND_BYTES // of_column), most)

    def forward(
        self,
        x: Array,
        y: Array,
        weights: PreparedWeights,
        p: Problem,
        work: Im2colWork,
        scratch: Array,
        machine: Machine,
    ) -> None:
        blas_kernels().convolve(
            x, weights.filters, weights.bias, weights.slopes, y, *work.maps, windows=self._windows(p),
            pointwise=p.pointwise, relu=p.relu, band=work.band, shares=work.shares, scratch=scratch,
            threads=machine.threads,
        )  # fmt: skip

    def backward_weights_scratch(self, p: Problem, machine: Machine) -> int:
        """Floats of scratch memory that `backward_weights` uses, and forward: the columns of every thread."""
        return 0 if p.pointwise else machine.threads * self._band(p, machine) * self._column(p)

    def backward_weights(
        self, x: Array, dy: Array, dweight: Array, p: Problem, work: Im2colWork, scratch: Array, machine: Machine
    ) -> None:
        """Write the weight's gradient into `dweight`."""
        alone = machine.threads * dweight.nbytes > SUM_BYTES
        parts, shares = (1, min(machine.threads, p.outputs // p.group)) if alone else (machine.threads, 1)
        dw = dweight.reshape(1, p.group, p.outputs // p.group, -1)
        sums = dw if parts == 1 else machine.buffer((parts, *dw.shape[1:]))
        blas_kernels().convolve_backward_weight(
            x, dy, sums, *work.maps, windows=self._windows(p), pointwise=p.pointwise, band=work.band, shares=shares,
            scratch=scratch, threads=machine.threads,
        )  # fmt: skip
        if parts > 1:
            np.sum(sums, axis=0, out=dw[0])

    def _windows(self, p: Problem) -> tuple[tuple[int, int], ...]:
        return paired(p.windows, "size", "stride", "dilation")
