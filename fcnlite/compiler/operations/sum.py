"""Eltwise SUM, in either layout."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.convolution.operation import Slopes
from fcnlite.compiler.ir import BLOCK, Axis, BackwardStep, ForwardStep, Layout, SetUp, SlidingWindow, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers.base import Layer
from fcnlite.layers.eltwise import Eltwise


class Sum(LayerOperation):
    """The sum of the inputs, each multiplied by its coefficient if there are any; then, in training, ReLU if `relu`."""

    kind = "sum"
    relu = False

    def rectify(self, slopes: Slopes | None, limit: float) -> None:
        """End in max(x, 0). Only in training, where rectifiers with slopes or a limit are operations of their own."""
        assert slopes is None and limit == math.inf
        self.relu = True

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
        (y,) = top
        step.saved = y
        if not self.coefficients:
            first, *others, last = bottom
            for x in others:
                first = added(first, x, y, machine)
            added(first, last, y, machine, relu=self.relu)
            return top
        term = step.scratch.reshape(y.shape)
        np.multiply(bottom[0], np.float32(self.coefficients[0]), out=y)
        for x, coefficient in zip(bottom[1:], self.coefficients[1:], strict=True):
            y += np.multiply(x, np.float32(coefficient), out=term)
        if self.relu:
            np.maximum(y, 0, out=y)
        return top

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        (dy,), y = dtop, step.saved
        if self.relu:
            dy = _rectified_gradient(dy, y, machine)
        if not self.coefficients:
            return [dy if need else None for need in step.needs]
        return [
            np.multiply(dy, np.float32(each), out=machine.buffer(dy.shape)) if need else None
            for need, each in zip(step.needs, self.coefficients, strict=True)
        ]

    def describe(self) -> str:
        return f"{self.kind}, ReLU" if self.relu else self.kind


def added(a: Array, b: Array, y: Array, machine: Machine, *, relu: bool = False) -> Array:
    """y = a + b, or max(a + b, 0), by all threads if the arrays are blocked; y may be a."""
    if _blocked(a, b, y):
        channels = a.shape[1] * BLOCK
        ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        machine.kernels.affine(a, ones, zeros, zeros[:0], b, y, relu, math.inf, machine.threads)
        return y
    np.add(a, b, out=y)
    return np.maximum(y, 0, out=y) if relu else y


def _rectified_gradient(dy: Array, y: Array, machine: Machine) -> Array:
    """The gradient of ReLU's input in memory of its own; y is ReLU's output."""
    dx = machine.buffer(dy.shape)
    if _blocked(dy, y):
        machine.kernels.relu_backward(dy, y, dx, np.empty((dy.shape[1], BLOCK), np.float32), machine.threads)
        return dx
    return np.multiply(dy, y > 0, out=dx)


def _blocked(*arrays: Array) -> bool:
    """Whether the arrays are such as the kernels take."""
    return all(each.ndim == 5 and each.shape[4] == BLOCK and each.size and each.flags.c_contiguous for each in arrays)
