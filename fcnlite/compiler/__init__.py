"""The fast path: a compiler from a net's schedule to a plan of fast operations, with the same results up to rounding.

    schedule -> graph (ir.py) -> passes (passes/table.py) -> plan (plan.py)

operations/ has one file for each kind of operation, and convolution/ the convolution with its algorithms. Each class
declares its layouts, windows and aliasing to the passes. fcnlite/_kernels has the compiled loops.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fcnlite.arrays import Shape
from fcnlite.compiler import report
from fcnlite.compiler.arena import Arena, Outputs
from fcnlite.compiler.ir import Graph, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.compiler.passes.table import passes_for
from fcnlite.compiler.plan import Plan
from fcnlite.graph.schedule import Schedule

__all__ = ["Arena", "Machine", "Outputs", "Plan", "compile_schedule", "graph_of", "report", "rewrite"]


def compile_schedule(
    schedule: Schedule, shapes: Mapping[int, Shape], machine: Machine, *, training: bool, in_full: Iterable[int] = ()
) -> Plan:
    """The plan for `schedule`, whose versions have `shapes`.

    `training`: whether a backward pass can follow. `in_full`: versions that a plan for training stores with all of
    their rows; of other values it may store only one of several equal rows (elide_padding).
    """
    graph = graph_of(schedule, shapes, training=training, in_full=in_full)
    notes = dict(rewrite(graph, machine))
    graph.drop_unread()
    return Plan(graph, schedule, machine, notes)


def rewrite(graph: Graph, machine: Machine) -> Iterator[tuple[str, list[str]]]:
    """Run the passes on the graph. Yields after each pass its name and a line for each change."""
    for each in passes_for("training" if graph.training else "inference"):
        yield each.name, each.run(graph, machine)


def graph_of(schedule: Schedule, shapes: Mapping[int, Shape], *, training: bool, in_full: Iterable[int] = ()) -> Graph:
    """The graph before the first pass: one operation for each step. Arguments: as for `compile_schedule`."""
    names = {version: name for name, version in schedule.inputs.items()}
    for step in schedule.steps:
        names.update(zip(step.top, step.layer.spec.top, strict=True))
    values = {version: Value(name, shapes[version]) for version, name in names.items()}
    operations = [
        LayerOperation(
            step.layer, [values[each] for each in step.bottom], [values[each] for each in step.top], step.overwrite
        )
        for step in schedule.steps
    ]
    lasting = {values[version] for version in schedule.outputs.values()}
    if training:
        lasting |= {values[version] for version in (*schedule.last.values(), *schedule.losses)}
    return Graph(
        list(operations),
        {name: values[version] for name, version in schedule.inputs.items()},
        {name: values[version] for name, version in schedule.outputs.items()},
        values,
        lasting,
        training,
        {values[version] for version in in_full},
    )
