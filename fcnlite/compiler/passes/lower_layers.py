"""Put fast operations where the layers are such that the kernels fit them: convolutions, poolings, losses …"""

from __future__ import annotations

from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.ir import Graph, Operation
from fcnlite.compiler.lrn import LocalResponse
from fcnlite.compiler.operations import Concatenation, FewRows, LayerOperation, SoftmaxLoss, Sum
from fcnlite.compiler.pooling import AveragePooling, MaxPooling
from fcnlite.layers import convolution
from fcnlite.layers.inner_product import InnerProduct
from fcnlite.layers.lrn import LRN
from fcnlite.layers.pooling import Pooling


def lower_layers(graph: Graph) -> list[str]:
    done: dict[str, list[str]] = {}
    for operation in graph.operations[:]:
        if type(operation) is not LayerOperation:
            continue
        lowered = _lowered(operation, graph.training)
        if lowered is not None:
            lowered.no_gradient = operation.no_gradient
            graph.replace([operation], [lowered])
            done.setdefault(lowered.kind, []).append(operation.layers[0])
    return [f"{kind}: {', '.join(names)}" for kind, names in done.items()]


def _lowered(operation: LayerOperation, training: bool) -> Operation | None:
    """What is to stand for an operation, if anything is."""
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
