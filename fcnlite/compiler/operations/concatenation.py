"""Concat, in either layout."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from fcnlite.arrays import Array
from fcnlite.compiler.ir import Axis, BackwardStep, ForwardStep, Layout, SlidingWindow, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers.base import Layer, canonical_axis
from fcnlite.layers.concat import Concat


class Concatenation(LayerOperation):
    """Arrays side by side along an axis; blocked arrays along the channels only."""

    kind = "concatenation"

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        return type(layer) is Concat

    @property
    def axis(self) -> int:
        assert isinstance(self.layer, Concat)
        return canonical_axis(self.layer.axis, len(self.inputs[0].shape))

    @property
    def reads(self) -> Layout:
        return Layout.EITHER if self.axis == 1 else Layout.NCHW

    def sliding_windows(self, axis: Axis) -> Sequence[SlidingWindow] | None:
        return () if self.axis == 1 else None

    def _parts(self) -> list[tuple[int, int]]:
        """The start and end of each input on the axis."""
        return list(pairwise(accumulate((each.shape[self.axis] for each in self.inputs), initial=0)))

    def _at(self, start: int, stop: int) -> tuple[slice, ...]:
        return (*[slice(None)] * self.axis, slice(start, stop))

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        for x, (start, stop) in zip(bottom, self._parts(), strict=True):
            if self.outputs[0].blocked:
                machine.kernels.put_channels(x, stop - start, top[0], start, machine.threads)
            else:
                top[0][self._at(start, stop)] = x
        return top

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        gradients: list[Array | None] = []
        for value, need, (start, stop) in zip(self.inputs, step.needs, self._parts(), strict=True):
            dx = machine.buffer(value.memory_shape) if need else None
            if dx is not None and value.blocked:
                machine.kernels.take_channels(dtop[0], start, stop - start, dx, machine.threads)
            elif dx is not None:
                dx[...] = dtop[0][self._at(start, stop)]
            gradients.append(dx)
        return gradients
