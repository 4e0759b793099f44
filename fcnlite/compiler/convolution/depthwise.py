"""Depthwise convolution of blocked arrays: each channel has a filter of its own.

No sum crosses channels, so that 16 channels of a pixel are one vector, or several, from the load to the store. A matrix
product would use one number of each vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.convolution.problem import PreparedWeights, Problem, summand
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.ir import BLOCK
from fcnlite.compiler.machine import Machine
from fcnlite.description.shapes import paired

PIECE_BYTES = 64 << 10
"""Bytes of the copied rows of one share of the work, which stay in a core's own cache."""


@dataclass(frozen=True, eq=False)
class DepthwiseWork:
    """The rows and columns that the windows slide over, and the shares of the work."""

    maps: tuple[Array, Array]
    """The row of the array for each row of the padded picture, and the same for columns; −1 is zero."""
    copied: bool
    """Whether the rows under the window are copied, to pad them."""
    rows: int
    """Rows of outputs in a share."""
    scratch: int


@dataclass(frozen=True)
class Depthwise:
    """Any window, if each output channel has one input channel of its own."""

    def name(self, p: Problem) -> str:
        return "depthwise"

    @property
    def reads_blocked(self) -> bool:
        return True

    @property
    def writes_blocked(self) -> bool:
        return True

    @staticmethod
    def suits(p: Problem) -> bool:
        return p.group == p.channels == p.outputs > 1 and not p.pool

    def prepared_floats(self, p: Problem) -> int:
        return p.channel_blocks * BLOCK * p.window_area

    def cost(self, p: Problem) -> Cost:
        height, width = p.top_size
        products = 2.0 * p.batch * height * width * self.prepared_floats(p)
        copied = p.batch * p.channel_blocks * BLOCK * p.size[0] * p.size[1]
        return Cost(products, copied, 4.0 * self.prepared_floats(p), products - p.products)

    def prepare(
        self, weight: Array, p: Problem, machine: Machine, *, transposed: bool = False, into: Array | None = None
    ) -> Array:
        """The filters by blocks: C/16×KH·KW×16."""
        taps = weight.reshape(len(weight), -1)
        filters = np.zeros((p.channel_blocks * BLOCK, taps.shape[1]), np.float32)
        filters[: len(taps)] = taps[:, ::-1] if transposed else taps
        return np.ascontiguousarray(filters.reshape(p.channel_blocks, BLOCK, -1).swapaxes(1, 2))

    def set_up(self, p: Problem, machine: Machine) -> DepthwiseWork:
        rows, columns = p.windows
        height, width = p.top_size
        copied = not p.simple or width < machine.kernels.depthwise_panel()
        if not copied:
            return DepthwiseWork(p.seen(*map(np.arange, p.size)), False, height, 0)
        maps = p.maps()
        share = max(1, (PIECE_BYTES // (4 * BLOCK * len(maps[1])) - rows.extent) // rows.stride + 1)
        planes = p.batch * p.channel_blocks
        share = min(share, -(-height * planes // (4 * machine.threads)), height)
        scratch = machine.kernels.depthwise_scratch(len(maps[1]), rows.extent, rows.stride, columns.stride, share)
        return DepthwiseWork(maps, True, share, machine.threads * int(scratch))

    def forward(
        self, x: Array, y: Array, weights: PreparedWeights, p: Problem, work: DepthwiseWork, scratch: Array,
        machine: Machine, add: Array | None = None,
    ) -> None:  # fmt: skip
        window, stride, dilation = paired(p.windows, "size", "stride", "dilation")
        machine.kernels.depthwise_forward(
            x, weights.filters, weights.bias[0], weights.slopes[0], summand(add), y, *work.maps, window=window,
            stride=stride, dilation=dilation, relu=p.relu, limit=p.limit, copied=work.copied, rows_at_once=work.rows,
            scratch=scratch, threads=machine.threads,
        )  # fmt: skip
