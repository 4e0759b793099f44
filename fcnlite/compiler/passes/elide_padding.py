"""Compute once what a wide pad makes equal (training only: in inference elide_border.py goes further).

With a pad of 100 the first convolutions see mostly zeros: beside the picture's rows their outputs have long runs of
equal rows (and columns), up to the ring where later pads reach in. Equal rows are of one kind (value_numbers.py). If
the rows of a value have runs, the chain of layers that makes it gets a smaller pad, so that each run is as short as can
be, and whoever reads the value reads its rows several times (`Problem.sources`). The kinds behind the smaller pad
are numbered too: only if its rows, repeated, are the ones of before, is it put in place. So the result is exact for
every size. The gradient of a row that stands for several is the sum of theirs (`ir.sum_repeats`).

This is done for every pooling of the chain, the last one first: the longest runs are those of the first layers.
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
    """The convolutions and poolings from `first` on, up to the first value that others read too."""
    chain: list[Operation] = [first]
    while True:
        readers, value = graph.readers(chain[-1].outputs[0]), chain[-1].outputs[0]
        if len(readers) != 1 or value in graph.outs or not readers[0].sliding_windows(0):
            return chain
        chain.append(readers[0])


def _shorten(graph: Graph, chain: Sequence[Operation]) -> str:
    """Give the chain a smaller pad, if its values' rows and columns then are the same ones; what was done, in words."""
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
    """Which row and column of the shorter array each one is, given which of the longer one it was; −1 stays."""
    if old is None:
        return new[0], new[1]
    rows, columns = (np.where(o < 0, -1, n[np.maximum(o, 0)]) for o, n in zip(old, new, strict=True))
    return rows, columns


@dataclass(frozen=True, eq=False)
class Shorter:
    """What the rows of the first convolution's padded picture are, with the smaller pad; and for every value of the
    chain, where each of its rows of before is among those of now.
    """

    sources: Array
    repeats: list[Array]
    fewer: bool
    """Whether there are fewer rows than before at all."""


def _shorter_padding(chain: Sequence[Operation], axis: Axis) -> Shorter:
    first = chain[0]
    assert isinstance(first, ConvolutionOperation)
    sources = padded_sources(first, axis)
    table: NumberTable = {}
    rows, stride = _number_chain(chain, axis, sources, table)
    runs = _run(rows[-1]), _run(rows[-1][::-1])
    pads = _run_of_zeros(sources), _run_of_zeros(sources[::-1])
    # Some pad stays, so that the runs do not join the picture.
    before, behind = (
        min((run - 1) * stride, max(pad - 1, 0) // stride * stride) for run, pad in zip(runs, pads, strict=True)
    )
    shortened = sources[before : len(sources) - behind]
    try:
        fewer, _ = _number_chain(chain, axis, shortened, table)
    except ShapeError:  # a window does not fit any more
        fewer = [[] for _ in chain]
    repeats = [each for was, now in zip(rows, fewer, strict=True) if (each := _repeats(was, now)) is not None]
    if before + behind == 0 or len(repeats) < len(chain):
        return Shorter(sources, [np.arange(len(each)) for each in rows], False)
    return Shorter(shortened, repeats, True)


def _number_chain(
    chain: Sequence[Operation], axis: Axis, sources: Array, table: NumberTable
) -> tuple[list[list[int]], int]:
    """A number for each row of each of the chain's values, equal for equal rows; and the picture's pixels a row."""
    rows, stride, found = sources.tolist(), 1, []
    for depth, operation in enumerate(chain):
        rows = number_rows(operation, depth, axis, rows, table, padded=depth == 0)
        stride *= prod(each.window.stride for each in windows(operation, axis))
        found.append(rows)
    return found, stride


def _run(rows: Sequence[int]) -> int:
    """The length of the first run of equal rows, 1 if there is none before the middle."""
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
    """For each of `rows` which one of `fewer` it is; None unless `rows` are `fewer` in order, some repeated."""
    repeats, place = [], -1
    for row in rows:
        if place + 1 < len(fewer) and fewer[place + 1] == row:
            place += 1
        elif place < 0 or fewer[place] != row:
            return None
        repeats.append(place)
    return np.array(repeats) if place == len(fewer) - 1 else None
