"""Make a sum, with the rectifier after it, the last step of a convolution.

    before      x → convolution → a;  a, b → sum with its rectifier (lower_affine) → y
    after       x, b → convolution with its sum and rectifier → y

    condition   inference; no other operation reads a, and b is made before it
                the convolution ends in no rectifier, reads the blocked layout, and its algorithm can add (`ADDING`)
                it computes its whole top: margins have the convolution's values, without the sum

Exact: the same sum, taken while a is in a register. If both are convolutions, the later one takes the sum.
"""

from __future__ import annotations

from fcnlite.compiler.convolution.operation import ADDING, ConvolutionOperation
from fcnlite.compiler.ir import Graph, Operation, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.affine import Affine


def fuse_sum(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, Affine) or len(operation.inputs) != 2:
            continue
        found = _convolution(graph, operation)
        if found is None:
            continue
        convolution, other = found
        convolution.inputs.append(other)
        if operation.relu:
            convolution.rectify(operation.slopes, operation.limit)
        graph.absorb(convolution, operation)
        done.append(f"{operation.layers[0]} into {convolution.layers[0]}")
    return done


def _convolution(graph: Graph, operation: Affine) -> tuple[ConvolutionOperation, Value] | None:
    """The convolution that can take the sum, and the value that it adds."""
    places: dict[Operation | None, int] = {each: i for i, each in enumerate(graph.operations)}
    first, second = sorted(operation.inputs, key=lambda each: places.get(graph.producer(each), -1))
    maker = graph.producer(second)
    if not isinstance(maker, ConvolutionOperation) or graph.only_reader(second) is not operation:
        return None
    p = maker.problem
    adds = isinstance(maker.algorithm, ADDING) and maker.algorithm.reads_blocked and not maker.leaves_margins
    return (maker, first) if adds and not p.relu and not p.pool and len(maker.inputs) == 1 else None
