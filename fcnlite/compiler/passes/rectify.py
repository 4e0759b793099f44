"""Let a convolution rectify what it makes: ReLU behind it becomes its last step.

Exact: the same maximum, taken while the value is in a register. In training only where nobody looks at the value before
ReLU: where it is written in place, as in the published nets.
"""

from __future__ import annotations

from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.ir import Graph
from fcnlite.compiler.operations import LayerOperation


def rectify(graph: Graph) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, Convolution):
            continue
        reader = graph.only_reader(operation.outputs[0])
        if not isinstance(reader, LayerOperation) or reader.layer.type != "ReLU" or reader.no_gradient:
            continue
        if reader.layer.options.negative_slope == 0:
            operation.change(relu=True)
            operation.layers += reader.layers
            operation.outputs = reader.outputs
            graph.operations.remove(reader)
            done.append(f"{reader.layers[0]} into {operation.layers[0]}")
    return done
