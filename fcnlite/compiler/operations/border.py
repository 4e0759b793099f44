"""A border around a computed picture: around the rows and columns that it reaches, those of a picture of zeros."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.ir import ForwardStep, Layout, Operation, Value
from fcnlite.compiler.layouts import from_nchw, planes
from fcnlite.compiler.machine import Machine


class Border(Operation):
    """Rows and columns of the input, and of an array that `zeros` gives: one picture, for the whole batch."""

    kind = "border"

    def __init__(
        self,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        own: tuple[Array, Array],
        around: tuple[Array, Array],
        zeros: Callable[[Machine], Array],
    ) -> None:
        super().__init__(inputs, outputs, ())
        self._maps = [each.astype(np.int32) for each in (*own, *around)]
        """The rows and columns of the input (−1: none), then of the zeros, for each row and column of the output."""
        self._zeros = zeros

    @property
    def reads(self) -> Layout:
        return Layout.EITHER

    @property
    def enlarges(self) -> bool:
        return True

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        nchw = self._zeros(machine)
        around = from_nchw(nchw, Value("zeros", nchw.shape, self.outputs[0].blocked), machine)
        x, zeros, y = (planes(each, self.outputs[0]) for each in (bottom[0], around, top[0]))
        machine.kernels.add_border(x, zeros, *self._maps, y, machine.threads)
        return top
