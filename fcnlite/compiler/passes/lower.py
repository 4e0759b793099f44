"""Put fast convolutions, poolings, inner products and losses where the layers are such that the kernels fit them."""

from __future__ import annotations

from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.ir import Graph, Operation
from fcnlite.compiler.operations import FewRows, LayerOperation, MaxPooling, SoftmaxLoss
from fcnlite.layers import convolution
from fcnlite.layers.inner_product import InnerProduct
from fcnlite.layers.pooling import Pooling


def lower(graph: Graph) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if type(operation) is not LayerOperation:
            continue
        layer, inputs, outputs = operation.layer, operation.inputs, operation.outputs
        lowered: Operation
        if type(layer) is convolution.Convolution:
            lowered = Convolution(layer, inputs, outputs, graph.training)
        elif type(layer) is Pooling and MaxPooling.suits(layer):
            lowered = MaxPooling(layer, inputs, outputs, graph.training)
        elif type(layer) is InnerProduct and FewRows.suits(layer, inputs[0]):
            lowered = FewRows(layer, inputs, outputs, operation.overwrite)
        elif SoftmaxLoss.suits(layer, inputs[0]):
            lowered = SoftmaxLoss(layer, inputs, outputs, operation.overwrite)
        else:
            continue
        lowered.no_gradient = operation.no_gradient
        graph.replace([operation], [lowered])
        done.append(layer.spec.name)
    return done
