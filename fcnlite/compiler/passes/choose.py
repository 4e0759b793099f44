"""Choose each convolution's algorithm: the one that the cost model (cost.py) predicts to be fastest."""

from __future__ import annotations

from fcnlite.compiler.convolution import Convolution, candidates, cheapest
from fcnlite.compiler.ir import Graph, Machine


def choose(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations:
        if isinstance(operation, Convolution):
            p = operation.problem
            times = {each: each.cost(p).seconds(machine.threads) for each in candidates(p)}
            operation.algorithm = cheapest(p, machine)
            shown = ", ".join(f"{each.name} {1e3 * seconds:.2f} ms" for each, seconds in times.items())
            done.append(f"{operation.layers[0]}: {operation.algorithm.name} (predicted: {shown})")
    return done
