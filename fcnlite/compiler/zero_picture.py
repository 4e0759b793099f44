"""What layers make of a picture of zeros: it depends on their parameters alone, so that it is computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.compiler.arena import Arena
from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.ir import BLOCK, Graph, Operation, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.passes.assign_layouts import assign_layouts
from fcnlite.compiler.plan import Plan
from fcnlite.graph.schedule import Schedule

Computed = tuple[dict[int, Array], dict[int, Array]]
"""By the place of the operation that makes them: arrays, and pixels."""


class ZeroPicture:
    """Operations on one picture of zeros, of another size than that of the operations that they are taken from.

    `operations` are these; each has its twin, which computes it, in `shrunk`. `shapes` are those of what the twins read
    and make. The first of them reads `picture`, whose pad is all that there is of it. `framed` are the values whose
    arrays are wanted, and `far` says where others have a pixel that is far from everything.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        shrunk: Sequence[Operation],
        picture: Value,
        shapes: Mapping[Value, Shape],
        framed: Sequence[Value],
        far: Mapping[Value, tuple[int, int]],
    ) -> None:
        self._operations = operations
        self._shrunk = shrunk
        self._picture = picture
        self._shapes = shapes
        self._places = {each.outputs[0]: i for i, each in enumerate(operations)}
        """Of the values: plans for pictures of other sizes share what is computed, and have others."""
        self._framed = framed
        self._far = far

    def array(self, value: Value, machine: Machine) -> Array:
        """What the zeros become where the operations have `value`: 1×C×H×W."""
        return self._computed(machine)[0][self._places[value]]

    def far(self, value: Value, machine: Machine) -> Array:
        """What they become far from everything: a value for every channel of `value`, which is blocked."""
        return self._computed(machine)[1][self._places[value]]

    def _computed(self, machine: Machine) -> Computed:
        # Another number of threads may sum in another order.
        key = "zero picture", self._what, machine.threads
        found: Computed = machine.prepare(key, self._layers, lambda _: self._compute(machine))
        return found

    @cached_property
    def _what(self) -> Any:
        """All that the arrays depend on, beside parameters. Asked for in a forward, when algorithms are chosen."""
        done = tuple((each.layers, getattr(each, "algorithm", None)) for each in self._operations)
        framed, left = (tuple(self._places[each] for each in values) for values in (self._framed, self._left))
        return done, framed, left, self._shapes[self._picture]

    @cached_property
    def _layers(self) -> list[str]:
        return [name for each in self._operations for name in each.layers]

    @cached_property
    def _left(self) -> list[Value]:
        """The values of which a pixel far from everything is wanted."""
        return [
            value
            for value, i in self._places.items()
            if isinstance(each := self._operations[i], ConvolutionOperation) and each.leaves_margins
        ]

    def _compute(self, machine: Machine) -> Computed:
        """By a plan of their own, with the kernels that are prepared already."""
        zeros = np.zeros((1, self._picture.shape[1], 1, 1), np.float32)
        twins = {value: Value(value.name, shape) for value, shape in self._shapes.items()}
        twins[self._picture].shape = zeros.shape
        operations = []
        for operation, shrunk in zip(self._operations, self._shrunk, strict=True):
            twin = copy(shrunk)
            twin.inputs = [twins[each] for each in shrunk.inputs]
            twin.outputs = [twins[each] for each in shrunk.outputs]
            if isinstance(twin, ConvolutionOperation) and isinstance(operation, ConvolutionOperation):
                twin.algorithm = operation.algorithm
            twin.keep_inputs()  # they may be wanted too
            operations.append(twin)
        left = self._left
        outputs = {str(self._places[value]): twins[value] for value in (*self._framed, *left)}
        graph = Graph(operations, {"zeros": twins[self._picture]}, outputs, {}, set(outputs.values()), training=False)
        assign_layouts(graph, machine)
        plan = Plan(graph, Schedule((), {}, {}, {}), replace(machine, arena=Arena()), {})
        found = {int(name): array for name, array in plan.forward({"zeros": zeros}).outputs().items()}
        pixels = {}
        for value in left:
            row, column = self._far[value]
            pixel = found[self._places[value]][0, :, row, column]
            pixels[self._places[value]] = np.pad(pixel, (0, -len(pixel) % BLOCK))
        return {self._places[value]: found[self._places[value]] for value in self._framed}, pixels
