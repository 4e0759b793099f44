"""The values of layers for a picture of zeros. They depend on parameters only, and are computed once."""

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
"""Arrays, and pixels, by the index of the operation that makes them."""


class ZeroPicture:
    """Copies of operations, which compute one picture of zeros, of another size.

    `operations` are the originals and `shrunk` the copies, in the same order. `shapes` has the shape that each value of
    the originals has in the copies. The first operation reads `picture`, which consists of its pad. `bordered` are the
    values whose whole arrays are needed; of others one pixel may be, far from the border, whose place is in `far`.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        shrunk: Sequence[Operation],
        picture: Value,
        shapes: Mapping[Value, Shape],
        bordered: Sequence[Value],
        far: Mapping[Value, tuple[int, int]],
    ) -> None:
        self._operations = operations
        self._shrunk = shrunk
        self._picture = picture
        self._shapes = shapes
        self._places = {each.outputs[0]: i for i, each in enumerate(operations)}
        """The index of each value's operation: it is the same in plans for other sizes, which share the arrays."""
        self._bordered = bordered
        self._far = far

    def array(self, value: Value, machine: Machine) -> Array:
        """The array of `value` for the picture of zeros: 1×C×H×W."""
        return self._computed(machine)[0][self._places[value]]

    def far(self, value: Value, machine: Machine) -> Array:
        """The pixel of `value`, which is blocked, far from the border: one number for each channel."""
        return self._computed(machine)[1][self._places[value]]

    def _computed(self, machine: Machine) -> Computed:
        machine = machine.whole or machine  # with another number of threads, sums may have another order
        key = "zero picture", self._inputs, machine.threads
        found: Computed = machine.derive(key, self._layers, lambda _: self._compute(machine))
        return found

    @cached_property
    def _inputs(self) -> Any:
        """All that the arrays depend on, beside parameters. Valid once the algorithms are selected."""
        computed = tuple((each.layers, getattr(each, "algorithm", None)) for each in self._operations)
        bordered, far = (tuple(self._places[each] for each in values) for values in (self._bordered, self._margined))
        return computed, bordered, far, self._shapes[self._picture]

    @cached_property
    def _layers(self) -> list[str]:
        return [name for each in self._operations for name in each.layers]

    @cached_property
    def _margined(self) -> list[Value]:
        """The values with margins, which are filled with a pixel far from the border."""
        return [
            value
            for value, i in self._places.items()
            if isinstance(each := self._operations[i], ConvolutionOperation) and each.leaves_margins
        ]

    def _compute(self, machine: Machine) -> Computed:
        """Compute the arrays by a separate plan, which shares the prepared weights."""
        zeros = np.zeros((1, self._picture.shape[1], 1, 1), np.float32)
        copies = {value: Value(value.name, shape) for value, shape in self._shapes.items()}
        copies[self._picture].shape = zeros.shape
        operations = []
        for operation, shrunk in zip(self._operations, self._shrunk, strict=True):
            copied = copy(shrunk)
            copied.inputs = [copies[each] for each in shrunk.inputs]
            copied.outputs = [copies[each] for each in shrunk.outputs]
            if isinstance(copied, ConvolutionOperation) and isinstance(operation, ConvolutionOperation):
                copied.algorithm = operation.algorithm
            copied.keep_inputs()  # they may be outputs too
            operations.append(copied)
        margined = self._margined
        outputs = {str(self._places[value]): copies[value] for value in (*self._bordered, *margined)}
        graph = Graph(operations, {"zeros": copies[self._picture]}, outputs, {}, set(outputs.values()), training=False)
        assign_layouts(graph, machine)
        plan = Plan(graph, Schedule((), {}, {}, {}), replace(machine, arena=Arena()), {})
        first_pass = machine.derived.first_pass
        found = {int(name): array for name, array in plan.forward({"zeros": zeros}).outputs().items()}
        machine.derived.first_pass = first_pass  # the pass that needs the zeros goes on
        pixels = {}
        for value in margined:
            row, column = self._far[value]
            pixel = found[self._places[value]][0, :, row, column]
            pixels[self._places[value]] = np.pad(pixel, (0, -len(pixel) % BLOCK))
        return {self._places[value]: found[self._places[value]] for value in self._bordered}, pixels
