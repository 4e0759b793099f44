"""Max unpooling: values at the places of a pooling's maxima, in the blocked layout."""

from __future__ import annotations

from fcnlite.arrays import Array
from fcnlite.compiler.ir import ForwardStep, Layout, Value
from fcnlite.compiler.layouts import to_nchw
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers.base import Layer, named
from fcnlite.layers.forks.places import read_places
from fcnlite.layers.forks.unpooling import Unpooling
from fcnlite.layers.forks.upsample import Upsample


class MaxUnpooling(LayerOperation):
    """Upsample, or Unpooling with a mask. Only in inference."""

    kind = "max unpooling"

    @classmethod
    def lower(cls, operation: LayerOperation, training: bool) -> LayerOperation | None:
        return None if training else super().lower(operation, training)

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        return type(layer) in (Upsample, Unpooling) and len(layer.spec.bottom) == 2

    @property
    def reads(self) -> Layout:
        return Layout.BLOCKED

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        x, mask = bottom
        if machine.kernels.unpool(x, mask, top[0], machine.threads):  # raises the layer's error
            places = to_nchw(mask, self.inputs[1], machine)
            named(self.layer, lambda: read_places(places, self.outputs[0].shape))
        return top
