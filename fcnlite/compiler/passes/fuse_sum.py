"""Add a sum, and the rectifier that follows it, to the end of a convolution.

    before      x → convolution → a;  a, b → sum → ReLU | PReLU | ReLU6 → y
    after       x, b → convolution with its sum and rectifier → y

    condition   inference; a sum of two, without coefficients; no other operation reads a, and b is made before it
                the convolution ends in no rectifier, and its algorithm can add (`FINISHING`)
                the rectifier, which may be missing: the only reader of the sum

Exact: the same sum, taken while a is in a register. If both are convolutions, the later one takes the sum.
"""

from __future__ import annotations

from fcnlite.compiler.convolution.operation import FINISHING, ConvolutionOperation
from fcnlite.compiler.ir import Graph, Operation, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.sum import Sum
from fcnlite.compiler.passes.fuse_relu import fuse_rectifier


def fuse_sum(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, Sum) or not plain(operation):
            continue
        found = _convolution(graph, operation)
        if found is None:
            continue
        convolution, other = found
        convolution.inputs.append(other)
        graph.absorb(convolution, operation)
        done.append(f"{operation.layers[0]} into {convolution.layers[0]}")
        done += fuse_rectifier(graph, convolution)
    return done


def plain(operation: Sum) -> bool:
    """Whether it adds two different values of four axes, without coefficients."""
    values = {*operation.inputs, *operation.outputs}
    whole = all(len(each.shape) == 4 and each.repeats is None for each in values)
    return len(operation.inputs) == 2 and len(values) == 3 and not operation.coefficients and whole


def _convolution(graph: Graph, operation: Sum) -> tuple[ConvolutionOperation, Value] | None:
    """The convolution that can take the sum, and the value that it adds."""
    places: dict[Operation | None, int] = {each: i for i, each in enumerate(graph.operations)}
    first, second = sorted(operation.inputs, key=lambda each: places.get(graph.producer(each), -1))
    maker = graph.producer(second)
    if not isinstance(maker, ConvolutionOperation) or graph.only_reader(second) is not operation:
        return None
    p = maker.problem
    adds = isinstance(maker.algorithm, FINISHING) and maker.algorithm.reads_blocked
    return (maker, first) if adds and not p.relu and not p.pool and len(maker.inputs) == 1 else None
