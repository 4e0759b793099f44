"""Let a convolution pool what it makes: 2×2 max pooling of stride 2 becomes its last step (inference only).

Exact: Winograd's tiles have even sides, so that every window lies in one tile; and the maximum of values that were
each shifted and rectified is the maximum, shifted and rectified (not so with PReLU, whose slopes may fall).
"""

from __future__ import annotations

from dataclasses import replace

from fcnlite.compiler.convolution import Convolution, candidates
from fcnlite.compiler.ir import Graph
from fcnlite.compiler.pooling import MaxPooling


def pool(graph: Graph) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, Convolution):
            continue
        reader = graph.only_reader(operation.outputs[0])
        if not isinstance(reader, MaxPooling) or not reader.two_by_two:
            continue
        if operation.slopes is None and candidates(replace(operation.problem, pool=True)):
            operation.change(pool=True)
            operation.layers += reader.layers
            operation.outputs = reader.outputs
            graph.operations.remove(reader)
            done.append(f"{reader.layers[0]} into {operation.layers[0]}")
    return done
