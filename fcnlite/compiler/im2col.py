"""Convolution as one matrix product: all patches that the kernel sees are laid out as columns, which BLAS multiplies.

It takes any convolution and copies each value of the picture once for every tap of the kernel. So it is the way where
the micro-kernels, which read the picture itself (direct.py), do not fit: for groups that split blocks of channels. It
also sums the gradients of kernels where Winograd's way (winograd.py) does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite import config
from fcnlite._kernels.blas import blas_kernels
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.ir import Machine
from fcnlite.compiler.problem import Prepared, Problem
from fcnlite.description.shapes import paired
from fcnlite.layers.base import Array

BAND_BYTES = 1 << 20
"""Of columns at once: still in the cache when the product reads them."""
LEAST_BAND = 128
"""Positions at once, at the least: with fewer the product is slow."""
SUM_BYTES = 64 << 20
"""Of the threads' own sums of a gradient; where they would take more, threads share out the outputs instead."""
PACKING = 1 / 16
"""Operations that a product counts for beside itself: BLAS copies what it multiplies."""
PANEL = 8
"""Outputs that BLAS computes together: with fewer it takes as long."""
COPYING = 16
"""Operations that the copying of a value counts for."""
BEGINNING = 256 << 10
"""What the two conversions of layouts take beside their copying, in bytes that could be moved meanwhile."""


@dataclass(frozen=True, eq=False)
class Im2colWork:
    """How the positions of the output go through the columns."""

    maps: tuple[Array, Array]
    band: int
    """Positions at once."""
    shares: int
    """In which a band's outputs are shared out."""
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

    def weights(self, p: Problem) -> int:
        return p.outputs * self._column(p)

    def _column(self, p: Problem) -> int:
        """C/G·KH·KW."""
        return p.channels // p.group * p.taps

    def cost(self, p: Problem) -> Cost:
        height, width = p.top_size
        positions = p.batch * height * width
        outputs = -(-(p.outputs // p.group) // PANEL) * PANEL * p.group
        copied = 0 if p.pointwise else positions * p.group * self._column(p)
        # Its neighbours mostly have blocked layouts: both sides are converted, which reads and writes them once more.
        converted = BEGINNING + 8.0 * (p.batch * p.channels * p.size[0] * p.size[1] + p.outputs * positions)
        products = 2.0 * positions * outputs * self._column(p)
        moved = COPYING * copied + PACKING * products
        return Cost(products, moved, 4.0 * self.weights(p) + converted, products - p.products)

    def prepare(
        self, weight: Array, p: Problem, machine: Machine, *, turned: bool = False, into: Array | None = None
    ) -> Array:
        """The kernels as they are, a matrix for every group: G×O/G×C/G·KH·KW; turned, those of the gradients' way."""
        if turned:
            parts = weight.reshape(p.group, -1, *weight.shape[1:])
            weight = np.ascontiguousarray(parts.swapaxes(1, 2)[..., ::-1, ::-1])
        return weight.reshape(p.group, p.outputs // p.group, -1)

    def plan(self, p: Problem, machine: Machine) -> Im2colWork:
        height, width = p.top_size
        rows, columns = p.kernel
        maps = p.maps(((height - 1) * rows.stride + rows.extent, (width - 1) * columns.stride + columns.extent))
        band = self._band(p, machine)
        items = p.batch * p.group * -(-height * width // band)
        shares = 1 if items >= machine.threads else min(machine.threads, p.outputs // p.group)
        return Im2colWork(maps, band, shares, self.weight_scratch(p, machine))

    def _band(self, p: Problem, machine: Machine) -> int:
        """Positions at once."""
        (height, width), of_column = p.top_size, 4 * self._column(p)
        if p.pointwise:  # the picture is its columns: nothing is copied
            return -(-height * width // machine.threads)
        most = max(1, config.SCRATCH_BYTES // (machine.threads * of_column))
        return min(height * width, max(LEAST_BAND, BAND_BYTES // of_column), most)

    def forward(self, x: Array, y: Array, weights: Prepared, p: Problem, work: Im2colWork, machine: Machine) -> None:
        blas_kernels().convolve(
            x, weights.u, weights.bias, weights.slopes, y, *work.maps, windows=self._windows(p), pointwise=p.pointwise,
            relu=p.relu, band=work.band, shares=work.shares, scratch=machine.scratch, threads=machine.threads,
        )  # fmt: skip

    def weight_scratch(self, p: Problem, machine: Machine) -> int:
        """Floats of `Machine.scratch` that `backward_weight` wants, and forward: every thread's columns."""
        return 0 if p.pointwise else machine.threads * self._band(p, machine) * self._column(p)

    def backward_weight(
        self, x: Array, dy: Array, dweight: Array, p: Problem, work: Im2colWork, machine: Machine
    ) -> None:
        """The kernels' gradient, given the outputs' (dy), written into `dweight`."""
        alone = machine.threads * dweight.nbytes > SUM_BYTES
        parts, shares = (1, min(machine.threads, p.outputs // p.group)) if alone else (machine.threads, 1)
        dw = dweight.reshape(1, p.group, p.outputs // p.group, -1)
        sums = dw if parts == 1 else machine.buffer((parts, *dw.shape[1:]))
        blas_kernels().convolve_backward_weight(
            x, dy, sums, *work.maps, windows=self._windows(p), pointwise=p.pointwise, band=work.band, shares=shares,
            scratch=machine.scratch, threads=machine.threads,
        )  # fmt: skip
        if parts > 1:
            np.sum(sums, axis=0, out=dw[0])

    def _windows(self, p: Problem) -> tuple[tuple[int, int], ...]:
        return paired(p.kernel, "kernel", "stride", "dilation")
