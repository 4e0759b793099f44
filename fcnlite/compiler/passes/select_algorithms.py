"""Select each convolution's algorithm by predicted time.

    before      convolution, any algorithm
    after       convolution, the algorithm that the cost model (cost.py) predicts to be the fastest

    condition   always; where memory is low, only algorithms whose prepared weights take little more memory than the
                weights themselves

Equal but for rounding: in exact arithmetic all algorithms compute the same. The choice never depends on a measured
time, so the same net on the same kind of machine always has the same last digits.
"""

from __future__ import annotations

from fcnlite.compiler.convolution.algorithms import candidates, cheapest
from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.ir import Graph, Layout
from fcnlite.compiler.machine import Machine


def select_algorithms(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations:
        if isinstance(operation, ConvolutionOperation):
            maker = graph.producer(operation.inputs[0])
            if not graph.training and maker is not None and maker.writes is Layout.BLOCKED:
                operation.change(blocked=True)
            p, found = operation.problem, candidates(operation.problem)
            operation.algorithm = cheapest(p, machine, found)
            times = {each: each.cost(p).seconds(machine.threads) for each in (*found, operation.algorithm)}
            shown = ", ".join(f"{each.name(p)} {1e3 * seconds:.2f} ms" for each, seconds in times.items())
            why = ", of those that need little memory" if machine.low_memory else ""
            done.append(f"{operation.layers[0]}: {operation.algorithm.name(p)}{why} (predicted: {shown})")
    return done
