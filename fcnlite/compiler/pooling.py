"""Pooling of blocked arrays."""

from __future__ import annotations

from math import prod

import numpy as np

from fcnlite.compiler.ir import Machine, Operation, Run, Value
from fcnlite.description.shapes import Window, paired, pooled
from fcnlite.layers.base import Array, Layer
from fcnlite.layers.pooling import Pooling

_ARGUMENTS = "kernel", "stride", "pad"


class MaxPooling(Operation):
    """Max pooling of a blocked array. In training a byte for every output says which place of its window won."""

    kind = "max pooling"

    def __init__(self, layer: Pooling, inputs: list[Value], outputs: list[Value], training: bool) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self.windows = layer.windows_over(*inputs[0].shape[2:])
        self._mode = layer.options.round_mode
        self._training = training
        two = all(each == Window(2, 2) for each in self.windows)
        self.two_by_two = two and self._mode == "CEIL"
        """Whether it is the pooling that a convolution can do at its end."""

    @staticmethod
    def suits(layer: Layer) -> bool:
        """Whether the layer's windows are small enough to count their places in a byte, and none is empty."""
        if type(layer) is not Pooling or layer.options.pool != "MAX" or len(layer.spec.top) > 1:
            return False
        rows, columns = layer.windows
        fits = all(each.stride <= each.kernel for each in layer.windows)
        return not layer.options.global_pooling and rows.kernel * columns.kernel <= 255 and fits

    def pooled(self, bottom: Value) -> tuple[int, int]:
        """Height and width of the output for an input."""
        return self.pooled_along(0, bottom.shape[2]), self.pooled_along(1, bottom.shape[3])

    def pooled_along(self, axis: int, size: int) -> int:
        return pooled(self.windows, axis, size, self._mode)

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        shape = self.outputs[0].memory_shape if self._training else (0,) * 5
        run.saved = machine.kept.view(np.uint8)[: prod(shape)].reshape(shape)
        machine.kernels.max_pool(bottom[0], top[0], run.saved, *paired(self.windows, *_ARGUMENTS), machine.threads)
        return top

    def kept_floats(self) -> int:
        return -(-self.outputs[0].floats // 4) if self._training else 0

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        dx = machine.buffer(self.inputs[0].memory_shape)
        machine.kernels.max_pool_backward(dtop[0], run.saved, dx, *paired(self.windows, *_ARGUMENTS), machine.threads)
        return [dx]


class AveragePooling(Operation):
    """Average pooling of a blocked array."""

    kind = "average pooling"

    def __init__(self, layer: Pooling, inputs: list[Value], outputs: list[Value]) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self._windows = layer.windows_over(*inputs[0].shape[2:])

    @staticmethod
    def suits(layer: Layer) -> bool:
        return type(layer) is Pooling and layer.options.pool == "AVE"

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        machine.kernels.average_pool(bottom[0], top[0], *paired(self._windows, *_ARGUMENTS), machine.threads)
        return top

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        dx = machine.buffer(self.inputs[0].memory_shape)
        machine.kernels.average_pool_backward(dtop[0], dx, *paired(self._windows, *_ARGUMENTS), machine.threads)
        return [dx]
