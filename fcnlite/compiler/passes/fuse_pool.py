"""Let a convolution pool what it makes: 2×2 max pooling of stride 2 becomes its last step (inference only).

Exact: Winograd's tiles have even sides and, unless the kernel is dilated, no gaps, so that every window lies in one
tile; and the maximum of values that were each shifted and rectified is the maximum, shifted and rectified (not so with
PReLU, whose slopes may fall). Only Winograd's way has tiles; where the cost model predicts that another way and a
pooling behind it take less, as of few channels, they stay apart. It compares them for the whole picture: frames and
layouts come later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fcnlite.compiler.algorithms import candidates, cheapest
from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.ir import Graph, Machine, Value, traffic
from fcnlite.compiler.pooling import MaxPooling
from fcnlite.compiler.problem import Problem


def fuse_pool(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, Convolution):
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
    """The predicted time of the cheapest way to compute `p`, which reads and writes these values."""
    cost = traffic(values) + cheapest(p, machine, candidates(p)).cost(p)
    return cost.seconds(machine.threads)
