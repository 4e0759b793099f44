"""What layers make of a picture of zeros: it depends on their parameters alone, so that it is computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace

import numpy as np

from fcnlite.compiler.arena import Arena
from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.ir import Graph, Machine, Operation, Value
from fcnlite.compiler.passes.lay_out import lay_out
from fcnlite.compiler.plan import Plan
from fcnlite.layers.base import Array, Shape
from fcnlite.schedule import Schedule


class ZeroPicture:
    """Operations on one picture of zeros, of another size than that of the operations that they are taken from.

    `operations` are these; each has its twin, which computes it, in `shrunk`. `shapes` are those of what the twins read
    and make. The first of them reads `picture`, whose pad is all that there is of it.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        shrunk: Sequence[Operation],
        picture: Value,
        shapes: Mapping[Value, Shape],
        outputs: Sequence[Value],
    ) -> None:
        self._operations = operations
        self._shrunk = shrunk
        self._picture = picture
        self._shapes = shapes
        self._outputs = outputs

    def array(self, value: Value, machine: Machine) -> Array:
        """What the zeros become where the operations have `value`: 1×C×H×W."""
        done = tuple((each.layers, getattr(each, "algorithm", None)) for each in self._operations)
        framed = tuple(i for i, each in enumerate(self._operations) if each.outputs[0] in self._outputs)
        layers = [name for each in self._operations for name in each.layers]
        key = "zero picture", done, framed, self._shapes[self._picture]
        found: dict[str, Array] = machine.prepare(key, layers, lambda _: self._compute(machine))
        return found[str(self._outputs.index(value))]

    def _compute(self, machine: Machine) -> dict[str, Array]:
        """The arrays of all outputs, by a plan of their own, with the kernels that are prepared already."""
        zeros = np.zeros((1, self._picture.shape[1], 1, 1), np.float32)
        twins = {value: Value(value.name, shape) for value, shape in self._shapes.items()}
        twins[self._picture].shape = zeros.shape
        operations = []
        for operation, shrunk in zip(self._operations, self._shrunk, strict=True):
            twin = copy(shrunk)
            twin.inputs = [twins[each] for each in shrunk.inputs]
            twin.outputs = [twins[each] for each in shrunk.outputs]
            if isinstance(twin, Convolution) and isinstance(operation, Convolution):
                twin.algorithm = operation.algorithm
            operations.append(twin)
        outputs = {str(i): twins[value] for i, value in enumerate(self._outputs)}
        outs = set(outputs.values())
        graph = Graph(operations, {"zeros": twins[self._picture]}, outputs, {}, set(outs), outs, training=False)
        lay_out(graph)
        plan = Plan(graph, Schedule((), {}, {}, {}), replace(machine, arena=Arena()), {})
        return plan.forward({"zeros": zeros}).outputs()
