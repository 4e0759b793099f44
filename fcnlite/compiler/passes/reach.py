"""Finds the rows of each value after a wide pad that depend on the picture. The others depend on zeros only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeGuard

from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.ir import Axis, Graph, Operation, Value
from fcnlite.compiler.passes.value_numbers import ZERO, NumberTable, number_rows, padded_sources, windows

WORTHWHILE = 0.98
"""The border is elided if less than this share of the products remains; otherwise it costs more than it saves."""


@dataclass(frozen=True)
class Rows:
    """The rows of a value, along one axis."""

    numbers: list[int]
    """The value number of every row, for a picture of zeros."""
    far: int
    """The value number of rows far from the border."""
    first: int
    stop: int
    """The rows first … stop − 1 of a plane without border depend on the picture."""
    stride: int
    """The rows of the picture from one row of the value to the next."""

    @property
    def dependent(self) -> range:
        """The value's rows that depend on the picture."""
        return range(max(self.first, 0), min(self.stop, len(self.numbers)))

    @property
    def clear(self) -> bool:
        """Whether no row depends on both the picture and the border."""
        return all(self.numbers[each] == self.far for each in self.dependent)


class Reach:
    """The operations after a first convolution that can compute only the rows that depend on the picture."""

    def __init__(self, graph: Graph, first: ConvolutionOperation) -> None:
        self._graph = graph
        self.first = first
        self.picture = first.inputs[0]
        self.rows: dict[Value, tuple[Rows, ...]] = {}
        """The rows of each value that these operations compute, along both axes."""
        self.operations: list[Operation] = []
        """The operations that read and write planes without border."""
        self.restricted: list[ConvolutionOperation] = []
        """Later operations that read a whole value but compute only the dependent part of their output."""
        self.aligned_reader: dict[Value, Operation] = {}
        """The operation that reads a value's array from its first row on, and so determines where the value begins."""
        self._table: NumberTable = {}
        self._find()

    @property
    def all(self) -> list[Operation]:
        """Both kinds of operations, in an order in which they can run."""
        return [*self.operations, *self.restricted]

    def _find(self) -> None:
        """Add operations until the picture's rows meet the border."""
        for operation in self._graph.operations:
            if operation is not self.first and not self._suits(operation):
                continue
            rows = tuple(self._output_rows(operation, axis) for axis in (0, 1))
            whole = prod(len(each.numbers) for each in rows)
            after_restricted = any(each.outputs[0] in operation.inputs for each in self.restricted)
            less = prod(each.stop - each.first + 2 for each in rows) < whole
            if all(each.clear for each in rows) and less and not after_restricted:
                self.rows[operation.outputs[0]] = rows
                self.operations.append(operation)
                if not operation.gathers_rows:
                    self.aligned_reader.update(dict.fromkeys(operation.inputs, operation))
            elif self._can_restrict(operation) and 0 < prod(len(each.dependent) for each in rows) < WORTHWHILE * whole:
                self.rows[operation.outputs[0]] = rows
                self.restricted.append(operation)

    def _suits(self, operation: Operation) -> bool:
        """Whether all inputs have known rows, and no other operation determines where these begin."""
        known = [self.rows[each] for each in operation.inputs if each in self.rows]
        strides = {tuple(each.stride for each in rows) for rows in known}
        if len(known) < len(operation.inputs) or len(strides) != 1:
            return False
        if operation.gathers_rows:
            return True
        row_by_row = operation.sliding_windows(0) is not None
        return row_by_row and not any(each in self.aligned_reader for each in operation.inputs)

    def _can_restrict(self, operation: Operation) -> TypeGuard[ConvolutionOperation]:
        """Whether an operation can compute a part of its rows. With pooling a row at its edge might be missing."""
        if not isinstance(operation, ConvolutionOperation) or operation is self.first:
            return False
        return not operation.problem.pool

    def _output_rows(self, operation: Operation, axis: Axis) -> Rows:
        """The rows of an operation's output."""
        depth = self._depth(operation)
        seed = operation is self.first
        bottoms = [self._input_rows(axis)] if seed else [self.rows[each][axis] for each in operation.inputs]
        numbers = self.number_rows(operation, axis, [each.numbers for each in bottoms])
        far, first, stop = bottoms[0].far, min(each.first for each in bottoms), max(each.stop for each in bottoms)
        stride = bottoms[0].stride
        if not operation.sliding_windows(axis):
            key = (depth, *(each.far for each in bottoms))
            return Rows(numbers, self._table.setdefault(key, len(self._table)), first, stop, stride)
        for part, sliding in enumerate(windows(operation, axis, padded=seed)):
            window = sliding.window
            far = self._table.setdefault((depth, part, *[far] * window.size), len(self._table))
            first = -((window.extent - 1 - window.pad - first) // window.stride)
            stop = (stop - 1 + window.pad) // window.stride + 1
            stride *= window.stride
        return Rows(numbers, far, first, stop, stride)

    def _input_rows(self, axis: Axis) -> Rows:
        """The rows of the picture, including its pad."""
        sources = padded_sources(self.first, axis)
        pad = self.first.problem.windows[axis].pad
        return Rows([ZERO] * len(sources), ZERO, pad, len(sources) - pad, 1)

    def _depth(self, operation: Operation) -> int:
        return self._graph.operations.index(operation)

    def number_rows(self, operation: Operation, axis: Axis, bottoms: Sequence[list[int]]) -> list[int]:
        """The value numbers of an operation's rows, given those of its inputs."""
        depth = self._depth(operation)
        if operation.sliding_windows(axis):
            return number_rows(operation, depth, axis, bottoms[0], self._table, padded=operation is self.first)
        return [self._table.setdefault((depth, *each), len(self._table)) for each in zip(*bottoms, strict=True)]
