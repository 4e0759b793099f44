"""A convolution as its algorithms see it: shapes, kernel, and what each row and column of the padded picture is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.ir import blocks
from fcnlite.description.shapes import Window

GROUP = 32
"""Outputs that the kernels compute together: their weights and biases are padded to as many."""


Margins = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Problem:
    """The convolution of N×C×H×W to N×O×H'×W', H' and W' before any pooling."""

    batch: int
    channels: int
    outputs: int
    kernel: tuple[Window, Window]
    """For rows and for columns."""
    sources: tuple[Array, Array]
    """For every row, and every column, of the bottom as the layer sees it, the one of the array that it is. In order:
    each is the one before or the next; −1, zero, only before and behind."""
    size: tuple[int, int]
    """Height and width of the array: less than the layer sees where rows stand for several."""
    group: int = 1
    relu: bool = False
    pool: bool = False
    """Whether 2×2 max pooling follows at once."""
    training: bool = False
    """Whether a backward pass follows: the last digits then decide which of nearly equal values a pooling's gradient
    goes to, and of two ways to the result the one with less rounding is better."""
    gradients: bool = False
    """Whether these are gradients, which lie blocked however few channels they have."""
    margins: tuple[Margins, Margins] = ((0, 0), (0, 0))
    """For rows and for columns of the top, after pooling: how many at its beginning and its end are known already
    (`Convolution.beyond`), so that an algorithm may leave them out."""

    @property
    def top_size(self) -> tuple[int, int]:
        """H'×W' before pooling."""
        rows, columns = (w.convolved(len(s)) for w, s in zip(self.kernel, self.sources, strict=True))
        return rows, columns

    @property
    def within(self) -> tuple[range, range]:
        """The rows and the columns of the top, before pooling, that lie within the margins."""
        step = 2 if self.pool else 1
        rows, columns = (
            range(step * before, min(size, step * (-(-size // step) - behind)))
            for size, (before, behind) in zip(self.top_size, self.margins, strict=True)
        )
        return rows, columns

    @property
    def channel_blocks(self) -> int:
        return blocks(self.channels)

    @property
    def padded_outputs(self) -> int:
        """Outputs of one group of the convolution, padded for the kernels."""
        return -(-(self.outputs // self.group) // GROUP) * GROUP

    @property
    def taps(self) -> int:
        return self.kernel[0].kernel * self.kernel[1].kernel

    @property
    def products(self) -> float:
        """Multiplications and additions of the convolution's formula."""
        height, width = self.top_size
        return 2.0 * self.batch * height * width * self.outputs * (self.channels // self.group) * self.taps

    @property
    def simple(self) -> bool:
        """Whether the padded picture is the array itself."""
        return self.own_rows and all(window.pad == 0 for window in self.kernel)

    @property
    def own_rows(self) -> bool:
        """Whether the layer sees the array as it is, each row and column once and in order."""
        return all(
            np.array_equal(source, np.arange(size)) for source, size in zip(self.sources, self.size, strict=True)
        )

    @property
    def pointwise(self) -> bool:
        """Whether every output sees one pixel, and every pixel is seen once: all of it may as well be one row."""
        return self.taps == self.kernel[0].stride == self.kernel[1].stride == 1 and self.simple

    def maps(self, lengths: tuple[int, int]) -> tuple[Array, Array]:
        """`seen` for so many rows and columns, from the first one on."""
        return self.seen(np.arange(lengths[0]), np.arange(lengths[1]))

    def seen(self, rows: Array, columns: Array) -> tuple[Array, Array]:
        """For these rows and columns of the padded picture which ones of the array they are; −1 where they are zero.

        Of the shapes of `rows` and `columns`, int32.
        """
        of_rows, of_columns = (
            rows_at(source, places - window.pad).astype(np.int32)
            for source, window, places in zip(self.sources, self.kernel, (rows, columns), strict=True)
        )
        return of_rows, of_columns

    def turned(self) -> Problem:
        """The convolution that carries gradients from top to bottom, for stride 1: kernels turned by half a turn."""
        height, width = self.top_size
        rows, columns = (replace(each, pad=each.extent - 1 - each.pad) for each in self.kernel)
        return Problem(
            self.batch,
            self.outputs,
            self.channels,
            (rows, columns),
            (np.arange(height), np.arange(width)),
            (height, width),
            self.group,
            gradients=True,
        )


def rows_at(source: Array, places: Array) -> Array:
    """`source[places]`; −1 for places outside."""
    inside = (places >= 0) & (places < len(source))
    return np.where(inside, source[np.clip(places, 0, len(source) - 1)], -1)


def padded(values: Array | None, problem: Problem) -> Array:
    """A value for every output (zero without `values`), each group's padded with zeros for the kernels: G×O."""
    all_values = np.zeros((problem.group, problem.padded_outputs), np.float32)
    if values is not None:
        all_values[:, : problem.outputs // problem.group] = values.reshape(problem.group, -1)
    return all_values


@dataclass(frozen=True, eq=False)
class Prepared:
    """A convolution's weights as its algorithm wants them."""

    u: Array
    """The kernels."""
    bias: Array
    """G×O, as `padded` makes it."""
    slopes: Array
    """PReLU's, likewise; G×0 where it is none."""


def with_biases(u: Array, bias: Array | None, slopes: Array | None, problem: Problem) -> Prepared:
    """Kernels that an algorithm has prepared, with biases and slopes, as far as there are any."""
    none = np.empty((problem.group, 0), np.float32)
    return Prepared(u, padded(bias, problem), none if slopes is None else padded(slopes, problem))
