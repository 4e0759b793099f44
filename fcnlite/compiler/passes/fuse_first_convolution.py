"""Join a thin first convolution with the Winograd convolution that reads it (inference only).

Exact: the same sums. What lies between, the largest value of a net, is never whole in memory.
"""

from __future__ import annotations

from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.ir import Graph
from fcnlite.compiler.thin_winograd import ThinWinograd


def fuse_first_convolution(graph: Graph) -> list[str]:
    done = []
    for first in graph.operations[:]:
        if not isinstance(first, Convolution):
            continue
        second = graph.only_reader(first.outputs[0])
        if isinstance(second, Convolution) and ThinWinograd.suits(first, second):
            graph.replace([first, second], [ThinWinograd(first, second)])
            done.append(f"{first.layers[0]} with {second.layers[0]}")
    return done
