"""Compute a thin first convolution inside the Winograd convolution that reads it.

    before      x → convolution of few channels, direct → convolution, Winograd → y
    after       x → ThinWinograd → y

    condition   inference; no other operation reads the value between; `ThinWinograd.suits`

Exact: the same sums. The value between, the largest of a net, is computed piece by piece and stays in the cache.
"""

from __future__ import annotations

from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.ir import Graph
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.thin_winograd import ThinWinograd


def fuse_first_convolution(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for first in graph.operations[:]:
        if not isinstance(first, ConvolutionOperation):
            continue
        second = graph.only_reader(first.outputs[0])
        if isinstance(second, ConvolutionOperation) and ThinWinograd.suits(first, second):
            graph.replace([first, second], [ThinWinograd(first, second)])
            done.append(f"{first.layers[0]} with {second.layers[0]}")
    return done
