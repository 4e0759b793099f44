"""Concat, in either layout."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import prod

from fcnlite.arrays import Array
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.ir import Axis, BackwardStep, ForwardStep, Layout, SlidingWindow, Value, traffic
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

    def parts(self) -> list[tuple[int, int]]:
        """The start and end of each input on the axis."""
        return list(pairwise(accumulate((each.shape[self.axis] for each in self.inputs), initial=0)))

    def _at(self, start: int, stop: int) -> tuple[slice, ...]:
        return (*[slice(None)] * self.axis, slice(start, stop))

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        for value, x, (start, stop) in zip(self.inputs, bottom, self.parts(), strict=True):
            if value.part_of == self.place(start):
                continue
            if self.outputs[0].blocked:
                machine.kernels.put_channels(x, stop - start, top[0], start, machine.threads)
            else:
                top[0][self._at(start, stop)] = x
        return top

    def place(self, start: int) -> tuple[Value, int]:
        """The place (`Value.part_of`) in the blocked output, of one sample, that begins at channel `start`."""
        return self.outputs[0], start * prod(self.outputs[0].shape[2:])

    def _moved(self) -> list[Value]:
        """The inputs that forward copies."""
        parts = zip(self.inputs, self.parts(), strict=True)
        return [each for each, (start, _) in parts if each.part_of != self.place(start)]

    def cost(self, threads: int) -> Cost:
        return traffic((*self._moved(), *self._moved()))

    def describe(self) -> str:
        return self.kind if self._moved() else f"{self.kind} in place"

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        gradients: list[Array | None] = []
        for value, need, (start, stop) in zip(self.inputs, step.needs, self.parts(), strict=True):
            dx = machine.buffer(value.memory_shape) if need else None
            if dx is not None and value.blocked:
                machine.kernels.take_channels(dtop[0], start, stop - start, dx, machine.threads)
            elif dx is not None:
                dx[...] = dtop[0][self._at(start, stop)]
            gradients.append(dx)
        return gradients
