"""Arrays in either layout: conversions from one to the other, and what works on both."""

from __future__ import annotations

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.ir import BLOCK, Value
from fcnlite.compiler.machine import Machine


def planes(array: Array, value: Value) -> Array:
    """The array of a value, in either layout, as P×H×W×L."""
    height, width = array.shape[2:4]
    return array.reshape(-1, height, width, BLOCK if value.blocked else 1)


def to_nchw(array: Array, value: Value, machine: Machine) -> Array:
    """The array of a value as N×C×H×W, without repeating rows."""
    if not value.blocked:
        return array
    nchw = machine.buffer(value.shape)
    machine.kernels.from_blocked(array, nchw, machine.threads)
    return nchw


def from_nchw(array: Array, value: Value, machine: Machine) -> Array:
    """An N×C×H×W array in the value's layout."""
    if not value.blocked:
        return array
    blocked = machine.buffer(value.memory_shape)
    machine.kernels.to_blocked(array, blocked, machine.threads)
    return blocked


def sum_repeats(array: Array, sources: tuple[Array, Array], size: tuple[int, int], machine: Machine) -> Array:
    """The transpose of repeating: the sums of all rows, and columns, that repeat the same one of `size`.

    `sources` gives, for each row and column of the array, the one that it repeats; −1 is none. Rows and columns are
    axes 2 and 3, in either layout.
    """
    lists = [_members(source, count) for source, count in zip(sources, size, strict=True)]
    folded = machine.buffer((*array.shape[:2], *size, *array.shape[4:]))
    x, y = (each.reshape(*each.shape[:4], -1) for each in (array, folded))
    machine.kernels.sum_repeats(x, *lists[0], *lists[1], y, machine.threads)
    return folded


def _members(source: Array, count: int) -> tuple[Array, Array]:
    """The places in `source` of 0, then of 1, and so on to `count` − 1, in the second array; the first array has the
    start of each group in the second.
    """
    order = np.argsort(source, kind="stable")
    order = order[np.count_nonzero(source < 0) :]
    return np.searchsorted(source[order], np.arange(count + 1)), order
