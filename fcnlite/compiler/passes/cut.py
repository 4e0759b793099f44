"""Put a cut at a fixed place where Crop stands: the shapes are known, so its reference need not be there."""

from __future__ import annotations

from fcnlite.compiler.ir import Graph
from fcnlite.compiler.operations import Cut, LayerOperation
from fcnlite.layers.crop import Crop


def cut(graph: Graph) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if isinstance(operation, LayerOperation) and type(operation.layer) is Crop:
            window = operation.layer.window(*(each.shape for each in operation.inputs))
            new = Cut(operation.inputs[:1], operation.outputs, operation.layers, window)
            new.no_gradient = operation.no_gradient & {0}
            graph.replace([operation], [new])
            done.append(operation.layers[0])
    return done
