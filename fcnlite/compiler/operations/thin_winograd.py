"""A thin convolution and the Winograd convolution that reads it, fused: the value between them stays in the cache."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.convolution.direct import Direct
from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.convolution.winograd import Tiling, Winograd
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.ir import ForwardStep, Layout, Operation, SetUp
from fcnlite.compiler.machine import Derived, Machine
from fcnlite.description.shapes import paired

RECTANGLE = (3, 14)
"""Rows and columns of tiles that are computed together."""


@dataclass(frozen=True, eq=False)
class ThinWinogradWork:
    """The set-up of both convolutions."""

    maps: tuple[Array, Array]
    """The maps of the first convolution's rows and columns."""
    tiling: Tiling
    """The tiling of the second convolution's top."""
    first_weights: Derived
    second_weights: Derived
    """The prepared weights of both."""


class ThinWinograd(Operation):
    """Two convolutions; only the second reads the first."""

    kind = "thin convolution and Winograd's"

    def __init__(self, first: ConvolutionOperation, second: ConvolutionOperation) -> None:
        super().__init__(first.inputs, second.outputs, first.layers + second.layers)
        self.first = first
        self.second = second

    @staticmethod
    def suits(first: ConvolutionOperation, second: ConvolutionOperation) -> bool:
        rows, columns = first.problem.windows
        undilated = rows.dilation == columns.dilation == second.problem.windows[0].dilation == 1
        square = second.problem.windows[0] == second.problem.windows[1]
        # Rows that the second sees one after the other are one row of the first's top, or two adjacent ones.
        close = all((np.diff(source) >= 0).all() and (np.diff(source) <= 1).all() for source in second.problem.sources)
        thin = first.thin and rows.size <= 16 and first.slopes is second.slopes is None
        thin = thin and first.problem.limit == second.problem.limit == math.inf
        return thin and undilated and square and close and isinstance(second.algorithm, Winograd)

    @property
    def writes(self) -> Layout:
        return Layout.BLOCKED

    def set_up(self, machine: Machine) -> SetUp:
        first, second = self.first.problem, self.second.problem
        assert isinstance(self.first.algorithm, Direct) and isinstance(self.second.algorithm, Winograd)
        tiling = self.second.algorithm.set_up(second, machine).tiling
        maps = self.first.algorithm.sliding(first, machine).maps
        window, stride = paired(first.windows, "size", "stride")
        floats = machine.kernels.thin_winograd_scratch(
            tiling.points[0], tiling.side[0], second.channel_blocks, first.channels, window, stride, RECTANGLE
        )
        work = ThinWinogradWork(maps, tiling, self.first.weights_in(machine), self.second.weights_in(machine))
        return SetUp(scratch=machine.threads * int(floats), work=work)

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        first, second = self.first.problem, self.second.problem
        work: ThinWinogradWork = step.work
        ours = self.first.prepared(work.first_weights, machine)
        theirs = self.second.prepared(work.second_weights, machine)
        window, stride = paired(first.windows, "size", "stride")
        machine.kernels.thin_winograd_forward(
            bottom[0], ours.filters[0], ours.bias[0], *work.maps, theirs.filters, theirs.bias[0], top[0], work.tiling,
            window=window, stride=stride, first_relu=first.relu, between=(first.outputs, *first.top_size),
            top_size=tuple(map(len, second.within)), margins=second.margins, relu=second.relu, pool=second.pool,
            rectangle=RECTANGLE, scratch=step.scratch, threads=machine.threads,
        )  # fmt: skip
        self.second.fill_margins(top[0], machine)
        return top

    def cost(self, threads: int) -> Cost:
        first, second = (each.algorithm.cost(each.problem) for each in (self.first, self.second))
        return super().cost(threads) + first + second

    def describe(self) -> str:
        return f"{self.first.describe()}; {self.second.describe()}"
