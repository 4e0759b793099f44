"""Let a convolution rectify what it makes: ReLU or PReLU behind it becomes its last step.

Exact: the same maximum, and for PReLU the same slope below zero, taken while the value is in a register. In training
only ReLU itself, and only where nobody looks at the value before it: where it is written in place, as in the published
nets.
"""

from __future__ import annotations

from fcnlite.compiler.convolution import Convolution, Slopes
from fcnlite.compiler.ir import Graph
from fcnlite.compiler.operations import LayerOperation
from fcnlite.layers.base import Layer
from fcnlite.layers.prelu import PReLU
from fcnlite.layers.relu import ReLU


def fuse_relu(graph: Graph) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, Convolution):
            continue
        reader = graph.only_reader(operation.outputs[0])
        if not isinstance(reader, LayerOperation) or type(reader.layer) not in (ReLU, PReLU) or reader.no_gradient:
            continue
        slopes = _slopes(reader.layer)
        if slopes is None or not graph.training:
            operation.change(relu=True)
            operation.slopes = slopes
            done.append(f"{reader.layers[0]} into {operation.layers[0]}")
            graph.absorb(operation, reader)
    return done


def _slopes(layer: Layer) -> Slopes | None:
    """None for a ReLU that has none."""
    if isinstance(layer, PReLU):
        return Slopes(layer.spec.name)
    return Slopes(None, layer.options.negative_slope) if layer.options.negative_slope else None
