"""A picture within its frame: what was computed of the picture, and around it what zeros alone become."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fcnlite.compiler.ir import Machine, Operation, Value, in_layout, planes
from fcnlite.layers.base import Array, Run


class Framing(Operation):
    """Rows and columns of the input, and of an array that `zeros` gives, one picture for all of the batch."""

    kind = "frame"

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
        """For every row and column of the output, the input's (−1 where it has none) and that of the zeros."""
        self._zeros = zeros

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        around = self._zeros(machine)
        laid = in_layout(around, Value("zeros", around.shape, self.outputs[0].blocked), machine)
        x, zeros, y = (planes(each, self.outputs[0]) for each in (bottom[0], laid, top[0]))
        machine.kernels.add_border(x, zeros, *self._maps, y, machine.threads)
        return top
