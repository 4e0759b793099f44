"""Compute rows and columns that a wide pad makes equal once.

    before      rows of a pooling's output:       border | a a a a a a | dependent on the picture | a a a a a a | border
    after       with a smaller first pad:         border | a | dependent on the picture | a | border
                its readers read each a six times (`Problem.sources`, `Value.repeats`)

    condition   training
                a chain of convolutions and max poolings, from a convolution with a wide pad to a max pooling; each is
                the only reader of the one before; only convolutions read the last, which is not an output
                no value of the chain is to be kept in full (`Graph.in_full`)
                the rows after the smaller pad, repeated, have the value numbers of the rows before

Exact: equal rows have equal value numbers (value_numbers.py), and the condition compares those of all values of the
chain, for each size. The gradient of a row that is read several times is the sum of the gradients of its copies
(`ir.sum_repeats`).

The pass tries every max pooling of the chain, the last one first: the first layers have the longest runs. In inference
elide_border goes further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.ir import Axis, Graph, Operation
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.pooling import MaxPooling
from fcnlite.compiler.passes.value_numbers import NumberTable, has_wide_pad, number_rows, padded_sources, windows
from fcnlite.errors import ShapeError


def elide_padding(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if isinstance(operation, ConvolutionOperation) and has_wide_pad(operation.problem):
            chain = _chain(graph, operation)
            for end in range(len(chain), 0, -1):
                if isinstance(chain[end - 1], MaxPooling) and (note := _shorten(graph, chain[:end])):
                    done.append(note)
    return done


def _chain(graph: Graph, first: ConvolutionOperation) -> list[Operation]:
    """The convolutions and max poolings from `first` on, to the first value that other operations read too.

    It ends before a value that is to be kept in full.
    """
    if first.outputs[0] in graph.in_full:
        return []
    chain: list[Operation] = [first]
    while True:
        readers, value = graph.readers(chain[-1].outputs[0]), chain[-1].outputs[0]
        if len(readers) != 1 or value in graph.outs or not readers[0].sliding_windows(0):
            return chain
        if readers[0].outputs[0] in graph.in_full:
            return chain
        chain.append(readers[0])


def _shorten(graph: Graph, chain: Sequence[Operation]) -> str:
    """Give the chain a smaller pad, if the rows and columns of its values stay the same. Returns what it did."""
    first, last = chain[0], chain[-1].outputs[0]
    readers = graph.readers(last)
    if not isinstance(first, ConvolutionOperation) or last in graph.outs:
        return ""
    if not all(isinstance(each, ConvolutionOperation) for each in readers):
        return ""
    rows, columns = _shorter_padding(chain, 0), _shorter_padding(chain, 1)
    before = last.shape
    if rows.fewer or columns.fewer:
        first.remove_padding()
        first.change(sources=(rows.sources, columns.sources))
        for operation, *repeats in zip(chain, rows.repeats, columns.repeats, strict=True):
            operation.infer_shape()
            value = operation.outputs[0]
            value.repeats = _compose(value.repeats, repeats)
        for reader in readers:
            assert isinstance(reader, ConvolutionOperation)
            sources = _compose(reader.problem.sources, [rows.repeats[-1], columns.repeats[-1]])
            reader.change(sources=sources, size=last.shape[2:])
        size = " × ".join(f"{now} of {was}" for was, now in zip(before[2:], last.shape[2:], strict=True))
        return f"{first.layers[0]} to {chain[-1].layers[-1]}: {size} rows and columns"
    return ""


def _compose(old: tuple[Array, Array] | None, new: Sequence[Array]) -> tuple[Array, Array]:
    """Rows and columns of the shorter array, given those of the longer one (`old`) and its map (`new`). −1 stays −1."""
    if old is None:
        return new[0], new[1]
    rows, columns = (np.where(o < 0, -1, n[np.maximum(o, 0)]) for o, n in zip(old, new, strict=True))
    return rows, columns


@dataclass(frozen=True, eq=False)
class Shorter:
    """A smaller pad along one axis."""

    sources: Array
    """The rows of the picture, including the smaller pad; −1 is a row of zeros."""
    repeats: list[Array]
    """For each value of the chain and each row after the old pad, the equal row after the smaller one."""
    fewer: bool
    """Whether the pad is smaller than before."""


def _shorter_padding(chain: Sequence[Operation], axis: Axis) -> Shorter:
    first = chain[0]
    assert isinstance(first, ConvolutionOperation)
    sources = padded_sources(first, axis)
    table: NumberTable = {}
    rows, stride = _number_chain(chain, axis, sources, table)
    runs = _run(rows[-1]), _run(rows[-1][::-1])
    pads = _run_of_zeros(sources), _run_of_zeros(sources[::-1])
    # Keep some pad, so that the runs stay apart from the picture.
    leading, trailing = (
        min((run - 1) * stride, max(pad - 1, 0) // stride * stride) for run, pad in zip(runs, pads, strict=True)
    )
    shortened = sources[leading : len(sources) - trailing]
    try:
        fewer, _ = _number_chain(chain, axis, shortened, table)
    except ShapeError:  # a window no longer fits
        fewer = [[] for _ in chain]
    repeats = [each for was, now in zip(rows, fewer, strict=True) if (each := _repeats(was, now)) is not None]
    if leading + trailing == 0 or len(repeats) < len(chain):
        return Shorter(sources, [np.arange(len(each)) for each in rows], False)
    return Shorter(shortened, repeats, True)


def _number_chain(
    chain: Sequence[Operation], axis: Axis, sources: Array, table: NumberTable
) -> tuple[list[list[int]], int]:
    """The value numbers of the rows of each value of the chain, and the stride of the last value's rows."""
    rows, stride, found = sources.tolist(), 1, []
    for depth, operation in enumerate(chain):
        rows = number_rows(operation, depth, axis, rows, table, padded=depth == 0)
        stride *= prod(each.window.stride for each in windows(operation, axis))
        found.append(rows)
    return found, stride


def _run(rows: Sequence[int]) -> int:
    """The length of the first run of equal rows; 1 if no run begins before the middle."""
    for i in range(len(rows) // 2):
        length = 1
        while i + length < len(rows) and rows[i + length] == rows[i]:
            length += 1
        if length > 1:
            return length
    return 1


def _run_of_zeros(sources: Array) -> int:
    picture = np.flatnonzero(sources >= 0)
    return int(picture[0]) if len(picture) else 0


def _repeats(rows: Sequence[int], fewer: Sequence[int]) -> Array | None:
    """The index in `fewer` of each of `rows`; None unless `rows` are `fewer` in order, some of them repeated."""
    repeats, place = [], -1
    for row in rows:
        if place + 1 < len(fewer) and fewer[place + 1] == row:
            place += 1
        elif place < 0 or fewer[place] != row:
            return None
        repeats.append(place)
    return np.array(repeats) if place == len(fewer) - 1 else None
