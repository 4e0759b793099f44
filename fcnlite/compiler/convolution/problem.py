"""A convolution as its algorithms see it: shapes, windows, and which row and column of the array each one of the padded
picture is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.ir import blocks
from fcnlite.description.shapes import Window

GROUP = 32
"""Output channels that the kernels compute together; weights and biases are padded to a multiple of it."""

Margins = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Problem:
    """The convolution of N×C×H×W to N×O×H'×W', H' and W' before any pooling."""

    batch: int
    channels: int
    outputs: int
    windows: tuple[Window, Window]
    """The windows along rows and along columns."""
    sources: tuple[Array, Array]
    """The row of the array for each row of the layer's bottom, and the column for each column. They are in order: each
    equals the previous one or follows it. −1 is a row of zeros, only at the beginning and the end."""
    size: tuple[int, int]
    """Height and width of the array, which is smaller than the layer's bottom if rows repeat."""
    group: int = 1
    relu: bool = False
    limit: float = math.inf
    """The largest value of the top: larger ones become it, as the last step."""
    pool: bool = False
    """Whether 2×2 max pooling follows, in the same operation."""
    training: bool = False
    """Whether a backward pass follows. The last digits then decide which of nearly equal values gets the gradient of a
    pooling, so an algorithm with a smaller rounding error is preferred."""
    blocked: bool = False
    """Whether the bottom is blocked even if it has few channels: a gradient, or the top of such an operation."""
    margins: tuple[Margins, Margins] = ((0, 0), (0, 0))
    """The numbers of rows and columns of the top, after pooling, at its beginning and end, whose values are known
    (`ConvolutionOperation.margin_values`). An algorithm may leave them out."""

    @property
    def top_size(self) -> tuple[int, int]:
        """H'×W' before pooling."""
        rows, columns = (w.convolved(len(s)) for w, s in zip(self.windows, self.sources, strict=True))
        return rows, columns

    @property
    def within(self) -> tuple[range, range]:
        """The rows and the columns of the top, before pooling, inside the margins."""
        step = 2 if self.pool else 1
        rows, columns = (
            range(step * before, min(size, step * (-(-size // step) - after)))
            for size, (before, after) in zip(self.top_size, self.margins, strict=True)
        )
        return rows, columns

    @property
    def channel_blocks(self) -> int:
        return blocks(self.channels)

    @property
    def padded_outputs(self) -> int:
        """Output channels of one group, padded for the kernels."""
        return -(-(self.outputs // self.group) // GROUP) * GROUP

    @property
    def window_area(self) -> int:
        """KH·KW."""
        return self.windows[0].size * self.windows[1].size

    @property
    def products(self) -> float:
        """Multiplications and additions of the convolution's formula."""
        height, width = self.top_size
        return 2.0 * self.batch * height * width * self.outputs * (self.channels // self.group) * self.window_area

    @property
    def simple(self) -> bool:
        """Whether the padded picture is the array itself."""
        return self.own_rows and all(window.pad == 0 for window in self.windows)

    @property
    def own_rows(self) -> bool:
        """Whether the layer sees every row and column of the array once, in order."""
        return all(
            np.array_equal(source, np.arange(size)) for source, size in zip(self.sources, self.size, strict=True)
        )

    @property
    def pointwise(self) -> bool:
        """Whether each output sees one pixel, and each pixel is seen once: the picture may then be one row."""
        return self.window_area == self.windows[0].stride == self.windows[1].stride == 1 and self.simple

    def maps(self) -> tuple[Array, Array]:
        """`seen` for all rows and columns that the windows slide over."""
        rows, columns = (
            np.arange((count - 1) * window.stride + window.extent)
            for count, window in zip(self.top_size, self.windows, strict=True)
        )
        return self.seen(rows, columns)

    def seen(self, rows: Array, columns: Array) -> tuple[Array, Array]:
        """The rows and columns of the array for these of the padded picture; −1 for zeros.

        The results have the shapes of `rows` and `columns` and are int32.
        """
        of_rows, of_columns = (
            rows_at(source, places - window.pad).astype(np.int32)
            for source, window, places in zip(self.sources, self.windows, (rows, columns), strict=True)
        )
        return of_rows, of_columns

    def backward_data(self) -> Problem:
        """The convolution that computes the bottom's gradient from the top's, for stride 1.

        Its filters are these, rotated by 180°, with input and output channels exchanged.
        """
        height, width = self.top_size
        rows, columns = (replace(each, pad=each.extent - 1 - each.pad) for each in self.windows)
        return Problem(
            self.batch,
            self.outputs,
            self.channels,
            (rows, columns),
            (np.arange(height), np.arange(width)),
            (height, width),
            self.group,
            blocked=True,
        )


def rows_at(source: Array, places: Array) -> Array:
    """`source[places]`; −1 for places outside."""
    inside = (places >= 0) & (places < len(source))
    return np.where(inside, source[np.clip(places, 0, len(source) - 1)], -1)


def padded(values: Array | None, problem: Problem) -> Array:
    """One value for each output channel, 0 without `values`; each group's padded with zeros for the kernels: G×O."""
    all_values = np.zeros((problem.group, problem.padded_outputs), np.float32)
    if values is not None:
        all_values[:, : problem.outputs // problem.group] = values.reshape(problem.group, -1)
    return all_values


@dataclass(frozen=True, eq=False)
class PreparedWeights:
    """A convolution's weights as its algorithm reads them."""

    filters: Array
    """Any number of floats in any order."""
    bias: Array
    """G×O, as `padded` makes it."""
    slopes: Array
    """PReLU's slopes, in the form of `bias`; G×0 without a PReLU."""


def summand(add: Array | None) -> Array:
    """A blocked array that kernels add to a top; an empty one for None."""
    return np.empty((0,) * 5, np.float32) if add is None else add


def with_biases(filters: Array, bias: Array | None, slopes: Array | None, problem: Problem) -> PreparedWeights:
    """The filters that an algorithm has prepared, with biases and slopes if there are any."""
    none = np.empty((problem.group, 0), np.float32)
    return PreparedWeights(filters, padded(bias, problem), none if slopes is None else padded(slopes, problem))
