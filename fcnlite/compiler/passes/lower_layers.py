"""Replace layers with fast operations.

    before      x → a layer on the reference path → y
    after       x → Convolution | MaxPooling | AveragePooling | LocalResponse | FewRows | SoftmaxLoss |
                    Concatenation | Sum → y

    condition   the kernels cover the layer's options and shapes (the operation's `suits`)

Equal but for rounding: the same formula, with its sums taken in another order.
"""

from __future__ import annotations

from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.ir import Graph, Machine, Operation
from fcnlite.compiler.lrn import LocalResponse
from fcnlite.compiler.operations import Concatenation, FewRows, LayerOperation, SoftmaxLoss, Sum
from fcnlite.compiler.pooling import AveragePooling, MaxPooling
from fcnlite.layers import convolution
from fcnlite.layers.inner_product import InnerProduct
from fcnlite.layers.lrn import LRN
from fcnlite.layers.pooling import Pooling


def lower_layers(graph: Graph, machine: Machine) -> list[str]:
    done: dict[str, list[str]] = {}
    for operation in graph.operations[:]:
        if type(operation) is not LayerOperation:
            continue
        fast = _fast_operation(operation, graph.training)
        if fast is not None:
            fast.no_gradient = operation.no_gradient
            graph.replace([operation], [fast])
            done.setdefault(fast.kind, []).append(operation.layers[0])
    return [f"{kind}: {', '.join(names)}" for kind, names in done.items()]


def _fast_operation(operation: LayerOperation, training: bool) -> Operation | None:
    """The fast operation for a layer, if there is one."""
    layer, inputs, outputs = operation.layer, operation.inputs, operation.outputs
    if type(layer) is convolution.Convolution:
        return Convolution(layer, inputs, outputs, training)
    if type(layer) is Pooling and MaxPooling.suits(layer):
        return MaxPooling(layer, inputs, outputs, training)
    if type(layer) is Pooling and AveragePooling.suits(layer):
        return AveragePooling(layer, inputs, outputs)
    if type(layer) is LRN and LocalResponse.suits(layer, inputs[0]):
        return LocalResponse(layer, inputs, outputs)
    if type(layer) is InnerProduct and FewRows.suits(layer, inputs[0]):
        return FewRows(layer, inputs, outputs, overwrite=False)
    for kind in (SoftmaxLoss, Concatenation, Sum):
        if kind.suits(layer, inputs[0]):
            return kind(layer, inputs, outputs, overwrite=False)
    return None
