"""Drop layers that pass on what they get: Dropout in the TEST phase and, in inference, Split.

Exact: y = x. In training a layer stays whose top has a name of its own, and so a gradient that may be asked for by
itself; one whose bottom others read too, or is a loss, whose gradients are not its top's; and one that lets no gradient
through.
"""

from __future__ import annotations

from fcnlite.compiler.ir import Graph
from fcnlite.compiler.operations import LayerOperation
from fcnlite.layers.dropout import Dropout
from fcnlite.layers.split import Split


def eliminate_identity(graph: Graph) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, LayerOperation):
            continue
        layer = operation.layer
        in_place = layer.spec.top == layer.spec.bottom and not operation.no_gradient
        in_place = in_place and graph.only_reader(operation.inputs[0]) is operation
        idle = (type(layer) is Dropout and layer.phase == "TEST") or type(layer) is Split
        if idle and (in_place or not graph.training):
            for top in operation.outputs:
                graph.rename(top, operation.inputs[0])
            graph.operations.remove(operation)
            done.append(f"{layer.spec.name} ({layer.type})")
    return done
