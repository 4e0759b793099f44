"""Make 2×2 max pooling the last step of a convolution.

    before      x → convolution → max pooling, 2×2, stride 2 → y
    after       x → Winograd convolution that pools its tiles → y

    condition   inference; no other operation reads the value between
                a Winograd algorithm suits the convolution, which has no PReLU and no ReLU with a negative slope
                the cost model predicts that the two together take no longer than apart

Exact: Winograd's tiles have even sides, and the pixels of a tile are neighbours unless the window is dilated, so every
2×2 window is inside one tile. Shift and ReLU keep the order of values, so they may come before the maximum or after it.
A negative slope may reverse the order.

The prediction is for the whole picture: elide_border and assign_layouts run later. A convolution of few channels is
often faster by another algorithm, with the pooling apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fcnlite.compiler.convolution.algorithms import candidates, cheapest
from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.convolution.problem import Problem
from fcnlite.compiler.ir import Graph, Value, traffic
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.pooling import MaxPooling


def fuse_pool(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, ConvolutionOperation):
            continue
        reader = graph.only_reader(operation.outputs[0])
        if not isinstance(reader, MaxPooling) or not reader.two_by_two:
            continue
        pooled = replace(operation.problem, pool=True)
        if operation.slopes is not None or not candidates(pooled):
            continue
        together = _seconds(pooled, [*operation.inputs, *reader.outputs], machine)
        apart = _seconds(operation.problem, [*operation.inputs, *operation.outputs], machine)
        apart += reader.cost(machine.threads).seconds(machine.threads)
        predicted = f"(predicted: together {1e3 * together:.2f} ms, apart {1e3 * apart:.2f} ms)"
        if apart < together:
            done.append(f"not {reader.layers[0]} into {operation.layers[0]} {predicted}")
            continue
        done.append(f"{reader.layers[0]} into {operation.layers[0]} {predicted}")
        operation.change(pool=True)
        graph.absorb(operation, reader)
    return done


def _seconds(p: Problem, values: Sequence[Value], machine: Machine) -> float:
    """The predicted seconds of the cheapest algorithm for `p`, which reads and writes these values."""
    cost = traffic(values) + cheapest(p, machine, candidates(p)).cost(p)
    return cost.seconds(machine.threads)
