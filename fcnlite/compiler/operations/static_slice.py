"""A slice of an array, at a place that is known when the plan is made: Crop, or one top of Slice."""

from __future__ import annotations

from collections.abc import Sequence

from fcnlite.arrays import Array
from fcnlite.compiler.ir import BackwardStep, ForwardStep, Operation, Value
from fcnlite.compiler.machine import Machine


class StaticSlice(Operation):
    """`y = x[indices]`."""

    kind = "crop"

    def __init__(
        self, inputs: Sequence[Value], outputs: Sequence[Value], layers: Sequence[str], indices: tuple[slice, ...]
    ) -> None:
        super().__init__(inputs, outputs, layers)
        self.indices = indices
        self.aliases = self.outputs[0].shape == self.inputs[0].shape
        """Whether the slice is the whole array, which is then the output."""

    @property
    def offset(self) -> tuple[int, int] | None:
        """The first row and column; None if it slices other axes."""
        if self.indices[:2] != (slice(None), slice(None)):
            return None
        rows, columns = self.indices[2:]
        return rows.start or 0, columns.start or 0  # an axis that is not sliced has no start

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        if self.aliases:
            return [bottom[0]]
        top[0][...] = bottom[0][self.indices]
        return top

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        if self.aliases:
            return [dtop[0]]
        dx = machine.buffer(self.inputs[0].shape)
        dx[...] = 0
        dx[self.indices] = dtop[0]
        return [dx]
