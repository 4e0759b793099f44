"""InnerProduct of a small batch."""

from __future__ import annotations

from math import prod

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.ir import ForwardStep, SetUp, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers.base import BackwardRun, Layer
from fcnlite.layers.inner_product import InnerProduct

MAX_ROWS = 16
"""The most rows of the batch; for more, a matrix product reuses the weights that it has read."""


class SmallBatchInnerProduct(LayerOperation):
    """InnerProduct of a batch so small that its time is that of reading the weight from memory."""

    kind = "inner product of a small batch"

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        if type(layer) is not InnerProduct or layer.options.transpose:
            return False
        return prod(layer.split(bottom.shape)[0]) <= MAX_ROWS

    @property
    def calls_blas(self) -> bool:
        return False

    def set_up(self, machine: Machine) -> SetUp:
        return SetUp(scratch=prod(self.inputs[0].shape))

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        weight, *bias = (each.array for each in machine.params(self.layer.spec.name))
        y = top[0].reshape(-1, weight.shape[0])
        x = step.scratch.reshape(len(y), -1)  # aligned, as vector loads need it
        x[...] = bottom[0].reshape(x.shape)
        none = np.empty(0, np.float32)
        machine.kernels.inner_product(x, weight, bias[0] if bias else none, y, machine.threads)
        step.saved = BackwardRun([weight, *bias], bottom=bottom, bottom_shapes=[each.shape for each in bottom])
        return top

    def cost(self, threads: int) -> Cost:
        layer = self.layer
        assert isinstance(layer, InnerProduct)
        weights = layer.split(self.inputs[0].shape)[1] * layer.options.num_output
        return super().cost(threads) + Cost(memory=4.0 * weights)
