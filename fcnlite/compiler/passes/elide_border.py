"""Compute only the rows that depend on the picture, and take the others from a picture of zeros.

    before      the rows of a value after a pad of 100, and its columns in the same way:

                border | far | dependent on the picture | far | border

    after       1 far | dependent on the picture | 1 far            computed
                border | far … far | border                         from a picture of zeros, computed once
                combined (`Border`) for readers that need the whole

    condition   inference; a first convolution with a wide pad (`has_wide_pad`)
                no row depends on both the picture and the border (reach.py checks each layer, for each size)
                less than WORTHWHILE of the products remain

Far from the border and from the picture all rows are equal, as if the zeros did not end: they have one value number
(value_numbers.py). So the layers compute a plane without border: the rows that depend on the picture, and on either
side one row that represents all rows beyond; `Problem.sources` repeats it. The pads of later layers overlap the border.

Exact: a pixel in a row or column of the border, or far from the picture, does not depend on the picture. It has the
value that it has in a picture of zeros. zero_picture.py uses the smallest one with a row of every value number.

Where rows of the picture meet the border, as in conv5 after a pad of 100, the value before is combined. Convolutions
that read it, such as conv5_1 and then conv5_2, still compute only dependent rows; each result is combined again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from math import lcm

import numpy as np

from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.convolution.problem import Margins, Problem, rows_at
from fcnlite.compiler.ir import Axis, Graph, Operation, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.border import Border
from fcnlite.compiler.passes.reach import WORTHWHILE, Reach
from fcnlite.compiler.passes.value_numbers import ZERO, has_wide_pad, padded_sources, windows
from fcnlite.compiler.zero_picture import ZeroPicture


def elide_border(graph: Graph, machine: Machine) -> list[str]:
    done = []
    elided: set[Operation] = set()
    for operation in graph.operations[:]:
        if isinstance(operation, ConvolutionOperation) and operation not in elided and has_wide_pad(operation.problem):
            found = _BorderElision(graph, operation)
            if found.apply():
                elided |= set(found.operations)
                done += found.notes
    return done


Span = tuple[int, int]
"""The rows first … stop − 1."""


class _BorderElision:
    """The operations after a first convolution, and those of their values that other operations read whole."""

    def __init__(self, graph: Graph, first: ConvolutionOperation) -> None:
        self._graph = graph
        self._reach = Reach(graph, first)
        self.notes: list[str] = []
        self._bordered = [
            value
            for value in self._reach.rows
            if value in graph.lasting or any(each not in self.operations for each in graph.readers(value))
        ]

    @property
    def operations(self) -> list[Operation]:
        """The operations that read and write planes without border."""
        return self._reach.operations

    # The computed rows

    def apply(self) -> bool:
        """Rewrite the graph if that saves enough computation. Returns whether it did."""
        spans: dict[Value, tuple[Span, ...]] = {}
        for operation in reversed(self.operations):
            value = operation.outputs[0]
            spans[value] = tuple(self._span(operation, axis, spans) for axis in (0, 1))
        for restricted in self._reach.restricted:
            rows = self._reach.rows[restricted.outputs[0]]
            spans[restricted.outputs[0]] = tuple((each.dependent.start, each.dependent.stop) for each in rows)
        convolutions = [each for each in self._reach.all if isinstance(each, ConvolutionOperation)]
        problems = [self._problem(each, spans) for each in convolutions]
        before, after = sum(each.problem.products for each in convolutions), sum(each.products for each in problems)
        if not self._bordered or after > WORTHWHILE * before:
            return False
        small = [self._small_numbers(axis) for axis in (0, 1)]
        far = {value: place for value in self._reach.rows if (place := self._far(value, small)) is not None}
        zeros = self._zero_picture(small, far)
        borders = [self._border(value, spans[value], small, zeros) for value in self._bordered]
        for convolution, problem in zip(convolutions, problems, strict=True):
            convolution.problem = problem
            value = convolution.outputs[0]
            margins = self._margins(value, spans[value])
            if margins is not None and value in far:
                convolution.change(margins=margins)
                convolution.margin_values = partial(zeros.far, value)
        for operation in self._reach.all:
            self._fit(operation, spans[operation.outputs[0]])
        for border in borders:
            self._insert(border)
        return True

    def _span(self, operation: Operation, axis: Axis, spans: Mapping[Value, tuple[Span, ...]]) -> Span:
        """The rows that an operation must compute, given those of the operations after it."""
        value = operation.outputs[0]
        rows, reader = self._reach.rows[value][axis], self._reach.aligned_reader.get(value)
        if reader is not None:
            return _receptive_field(reader, axis, spans[reader.outputs[0]][axis])
        if not operation.gathers_rows:
            return rows.first - 1, rows.stop + 1
        wanted = [max(rows.first, 0), min(rows.stop, len(rows.numbers)) - 1] if value in self._bordered else []
        for each in self.operations:
            if value in each.inputs:
                first, stop = _receptive_field(each, axis, spans[each.outputs[0]][axis])
                wanted += [first, stop - 1]
        first = max(min(wanted, default=rows.first), rows.first - 1)
        return first, max(first, min(max(wanted, default=rows.first), rows.stop)) + 1

    def _margins(self, value: Value, spans: tuple[Span, ...]) -> tuple[Margins, Margins] | None:
        """The numbers of computed rows and columns, on either side, that do not depend on the picture."""
        rows, columns = (
            (max(0, dependent.first - first), max(0, stop - dependent.stop))
            for dependent, (first, stop) in zip(self._reach.rows[value], spans, strict=True)
        )
        within = all(sum(each) < stop - first for each, (first, stop) in zip((rows, columns), spans, strict=True))
        return (rows, columns) if within and any((*rows, *columns)) else None

    def _problem(self, operation: ConvolutionOperation, spans: Mapping[Value, tuple[Span, ...]]) -> Problem:
        """The problem of a convolution that computes only its span."""
        p, seed = operation.problem, operation is self._reach.first
        of_whole = seed or operation in self._reach.restricted
        below = [(0, size) for size in p.size] if of_whole else spans[operation.inputs[0]]
        sources = []
        for axis in (0, 1):
            places = np.arange(*_receptive_field(operation, axis, spans[operation.outputs[0]][axis], padded=seed))
            if of_whole:
                whole = padded_sources(operation, axis) if seed else p.sources[axis]
                sources.append(rows_at(whole, places))
            else:
                first, stop = below[axis]
                sources.append(np.clip(places, first, stop - 1) - first)
        rows, columns = (replace(each, pad=0) for each in p.windows)
        (top, bottom), (left, right) = below
        return replace(p, windows=(rows, columns), sources=(sources[0], sources[1]), size=(bottom - top, right - left))

    def _fit(self, operation: Operation, spans: tuple[Span, ...]) -> None:
        """Fit an operation to the rows and columns of its output; its input has the rows that its windows read."""
        operation.remove_padding()
        value = operation.outputs[0]
        value.shape = (*value.shape[:2], *(stop - first for first, stop in spans))

    # The other rows

    def _small_numbers(self, axis: Axis) -> dict[Value, list[int]]:
        """The value numbers of all rows in the smallest picture of zeros that has each of them at least once."""
        known = [rows[axis] for rows in self._reach.rows.values()]
        step = lcm(*(each.stride for each in known))
        spare = min((each.numbers.count(each.far) - 1) * each.stride for each in known)
        size = len(padded_sources(self._reach.first, axis)) - max(0, spare // step) * step
        found = {self._reach.picture: [ZERO] * size}
        for operation in self._reach.all:
            bottoms = [found[each] for each in operation.inputs]
            found[operation.outputs[0]] = self._reach.number_rows(operation, axis, bottoms)
        return found

    def _far(self, value: Value, small: Sequence[Mapping[Value, list[int]]]) -> tuple[int, int] | None:
        """The place of a pixel of a value that is far from the border in a picture of zeros, if there is one."""
        numbers = [(each[value], rows.far) for each, rows in zip(small, self._reach.rows[value], strict=True)]
        if any(far not in rows for rows, far in numbers):
            return None
        (rows, far_row), (columns, far_column) = numbers
        return rows.index(far_row), columns.index(far_column)

    def _zero_picture(
        self, small: Sequence[Mapping[Value, list[int]]], far: Mapping[Value, tuple[int, int]]
    ) -> ZeroPicture:
        shapes = {value: (1, value.shape[1], *(len(numbers[value]) for numbers in small)) for value in small[0]}
        operations = self._reach.all
        shrunk = [copy(each) for each in operations]
        for operation in shrunk:
            if isinstance(operation, ConvolutionOperation):
                p, (height, width) = operation.problem, shapes[operation.inputs[0]][2:]
                sources, size, (down, across) = (np.arange(height), np.arange(width)), (height, width), p.windows
                if operation.inputs[0] is self._reach.picture:
                    sources, size = (np.full(height, -1), np.full(width, -1)), (1, 1)
                    down, across = replace(down, pad=0), replace(across, pad=0)
                operation.problem = replace(p, batch=1, windows=(down, across), sources=sources, size=size)
        return ZeroPicture(operations, shrunk, self._reach.picture, shapes, self._bordered, far)

    def _border(
        self, value: Value, spans: tuple[Span, ...], small: Sequence[Mapping[Value, list[int]]], zeros: ZeroPicture
    ) -> Border:
        """The operation that combines a value and its border."""
        own, around = [], []
        for rows, (first, _), numbers in zip(self._reach.rows[value], spans, small, strict=True):
            places = np.arange(len(rows.numbers))
            own.append(np.where((places >= rows.first) & (places < rows.stop), places - first, -1))
            around.append(np.array([numbers[value].index(each) for each in rows.numbers]))
        whole = Value(value.name, value.shape)
        return Border([value], [whole], (own[0], own[1]), (around[0], around[1]), partial(zeros.array, value))

    def _insert(self, border: Border) -> None:
        """Make all operations read the whole value, except those on planes without border."""
        (value,), (whole,) = border.inputs, border.outputs
        maker = self._graph.producer(value)
        assert maker is not None
        self._graph.rename(value, whole)
        for operation in self.operations:
            operation.inputs = [value if each is whole else each for each in operation.inputs]
        border.inputs = [value]
        self._graph.operations.insert(self._graph.operations.index(maker) + 1, border)
        sizes = " × ".join(f"{n} of {m}" for n, m in zip(value.shape[2:], whole.shape[2:], strict=True))
        self.notes.append(
            f"{self._reach.first.layers[0]} to {maker.layers[-1]}: {sizes} rows and columns, without border"
        )


def _receptive_field(operation: Operation, axis: Axis, span: Span, padded: bool = False) -> Span:
    """The rows that an operation reads to compute those of `span`."""
    first, stop = span
    for each in reversed(windows(operation, axis, padded)):
        window = each.window
        first, stop = first * window.stride - window.pad, (stop - 1) * window.stride - window.pad + window.extent
    return first, stop
