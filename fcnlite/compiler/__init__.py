"""The fast path: a compiler from a net's schedule to a plan of fast operations, with the same result within rounding.

    schedule -> graph (ir.py) -> passes -> plan (plan.py)

What an operation computes stands in operations.py, convolution.py, pooling.py, normalization.py, lrn.py,
interpolation.py and framing.py; how a convolution is computed in algorithms.py, direct.py, im2col.py, winograd.py and
thin_winograd.py; the loops in fcnlite/_kernels.
"""

from __future__ import annotations

from collections.abc import Mapping

from fcnlite.arrays import Shape
from fcnlite.compiler import report
from fcnlite.compiler.arena import Arena, Outputs
from fcnlite.compiler.ir import Graph, Machine, Value
from fcnlite.compiler.operations import LayerOperation
from fcnlite.compiler.passes.choose import choose
from fcnlite.compiler.passes.cut import cut
from fcnlite.compiler.passes.drop import drop
from fcnlite.compiler.passes.elide import elide
from fcnlite.compiler.passes.fold import fold
from fcnlite.compiler.passes.frame import frame
from fcnlite.compiler.passes.interpolate import interpolate
from fcnlite.compiler.passes.join import join
from fcnlite.compiler.passes.lay_out import lay_out
from fcnlite.compiler.passes.lower import lower
from fcnlite.compiler.passes.normalize import normalize
from fcnlite.compiler.passes.pool import pool
from fcnlite.compiler.passes.rectify import rectify
from fcnlite.compiler.plan import Plan
from fcnlite.graph.schedule import Schedule

__all__ = ["Arena", "Machine", "Outputs", "Plan", "compile_schedule", "report"]


def compile_schedule(
    schedule: Schedule, shapes: Mapping[int, Shape], machine: Machine, *, training: bool, elides: bool = True
) -> Plan:
    """The plan for `schedule`, whose versions have `shapes`.

    With `training` a backward pass can follow it; without `elides` every value then has all of its rows.
    """
    graph = _graph(schedule, shapes, training)
    notes = {"drop": drop(graph), "cut": cut(graph), "lower": lower(graph)}
    if not training:
        notes["fold"] = fold(graph)
    notes["normalize"] = normalize(graph)
    notes["rectify"] = rectify(graph)
    if not training:
        notes["pool"] = pool(graph, machine)
        notes["frame"] = frame(graph)
    elif elides:
        notes["elide"] = elide(graph)
    notes["interpolate"] = interpolate(graph, machine)
    notes["choose"] = choose(graph, machine)
    if not training:
        notes["join"] = join(graph)
    notes["lay out"] = lay_out(graph)
    graph.drop_unread()
    return Plan(graph, schedule, machine, notes)


def _graph(schedule: Schedule, shapes: Mapping[int, Shape], training: bool) -> Graph:
    """Every step of the schedule as an operation of its own."""
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
    )
