"""Pooling of blocked arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.ir import Axis, BackwardStep, ForwardStep, Layout, Operation, SetUp, SlidingWindow, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.description.shapes import Window, paired
from fcnlite.layers.base import Layer
from fcnlite.layers.pooling import Pooling

_ARGUMENTS = "size", "stride", "pad"
_NO_PLACES = np.empty((0,) * 5, np.uint8)
"""Makes the kernel leave out the places of the maxima."""


class MaxPooling(Operation):
    """Max pooling; in inference also with a second output, the places of the maxima in their planes.

    In training, and for these places, a byte for each output says which element of its window is the maximum.
    """

    kind = "max pooling"

    def __init__(self, layer: Pooling, inputs: list[Value], outputs: list[Value], training: bool) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self.windows = layer.windows_over(*inputs[0].shape[2:])
        self._mode = layer.options.round_mode
        self._training = training
        two = all(each == Window(2, 2) for each in self.windows)
        self.two_by_two = two and self._mode == "CEIL" and len(outputs) == 1
        """Whether it is the pooling that a convolution can do at its end."""

    @classmethod
    def lower(cls, operation: LayerOperation, training: bool) -> MaxPooling | None:
        layer = operation.layer
        if not cls.suits(layer) or (training and len(operation.outputs) > 1):
            return None
        assert isinstance(layer, Pooling)
        return cls(layer, operation.inputs, operation.outputs, training)

    @staticmethod
    def suits(layer: Layer) -> bool:
        """Whether a byte can number the elements of a window, and no window is empty."""
        if type(layer) is not Pooling or layer.options.pool != "MAX":
            return False
        rows, columns = layer.windows
        fits = all(each.stride <= each.size for each in layer.windows)
        return not layer.options.global_pooling and rows.size * columns.size <= 255 and fits

    @property
    def reads(self) -> Layout:
        return Layout.BLOCKED

    def sliding_windows(self, axis: Axis) -> Sequence[SlidingWindow] | None:
        if len(self.outputs) > 1:
            return None  # the places depend on the position
        return [self._window(axis)]

    def _window(self, axis: Axis) -> SlidingWindow:
        clip = any(each.pad > 0 for each in self.windows)
        return SlidingWindow(self.windows[axis], self._mode, clip)

    def infer_shape(self) -> None:
        size = [self._window(axis).count(self.inputs[0].shape[2 + axis]) for axis in (0, 1)]
        self.outputs[0].shape = (*self.outputs[0].shape[:2], *size)

    def remove_padding(self) -> None:
        rows, columns = (replace(each, pad=0) for each in self.windows)
        self.windows = rows, columns

    def set_up(self, machine: Machine) -> SetUp:
        kept = -(-self.outputs[0].floats // 4) if self._placed else 0
        return SetUp(kept=kept, work=paired(self.windows, *_ARGUMENTS))

    @property
    def _placed(self) -> bool:
        return self._training or len(self.outputs) > 1

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        step.saved = _NO_PLACES
        if self._placed:
            shape = self.outputs[0].memory_shape
            step.saved = step.kept.view(np.uint8)[: prod(shape)].reshape(shape)
        machine.kernels.max_pool(bottom[0], top[0], step.saved, *step.work, machine.threads)
        if len(top) > 1:
            machine.kernels.pooled_places(step.saved, top[1], bottom[0].shape[3], *step.work, machine.threads)
        return top

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        dx = machine.buffer(self.inputs[0].memory_shape)
        machine.kernels.max_pool_backward(dtop[0], step.saved, dx, *step.work, machine.threads)
        return [dx]


class AveragePooling(Operation):
    """Average pooling. What it divides by depends on the place, at a pad: no sliding windows."""

    kind = "average pooling"

    def __init__(self, layer: Pooling, inputs: list[Value], outputs: list[Value]) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self._windows = layer.windows_over(*inputs[0].shape[2:])

    @classmethod
    def lower(cls, operation: LayerOperation, training: bool) -> AveragePooling | None:
        layer = operation.layer
        if not cls.suits(layer):
            return None
        assert isinstance(layer, Pooling)
        return cls(layer, operation.inputs, operation.outputs)

    @staticmethod
    def suits(layer: Layer) -> bool:
        return type(layer) is Pooling and layer.options.pool == "AVE"

    @property
    def reads(self) -> Layout:
        return Layout.BLOCKED

    def set_up(self, machine: Machine) -> SetUp:
        return SetUp(work=paired(self._windows, *_ARGUMENTS))

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        machine.kernels.average_pool(bottom[0], top[0], *step.work, machine.threads)
        return top

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        dx = machine.buffer(self.inputs[0].memory_shape)
        machine.kernels.average_pool_backward(dtop[0], dx, *step.work, machine.threads)
        return [dx]
