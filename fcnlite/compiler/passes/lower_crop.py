"""Put a cut at a fixed place where Crop stands: the shapes are known, so its reference need not be there.

In inference, cuts stand for a Slice too. In training it stays: its gradient is made in one go.
"""

from __future__ import annotations

from fcnlite.compiler.ir import Graph
from fcnlite.compiler.operations import Cut, LayerOperation
from fcnlite.layers.crop import Crop
from fcnlite.layers.slice import Slice


def lower_crop(graph: Graph) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, LayerOperation):
            continue
        layer, shapes = operation.layer, [each.shape for each in operation.inputs]
        if type(layer) is Crop:
            windows = [layer.window(*shapes)]
        elif type(layer) is Slice and len(operation.outputs) > 1 and not graph.training:
            windows = layer.windows(*shapes)
        else:
            continue
        cuts = [
            Cut(operation.inputs[:1], [top], operation.layers, window)
            for top, window in zip(operation.outputs, windows, strict=True)
        ]
        for each in cuts:
            each.no_gradient = operation.no_gradient & {0}
        graph.replace([operation], cuts)
        done.append(operation.layers[0])
    return done
