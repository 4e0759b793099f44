"""Drop layers that pass on what they get: Dropout in the TEST phase and, in inference, Split.

Exact: y = x. In training Split stays, since the gradients of its tops may be asked for, each by itself.
"""

from __future__ import annotations

from fcnlite.compiler.ir import Graph
from fcnlite.compiler.operations import LayerOperation


def drop(graph: Graph) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, LayerOperation):
            continue
        layer = operation.layer
        idle = layer.type == "Dropout" and layer.phase == "TEST"
        if idle or (layer.type == "Split" and not graph.training):
            for top in operation.outputs:
                graph.rename(top, operation.inputs[0])
            graph.operations.remove(operation)
            done.append(f"{layer.spec.name} ({layer.type})")
    return done
