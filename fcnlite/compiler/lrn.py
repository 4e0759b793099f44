"""Local response normalisation across the channels of a blocked array."""

from __future__ import annotations

import numpy as np

from fcnlite.compiler.ir import Machine, Operation, Run, Value
from fcnlite.layers.base import Array, Layer
from fcnlite.layers.lrn import LRN


class LocalResponse(Operation):
    """LRN of the ACROSS_CHANNELS kind (layers/lrn.py); backward takes the sums from its input again."""

    kind = "local response normalisation"

    def __init__(self, layer: LRN, inputs: list[Value], outputs: list[Value]) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        o = layer.options
        reach = min(o.local_size // 2, inputs[0].shape[1])  # beyond the last channel there is nothing
        self._options = reach, o.alpha / o.local_size, o.beta, o.k

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        """Not where k^−beta is infinite: it multiplies the zeros of the channels that pad a block."""
        if type(layer) is not LRN or not layer.across or len(bottom.shape) != 4:
            return False
        k, beta = np.float32(layer.options.k), np.float32(layer.options.beta)
        with np.errstate(all="ignore"):
            return bool(k > 0 and np.isfinite(k**-beta) and np.isfinite(k ** (-beta - 1)))

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        run.bottom = bottom
        machine.kernels.lrn(bottom[0], *self._options, top[0], machine.threads)
        return top

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        dx = machine.buffer(self.inputs[0].memory_shape)
        machine.kernels.lrn_backward(dtop[0], run.bottom[0], *self._options, dx, machine.threads)
        return [dx]
