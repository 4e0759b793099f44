"""The fast path: a compiler from a net's schedule to a plan of fast operations, with the same result within rounding.

    schedule -> graph (ir.py) -> passes -> plan (plan.py)

What an operation computes stands in operations.py, convolution.py, pooling.py, normalization.py, lrn.py,
interpolation.py and framing.py; how a convolution is computed in algorithms.py, direct.py, im2col.py, winograd.py and
thin_winograd.py; the loops in fcnlite/_kernels.
"""

from __future__ import annotations

from collections.abc import Mapping

from fcnlite.compiler import report
from fcnlite.compiler.arena import Arena, Outputs
from fcnlite.compiler.ir import Graph, Machine, Value
from fcnlite.compiler.operations import LayerOperation
from fcnlite.compiler.passes.assign_layouts import assign_layouts
from fcnlite.compiler.passes.elide_border import elide_border
from fcnlite.compiler.passes.elide_padding import elide_padding
from fcnlite.compiler.passes.eliminate_identity import eliminate_identity
from fcnlite.compiler.passes.fold_affine import fold_affine
from fcnlite.compiler.passes.fuse_first_convolution import fuse_first_convolution
from fcnlite.compiler.passes.fuse_normalization import fuse_normalization
from fcnlite.compiler.passes.fuse_pool import fuse_pool
from fcnlite.compiler.passes.fuse_relu import fuse_relu
from fcnlite.compiler.passes.lower_crop import lower_crop
from fcnlite.compiler.passes.lower_interpolation import lower_interpolation
from fcnlite.compiler.passes.lower_layers import lower_layers
from fcnlite.compiler.passes.select_algorithms import select_algorithms
from fcnlite.compiler.plan import Plan
from fcnlite.description.shapes import Shape
from fcnlite.graph.schedule import Schedule

__all__ = ["Arena", "Machine", "Outputs", "Plan", "compile_schedule", "report"]


def compile_schedule(
    schedule: Schedule, shapes: Mapping[int, Shape], machine: Machine, *, training: bool, elides: bool = True
) -> Plan:
    """The plan for `schedule`, whose versions have `shapes`.

    With `training` a backward pass can follow it; without `elides` every value then has all of its rows.
    """
    graph = _graph(schedule, shapes, training)
    notes = {
        "eliminate_identity": eliminate_identity(graph),
        "lower_crop": lower_crop(graph),
        "lower_layers": lower_layers(graph),
    }
    if not training:
        notes["fold_affine"] = fold_affine(graph)
    notes["fuse_normalization"] = fuse_normalization(graph)
    notes["fuse_relu"] = fuse_relu(graph)
    if not training:
        notes["fuse_pool"] = fuse_pool(graph, machine)
        notes["elide_border"] = elide_border(graph)
    elif elides:
        notes["elide_padding"] = elide_padding(graph)
    notes["lower_interpolation"] = lower_interpolation(graph, machine)
    notes["select_algorithms"] = select_algorithms(graph, machine)
    if not training:
        notes["fuse_first_convolution"] = fuse_first_convolution(graph)
    notes["assign_layouts"] = assign_layouts(graph)
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
