"""A layer, computed as on the reference path."""

from __future__ import annotations

from collections.abc import Sequence

from fcnlite.arrays import Array
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.ir import Axis, BackwardStep, ForwardStep, Layout, Operation, SlidingWindow, Value
from fcnlite.compiler.machine import Machine
from fcnlite.layers import calls
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer

_ELEMENTWISE = ("ReLU", "Eltwise")
"""Layers that compute each element separately, map 0 to 0 (the channels that pad a block), and have neither parameters
nor random numbers."""
_ROW_BY_ROW = ("ReLU", "PReLU")
"""Layers that compute each row separately."""
_PRODUCTS = ("Convolution", "Deconvolution", "InnerProduct")
"""Layers that may call BLAS, beside those of users."""
_SIMPLE = ("ReLU", "Softmax", "Sigmoid", "TanH")
"""Layers without parameters that always write their only top into the array that they are given."""


class LayerOperation(Operation):
    """A layer's own forward and backward."""

    kind = "layer"

    def __init__(self, layer: Layer, inputs: list[Value], outputs: list[Value], overwrite: bool = False) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self.layer = layer
        self.aliases = layer.aliases or overwrite
        self.updates_params = layer.updates_params
        self.no_gradient = layer.stopped
        self.overwrite = overwrite
        """Whether it writes its output over its first input."""
        self._simple = layer.type in _SIMPLE and not calls.is_user_defined(layer)
        """Whether nothing that forward returns needs a check."""

    @classmethod
    def lower(cls, operation: LayerOperation, training: bool) -> LayerOperation | None:
        """The operation of this class that computes the same, if it `suits`."""
        layer, inputs, outputs = operation.layer, operation.inputs, operation.outputs
        return cls(layer, inputs, outputs) if cls.suits(layer, inputs[0]) else None

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        """Whether this class computes the layer. Subclasses define it."""
        return False

    @property
    def calls_blas(self) -> bool:
        return calls.is_user_defined(self.layer) or self.layer.type in _PRODUCTS

    @property
    def reads(self) -> Layout:
        return Layout.EITHER if self.layer.type in _ELEMENTWISE else Layout.NCHW

    def sliding_windows(self, axis: Axis) -> Sequence[SlidingWindow] | None:
        return () if self.layer.type in _ROW_BY_ROW else None

    def keep_inputs(self) -> None:
        self.overwrite, self.aliases = False, self.layer.aliases

    @property
    def learns(self) -> str | None:
        return self.layer.spec.name

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        outs = bottom[:1] if self.overwrite else top if self.layer.writes_out else []
        if self._simple:
            simple = ForwardRun([], outs=outs)
            self.layer.forward(bottom, simple)
            step.saved = simple.backward(self.layer, bottom, outs)
            return outs
        made, run = machine.run_layer(self.layer, bottom, outs)
        step.saved = run
        if self.aliases:
            return made
        if len(top) > 1:  # the layer may have written one into another's place
            made = [array if array is place else array.copy() for array, place in zip(made, top, strict=True)]
        for array, place in zip(made, top, strict=True):
            place[...] = array  # changes nothing if the layer wrote there
        if run.top:  # backward reads the tops: keep them once
            run.top = top
        return top

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        run: BackwardRun = step.saved
        run.needs, run.dparams = step.needs, step.dparams
        made = calls.backward(self.layer, dtop, run)
        run.dparams = ()
        return [None if each is None else machine.arena.taken(each) for each in made]

    def cost(self, threads: int) -> Cost:
        macs = self.layer.macs([each.shape for each in self.inputs], [each.shape for each in self.outputs])
        return super().cost(threads) + Cost(products=2.0 * macs)

    def describe(self) -> str:
        return self.kind if type(self) is not LayerOperation else f"layer {self.layer.type}"
