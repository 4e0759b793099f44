"""A thin convolution and the Winograd convolution that reads it, in one go: what lies between stays in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.direct import Direct
from fcnlite.compiler.ir import Machine, Operation
from fcnlite.compiler.winograd import Winograd
from fcnlite.description.shapes import paired
from fcnlite.layers.base import Array, Run

RECTANGLE = (3, 14)
"""Rows and columns of tiles at once."""


class ThinWinograd(Operation):
    """Two convolutions, of which nobody else reads the first."""

    kind = "thin convolution and Winograd's"

    def __init__(self, first: Convolution, second: Convolution) -> None:
        super().__init__(first.inputs, second.outputs, first.layers + second.layers)
        self.first = first
        self.second = second
        self._laid_out: Any = None
        """The maps of the first convolution's rows and columns, and the tiling of the second one."""

    @staticmethod
    def suits(first: Convolution, second: Convolution) -> bool:
        rows, columns = first.problem.kernel
        undilated = rows.dilation == columns.dilation == second.problem.kernel[0].dilation == 1
        # Rows that the second sees one after the other lie so in the first's top, or are one.
        close = all((np.diff(source) >= 0).all() and (np.diff(source) <= 1).all() for source in second.problem.sources)
        thin = first.thin and rows.kernel <= 16 and first.slopes is second.slopes is None
        return thin and undilated and close and isinstance(second.algorithm, Winograd)

    def scratch_floats(self, machine: Machine) -> int:
        first, second = self.first.problem, self.second.problem
        assert isinstance(self.first.algorithm, Direct) and isinstance(self.second.algorithm, Winograd)
        tiling = self.second.algorithm.plan(second, machine).tiling
        self._laid_out = self.first.algorithm.sliding(first, machine).maps, tiling
        kernel, stride = paired(first.kernel, "kernel", "stride")
        floats = machine.kernels.thin_winograd_scratch(
            tiling.points, tiling.side, second.channel_blocks, first.channels, kernel, stride, RECTANGLE
        )
        return machine.threads * int(floats)

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        first, second = self.first.problem, self.second.problem
        ours, theirs = self.first.prepared(machine), self.second.prepared(machine)
        first_maps, tiling = self._laid_out
        kernel, stride = paired(first.kernel, "kernel", "stride")
        machine.kernels.thin_winograd_forward(
            bottom[0], ours.u[0], ours.bias[0], *first_maps, theirs.u, theirs.bias[0], top[0], tiling, window=kernel,
            stride=stride, first_relu=first.relu, between=(first.outputs, *first.top_size),
            top_size=tuple(map(len, second.within)), margins=second.margins, relu=second.relu, pool=second.pool,
            rectangle=RECTANGLE, scratch=machine.scratch, threads=machine.threads,
        )  # fmt: skip
        self.second.fill_margins(top[0], machine)
        return top

    def cost(self, threads: int) -> Cost:
        first, second = (each.algorithm.cost(each.problem) for each in (self.first, self.second))
        return super().cost(threads) + first + second

    def describe(self) -> str:
        return f"{self.first.describe()}; {self.second.describe()}"
