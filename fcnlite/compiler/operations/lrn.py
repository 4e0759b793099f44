"""Local response normalisation across the channels of a blocked array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.ir import Axis, BackwardStep, ForwardStep, Layout, Operation, SlidingWindow, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers.base import Layer
from fcnlite.layers.lrn import LRN


class LocalResponseNormalization(Operation):
    """LRN, ACROSS_CHANNELS (layers/lrn.py); backward computes the sums again from the input."""

    kind = "local response normalisation"

    def __init__(self, layer: LRN, inputs: list[Value], outputs: list[Value]) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        o = layer.options
        reach = min(o.local_size // 2, inputs[0].shape[1])  # there are no channels beyond the last
        self._options = reach, o.alpha / o.local_size, o.beta, o.k

    @classmethod
    def lower(cls, operation: LayerOperation, training: bool) -> LocalResponseNormalization | None:
        layer, inputs = operation.layer, operation.inputs
        if not cls.suits(layer, inputs[0]):
            return None
        assert isinstance(layer, LRN)
        return cls(layer, inputs, operation.outputs)

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        """Whether k^−beta is finite: it multiplies the zeros of the channels that pad a block."""
        if type(layer) is not LRN or not layer.across or len(bottom.shape) != 4:
            return False
        k, beta = np.float32(layer.options.k), np.float32(layer.options.beta)
        with np.errstate(all="ignore"):
            return bool(k > 0 and np.isfinite(k**-beta) and np.isfinite(k ** (-beta - 1)))

    @property
    def reads(self) -> Layout:
        return Layout.BLOCKED

    def sliding_windows(self, axis: Axis) -> Sequence[SlidingWindow] | None:
        return ()

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        step.saved = bottom[0]
        machine.kernels.lrn(bottom[0], *self._options, top[0], machine.threads)
        return top

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        dx = machine.buffer(self.inputs[0].memory_shape)
        machine.kernels.lrn_backward(dtop[0], step.saved, *self._options, dx, machine.threads)
        return [dx]
