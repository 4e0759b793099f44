"""Insert conversions where an operation reads a value in another layout than the one that it is made in.

An operation's own layouts are fixed by then. Plain layers that go element by element, and Concat of whole blocks of
channels, take either layout: they get the one that their inputs have, if that is one.
"""

from __future__ import annotations

from collections.abc import Sequence

from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.ir import BLOCK, Graph, Operation, Value
from fcnlite.compiler.normalization import Normalization
from fcnlite.compiler.operations import FromBlocked, LayerOperation, MaxPooling, ToBlocked
from fcnlite.compiler.thin_winograd import ThinWinograd
from fcnlite.layers.base import Layer

_ELEMENTWISE = ("ReLU", "Eltwise")
"""Element by element, 0 to 0 (the channels that pad a block), without parameters or random numbers."""


def lay_out(graph: Graph) -> list[str]:
    twins: dict[Value, Value] = {}
    laid: list[Operation] = []
    done = []
    for operation in graph.operations:
        wants = _wants_blocked(operation)
        for i, value in enumerate(operation.inputs):
            if value.blocked == wants:
                continue
            if value not in twins:
                twins[value] = Value(value.name, value.shape, wants)
                conversion = (ToBlocked if wants else FromBlocked)([value], [twins[value]], ())
                laid.append(conversion)
                done.append(f"{value.name}, {conversion.kind}, for {operation.layers[0]}")
            operation.inputs[i] = twins[value]
        if isinstance(operation, LayerOperation) and wants and graph.training:
            operation.keep_inputs()  # which others' backward may read, unlike that of the layers that they stand for
        for value in operation.outputs:
            value.blocked = _makes_blocked(operation, wants)
        laid.append(operation)
    graph.operations = laid
    for name, value in graph.outputs.items():
        if value.blocked:
            if value not in twins:
                twins[value] = Value(value.name, value.shape)
                graph.operations.append(FromBlocked([value], [twins[value]], ()))
                done.append(f"{value.name}, from blocked, for the caller")
            graph.outputs[name] = twins[value]
            graph.lasting.add(twins[value])
            graph.outs.add(twins[value])
    return done


def _wants_blocked(operation: Operation) -> bool:
    """Whether an operation reads blocked values."""
    if isinstance(operation, LayerOperation):
        return all(each.blocked for each in operation.inputs) and _takes_either(operation.layer, operation.inputs)
    if isinstance(operation, Convolution):
        return operation.algorithm.reads_blocked
    return isinstance(operation, MaxPooling | Normalization)


def _makes_blocked(operation: Operation, wants: bool) -> bool:
    """Whether an operation, which reads as it wants, makes blocked values."""
    if isinstance(operation, Convolution):
        return operation.algorithm.writes_blocked
    return wants or isinstance(operation, ThinWinograd)


def _takes_either(layer: Layer, inputs: Sequence[Value]) -> bool:
    if layer.type == "Concat":
        return layer.axis == 1 and all(each.shape[1] % BLOCK == 0 for each in inputs)  # type: ignore[attr-defined]
    return layer.type in _ELEMENTWISE
