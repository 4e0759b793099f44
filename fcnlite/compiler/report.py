"""A plan as text: what each pass did, and the predicted and the measured time of each step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.ir import Graph, Value
from fcnlite.compiler.passes.table import all_passes
from fcnlite.compiler.plan import Plan
from fcnlite.description.shapes import show
from fcnlite.threads import blas_alone


def measure(plan: Plan, feeds: Mapping[str, Array], runs: int = 3) -> list[float]:
    """The seconds that each step takes: the fastest of `runs`, after a first run that prepares the weights."""
    times = []
    with np.errstate(all="ignore"), blas_alone():
        for _ in range(1 + runs):
            clock: list[float] = []
            plan.forward(feeds, clock)
            times.append(np.diff(clock))
    return [float(each) for each in np.min(times[1:], axis=0)]


def passes(plan: Plan) -> str:
    """The passes that ran, in order: the name and the purpose of each, then a line for each place that it changed."""
    purposes = {each.name: each.purpose for each in all_passes()}
    return "\n".join("\n  ".join([f"{name}: {purposes[name]}", *lines]) for name, lines in plan.notes.items())


def operations(graph: Graph) -> list[str]:
    """A line for each operation of the graph: what it does, what it reads, and what it makes.

    Before `select_algorithms`, the algorithm of a convolution is the first of those that suit it.
    """
    return [
        f"{each.describe()}: {', '.join(value.name for value in each.inputs)} → {', '.join(map(_made, each.outputs))}"
        for each in graph.operations
    ]


def _made(value: Value) -> str:
    return f"{value.name} {show(value.shape)}{' blocked' if value.blocked else ''}"


def steps(plan: Plan, seconds: list[float]) -> str:
    """A table of the steps, and the memory that they share."""
    rows = [("ms", "predicted", "GFLOP/s", "step", "top", "layers")]
    predicted = 0.0
    for operation, measured in zip(plan.graph.operations, seconds, strict=True):
        cost = operation.cost(plan.machine.threads)
        own = cost.seconds(plan.machine.threads)
        predicted += own
        rate = f"{cost.products / measured / 1e9:.0f}" if cost.products else ""
        top = show(operation.outputs[0].shape) if operation.outputs else ""
        what = operation.describe()
        rows.append((f"{1e3 * measured:.2f}", f"{1e3 * own:.2f}", rate, what, top, ", ".join(operation.layers)))
    rows.append((f"{1e3 * sum(seconds):.2f}", f"{1e3 * predicted:.2f}", "", "all steps", "", ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, ">>><<<", widths, strict=True))
        for row in rows
    )
    table = "\n".join(line.rstrip() for line in lines)
    return f"{table}\n\nmemory for blobs and scratch: {4e-6 * plan.arena_floats:.1f} MB in one arena"
