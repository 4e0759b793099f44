"""Eltwise SUM, in either layout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.ir import Axis, BackwardStep, ForwardStep, Layout, SetUp, SlidingWindow, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers.base import Layer
from fcnlite.layers.eltwise import Eltwise


class Sum(LayerOperation):
    """The sum of the inputs, each multiplied by its coefficient if there are any."""

    kind = "sum"

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        return type(layer) is Eltwise and layer.options.operation == "SUM"

    @property
    def coefficients(self) -> Sequence[float]:
        """One for each input; empty if all are 1."""
        return self.layer.options.coeff

    @property
    def reads(self) -> Layout:
        return Layout.EITHER

    def sliding_windows(self, axis: Axis) -> Sequence[SlidingWindow] | None:
        return ()

    def set_up(self, machine: Machine) -> SetUp:
        return SetUp(scratch=self.outputs[0].floats if self.coefficients else 0)

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        if not self.coefficients:
            np.add(bottom[0], bottom[1], out=top[0])
            for x in bottom[2:]:
                top[0] += x
            return top
        term = step.scratch.reshape(top[0].shape)
        np.multiply(bottom[0], np.float32(self.coefficients[0]), out=top[0])
        for x, coefficient in zip(bottom[1:], self.coefficients[1:], strict=True):
            top[0] += np.multiply(x, np.float32(coefficient), out=term)
        return top

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        (dy,) = dtop
        if not self.coefficients:
            return [dy if need else None for need in step.needs]
        return [
            np.multiply(dy, np.float32(each), out=machine.buffer(dy.shape)) if need else None
            for need, each in zip(step.needs, self.coefficients, strict=True)
        ]
