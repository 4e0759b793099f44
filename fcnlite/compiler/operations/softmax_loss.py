"""SoftmaxWithLoss, and InfogainLoss with a diagonal matrix, in one pass over the scores."""

from __future__ import annotations

from math import prod

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.ir import BackwardStep, ForwardStep, SetUp, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers import infogain_loss, softmax_loss
from fcnlite.layers.base import Layer, canonical_axis, named
from fcnlite.layers.infogain_loss import InfogainLoss
from fcnlite.layers.labels import read_labels
from fcnlite.layers.softmax_loss import SoftmaxWithLoss


class SoftmaxLoss(LayerOperation):
    """SoftmaxWithLoss over the channels of N×C×H×W or N×C; or InfogainLoss with a diagonal matrix.

    The diagonal weights each pixel by its class.
    """

    kind = "softmax loss"

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        if type(layer) not in (SoftmaxWithLoss, InfogainLoss) or len(bottom.shape) not in (2, 4):
            return False
        if canonical_axis(layer.options.axis, len(bottom.shape)) != 1:
            return False
        if isinstance(layer, SoftmaxWithLoss):
            return True
        h = np.reshape(layer.options.matrix, (bottom.shape[1], -1))
        return h.size > 0 and bool((h == np.diag(np.diag(h))).all())  # empty: the matrix is the third bottom

    def set_up(self, machine: Machine) -> SetUp:
        return SetUp(kept=0 if len(self.outputs) > 1 else prod(self.inputs[0].shape))

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        x, label = bottom
        layer = self.layer
        assert isinstance(layer, SoftmaxWithLoss | InfogainLoss)
        label, counted = named(layer, lambda: read_labels(label, x.shape, 1, layer.options.ignore_label))
        x = _four_axes(x)
        label, counted = label.reshape(-1, *x.shape[2:]), counted.reshape(-1, *x.shape[2:])
        if isinstance(layer, SoftmaxWithLoss):
            smallest = float(softmax_loss.SMALLEST)
            shard = machine.state.shard
            importance = layer.importance(label, counted, x.shape[1], shard, np.dtype(np.float32))
        else:
            smallest = infogain_loss.SMALLEST
            weights = np.diag(np.reshape(layer.options.matrix, (x.shape[1], -1))).astype(np.float32)
            importance = counted * weights[label]
        p = _four_axes(top[1]) if len(top) > 1 else step.kept.reshape(x.shape)
        loss = machine.kernels.softmax_loss(x, label, importance, smallest, p, machine.threads)
        top[0][...], z = layer.of_batch(loss, counted, x.shape[0], machine.state.shard)
        step.saved = p, label, importance, z
        return top

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        p, label, importance, z = step.saved
        dx = machine.buffer(p.shape)
        machine.kernels.softmax_loss_backward(p, label, importance, float(dtop[0]) / z, dx, machine.threads)
        return [dx.reshape(self.inputs[0].shape), None]


def _four_axes(x: Array) -> Array:
    """N×C×H×W; an N×C array becomes pictures of one pixel."""
    return x.reshape(*x.shape[:2], *(x.shape[2:] or (1, 1)))
