"""Remove layers that copy their input.

    before      x → Dropout in the TEST phase → y        x → Split → y, z
    after       x                                        x

    condition   inference: always
                training: the layer is in place, lets gradients through, and is the only reader of x; x is not a loss

Exact: y = x and z = x, so every reader of y or z reads x instead. In training the gradients must agree too. A top with
a new name is a blob whose gradient may be requested. The gradient of a blob with several readers is the sum of
theirs, and that of a loss begins with its weight, so neither equals the gradient of y.
"""

from __future__ import annotations

from fcnlite.compiler.ir import Graph
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers.base import Layer
from fcnlite.layers.dropout import Dropout
from fcnlite.layers.split import Split


def eliminate_identity(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, LayerOperation) or not _is_identity(operation.layer):
            continue
        if graph.training and not _keeps_gradients(graph, operation):
            continue
        for top in operation.outputs:
            graph.rename(top, operation.inputs[0])
        graph.operations.remove(operation)
        done.append(f"{operation.layer.spec.name} ({operation.layer.type})")
    return done


def _is_identity(layer: Layer) -> bool:
    return type(layer) is Split or (type(layer) is Dropout and layer.is_identity)


def _keeps_gradients(graph: Graph, operation: LayerOperation) -> bool:
    """Whether all gradients stay the same without the operation."""
    spec = operation.layer.spec
    in_place = spec.top == spec.bottom and not operation.no_gradient
    return in_place and graph.only_reader(operation.inputs[0]) is operation
