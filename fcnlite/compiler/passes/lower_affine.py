"""Compute what remains of BatchNorm, Scale, Bias, sums and rectifiers in one operation.

    before      x → BatchNorm | Scale | Bias, one or more → ReLU | PReLU | ReLU6 → y
                x, b → sum → ReLU | PReLU | ReLU6 → y
    after       x → affine map with its rectifier → y

    condition   inference; four axes; no other operation reads the values between
                BatchNorm, Scale, Bias: as for fold_affine; the sum: of two, without coefficients
                the rectifier may be missing, or alone unless it is ReLU

Equal but for rounding: factors and shifts of several layers are multiplied once, in float64. All threads compute, and
read the array once.
"""

from __future__ import annotations

from fcnlite.compiler.ir import Graph, Operation
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.affine import Affine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.compiler.operations.sum import Sum
from fcnlite.compiler.passes.fold_affine import affine_of
from fcnlite.compiler.passes.fuse_relu import fuse_rectifier, rectify
from fcnlite.compiler.passes.fuse_sum import plain
from fcnlite.layers.relu import ReLU


def lower_affine(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        new = _lowered(operation) if operation in graph.operations else None
        if new is None:
            continue
        graph.replace([operation], [new])
        while new.maps and isinstance(reader := graph.only_reader(new.outputs[0]), LayerOperation):
            following = affine_of(reader.layer)
            if following is None:
                break
            new.maps.append(following)
            graph.absorb(new, reader)
        if not new.relu:
            fuse_rectifier(graph, new)
        done.append(f"{', '.join(new.layers)}: {new.describe()}")
    return done


def _lowered(operation: Operation) -> Affine | None:
    """The operation for the first layer; None if it has none."""
    if isinstance(operation, Sum):
        return Affine(operation.inputs, operation.outputs, operation.layers) if plain(operation) else None
    if type(operation) is not LayerOperation or len(operation.inputs) != 1 or len(operation.inputs[0].shape) != 4:
        return None
    new = Affine(operation.inputs, operation.outputs, operation.layers)
    coefficients = affine_of(operation.layer)
    if coefficients is not None:
        new.maps.append(coefficients)
        return new
    alone = type(operation.layer) is ReLU and not operation.layer.options.negative_slope
    return new if not alone and rectify(new, operation.layer) else None
