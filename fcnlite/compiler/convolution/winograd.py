"""Convolution of stride 1 by Winograd's algorithm (Lavin and Gray, 2016): fewer products, for some additions.

For each tile of m×m outputs, with d the n×n patch of the input that it sees (n = m + r − 1) and g the r×r filter,

    y = Aᵀ [ Σ_c (G g Gᵀ) ⊙ (Bᵀ d B) ] A

which takes n² products for each input channel, where direct convolution takes m²r². It is exact in exact arithmetic: a
convolution is a product of polynomials, here evaluated at n − 1 points and ∞, and interpolated. Two sets of points
serve all filters:

    n = 6, at 0, ±3/4, ±3/2, ∞: F(4×4, 3×3), 36 products for 144
    n = 8, at 0, ±1/2, ±1, ±2, ∞: F(6×6, 3×3), 64 for 324; F(4×4, 5×5), 64 for 400; F(2×2, 7×7), 64 for 196 …

A window of one row, 1×r, or of one column is transformed along its length alone: F(6×1, 3×1) takes 8 products for 18.

A window of dilation d sees every d-th row and column: one of d·d pictures, whose outputs are d apart too. Each of these
pictures is cut into tiles. (This is shift-and-stitch, section 3.2 of the FCN paper, in reverse: there one rarefied
filter computes what d·d shifted coarse pictures give.)

The points determine the rounding error; in float32 it is 2.5e-6 and 9e-6 of the largest output for 3×3, and 9e-6 for
7×7. Bᵀ and Aᵀ are written out in _kernels/winograd/transforms.pxi; G is made here. The sums over c are n² matrix
products.

A sum that is exactly 0, in a wide pad and with a bias of 0, becomes ±1e-7 in a tile that reaches the picture; ReLU may
then pass a gradient that it would otherwise block.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.arena import aligned
from fcnlite.compiler.convolution.problem import GROUP, PreparedWeights, Problem, summand
from fcnlite.compiler.cost import PANEL, Cost, in_panels
from fcnlite.compiler.ir import BLOCK, blocks
from fcnlite.compiler.machine import Machine
from fcnlite.files import release

POINTS = {
    6: (Fraction(0), Fraction(3, 4), Fraction(-3, 4), Fraction(3, 2), Fraction(-3, 2)),
    8: tuple(map(Fraction, ("0", "1/2", "-1/2", "1", "-1", "2", "-2"))),
}
"""The points by n; the last point is ∞."""
PORTION_BYTES = 32 << 20
"""Bytes of weights that are prepared at a time."""
LAST_PANEL = 8
"""The size of the last of several panels if it has at most this many tiles."""
SMALL_BYTES = 4 << 20
"""Bytes of transformed filters below which small portions of tiles stay in a core's own cache."""
LARGE_BYTES = 16 << 20
"""Bytes of transformed filters beyond which each thread reads only those of its own outputs."""
NEAR_BYTES = 1 << 20
"""`backward_weights`: the most bytes of a group's transformed gradients for which each thread computes whole groups."""
SUM_BYTES = 72 << 20
"""`backward_weights` in portions: the most bytes of sums; otherwise outputs are computed in turn."""
SUM_TILES = 112
"""`backward_weights` in portions: the fewest tiles in a portion."""
SUM_TILES_BYTES = 10 << 20
"""`backward_weights` in portions: bytes of transformed tiles in a portion, if that gives more tiles because
channels are few."""
BUNDLE = 32
"""`backward_data`: adjacent tiles computed together with AVX-512; the numbers of other instruction sets divide it."""
DATA_TILES = 128
"""`backward_data`: the most tiles for which the filters are read once."""


@functools.cache
def filter_transform(points: int, r: int) -> Array:
    """G, n×r: a filter's polynomial at the points, divided by Π (point − other points); its last row is for ∞."""
    rows = []
    for point in POINTS[points]:
        norm = math.prod(point - other for other in POINTS[points] if other != point)
        rows.append([float(point**k / norm) for k in range(r)])
    return np.array([*rows, [0.0] * (r - 1) + [1.0]], np.float32)


def _multiplied(tiles: int) -> int:
    """The number of rows multiplied for these tiles, including those that fill the last panel."""
    whole, left = divmod(tiles, PANEL)
    return whole * PANEL + (LAST_PANEL if whole and 0 < left <= LAST_PANEL else in_panels(left))


def tile_starts(length: int, side: int, dilation: int) -> list[int]:
    """The starts of tiles along `length` rows: first those of rows 0, d, 2d, …, then those of 1, d + 1, …"""
    return [start for first in range(dilation) for start in range(first, length, side * dilation)]


@dataclass(frozen=True, eq=False)
class Tiling:
    """The division of a top, without its margins, into T rows of T' tiles."""

    points: tuple[int, int]
    """n along rows and along columns; 1 along an axis on which nothing is transformed."""
    side: tuple[int, int]
    """m, the outputs along a tile's sides."""
    dilation: tuple[int, int]
    """The window's dilation: the distances between the rows, and columns, of a tile."""
    row_starts: Array
    col_starts: Array
    """T and T': the starts of the tiles."""
    rows: Array
    cols: Array
    """T×n and T'×n: the rows and columns of the bottom's array that the tiles read; −1 is zero."""


@dataclass(frozen=True, eq=False)
class WinogradWork:
    """The division of the tiles of a problem."""

    tiling: Tiling
    at_once: int
    """The number of tiles in a portion."""
    by_outputs: bool
    """Whether threads divide the outputs; otherwise they divide the tiles."""
    scratch: int


@dataclass(frozen=True)
class Winograd:
    """r×r windows, stride 1, any dilation, one group; without backward also 1×r and r×1 windows."""

    points: int

    def points_of(self, p: Problem) -> tuple[int, int]:
        """n, the inputs along a patch's sides."""
        rows, columns = (1 if window.size == 1 else self.points for window in p.windows)
        return rows, columns

    def side(self, p: Problem) -> tuple[int, int]:
        """m, the outputs along a tile's sides."""
        rows, columns = (n - window.size + 1 for n, window in zip(self.points_of(p), p.windows, strict=True))
        return rows, columns

    def frequencies(self, p: Problem) -> int:
        """The products for each tile, input channel and output channel."""
        return math.prod(self.points_of(p))

    def name(self, p: Problem) -> str:
        (rows, columns), (height, width) = self.side(p), p.windows
        return f"Winograd F({rows}×{columns}, {height.size}×{width.size})"

    @property
    def reads_blocked(self) -> bool:
        return True

    @property
    def writes_blocked(self) -> bool:
        return True

    def suits(self, p: Problem) -> bool:
        long = [window for window in p.windows if window.size > 1]
        if not long or any(window.stride > 1 for window in p.windows) or p.group > 1:
            return False
        window, r = long[0], long[0].size
        known = r == 3 if self.points == 6 else 3 <= r <= 7
        if len(long) == 1:
            return known and not p.training and not p.pool
        pools = self.side(p)[0] % 2 == 0 and window.dilation == 1  # a tile then has whole 2×2 windows
        return p.windows[0] == p.windows[1] and known and (pools or not p.pool)

    def tiles(self, p: Problem) -> int:
        """The number of tiles in the batch."""
        down, across = map(len, self._starts(p))
        return p.batch * down * across

    def _starts(self, p: Problem) -> list[list[int]]:
        """The starts of tiles along both axes."""
        return [
            tile_starts(len(within), side, window.dilation if window.size > 1 else 1)
            for within, side, window in zip(p.within, self.side(p), p.windows, strict=True)
        ]

    def prepared_floats(self, p: Problem) -> int:
        return self.frequencies(p) * p.channel_blocks * BLOCK * p.padded_outputs

    def cost(self, p: Problem) -> Cost:
        tiles, patch, axes = _multiplied(self.tiles(p)), self.frequencies(p), sum(w.size > 1 for w in p.windows)
        channels, outputs, weights = p.channel_blocks * BLOCK, p.padded_outputs, float(self.prepared_floats(p))
        # A transform along one axis takes about 3 operations a value, and one or two axes are transformed.
        back = patch if axes == 1 else patch + self.points * self.side(p)[0]
        transforms = 3.0 * tiles * (channels * axes * patch + outputs * back)
        products = 2.0 * tiles * weights
        filling = products - 2.0 * patch * self.tiles(p) * p.channels * p.outputs
        return Cost(products, transforms, 4.0 * weights, filling)

    def backward_data_cost(self, p: Problem) -> Cost:
        """The cost of `backward_data`: forward's, but with tiles in bundles, and buffers too large for the cache."""
        cost, tiles = self.cost(p), -(-self.tiles(p) // BUNDLE) * BUNDLE
        buffers = 4.0 * self.frequencies(p) * tiles * (p.channel_blocks * BLOCK + p.padded_outputs)
        products = 2.0 * tiles * self.prepared_floats(p)
        filling = products - cost.needed
        return replace(cost, products=products, filling=filling, memory=cost.memory + 2 * buffers)

    def prepare(
        self, weight: Array, p: Problem, machine: Machine, *, transposed: bool = False, into: Array | None = None
    ) -> Array:
        """G g Gᵀ for every filter g."""
        channels = p.channel_blocks * BLOCK
        filters = aligned(self.prepared_floats(p)) if into is None else into
        g = filter_transform(self.points, max(weight.shape[2:]))
        if transposed:
            machine.kernels.prepare_winograd(weight, g, filters, transposed, machine.threads)
            return filters
        # A weight that is mapped from a file is released portion by portion once it has been read.
        step = GROUP * max(1, PORTION_BYTES // (GROUP * weight[0].nbytes))
        for first in range(0, len(weight), step):
            part = weight[first : first + step]
            size = -(-len(part) // GROUP) * GROUP * self.frequencies(p) * channels
            start = first * self.frequencies(p) * channels
            machine.kernels.prepare_winograd(part, g, filters[start : start + size], transposed, machine.threads)
            release(part)
        return filters

    def set_up(self, p: Problem, machine: Machine) -> WinogradWork:
        lanes, threads = machine.kernels.panel_rows(), machine.threads
        weights = 4 * self.prepared_floats(p)
        tiles, groups = self.tiles(p), p.padded_outputs // GROUP
        by_outputs = weights > LARGE_BYTES and groups >= threads
        most = 128 if by_outputs else 84 if weights > SMALL_BYTES else 42
        if 1 in self.points_of(p):
            most *= self.points  # patches are smaller by as much
        parts = -(-tiles // most)
        if not by_outputs:
            parts = -(-parts // threads) * threads if tiles > threads * lanes else min(threads, -(-tiles // lanes))
        at_once = -(-tiles // (parts * lanes)) * lanes
        scratch = machine.kernels.winograd_scratch(self.frequencies(p), p.channel_blocks, at_once, by_outputs, threads)
        return WinogradWork(self._tiling(p), at_once, by_outputs, scratch)

    def _tiling(self, p: Problem) -> Tiling:
        points, (height, width) = self.points_of(p), p.windows
        row_starts, col_starts = (np.array(each, np.int32) for each in self._starts(p))
        row_patch, col_patch = height.dilation * np.arange(points[0]), width.dilation * np.arange(points[1])
        rows, cols = p.seen(
            p.within[0].start + row_starts[:, None] + row_patch, p.within[1].start + col_starts[:, None] + col_patch
        )
        return Tiling(points, self.side(p), (height.dilation, width.dilation), row_starts, col_starts, rows, cols)

    def forward(
        self,
        x: Array,
        y: Array,
        weights: PreparedWeights,
        p: Problem,
        work: WinogradWork,
        scratch: Array,
        machine: Machine,
        add: Array | None = None,
    ) -> None:
        machine.kernels.winograd_forward(
            x, weights.filters, weights.bias[0], weights.slopes[0], summand(add), y, work.tiling,
            top_size=tuple(map(len, p.within)), margins=p.margins, relu=p.relu, pool=p.pool, at_once=work.at_once,
            by_outputs=work.by_outputs, scratch=scratch, threads=machine.threads,
        )  # fmt: skip

    def backward_weights_scratch(self, p: Problem, machine: Machine) -> int:
        """Floats of scratch memory that `backward_weights` uses."""
        kernels, of_bottom = machine.kernels, (self.frequencies(p), p.channel_blocks)
        if self._few(p, machine.threads):
            return int(kernels.winograd_few_scratch(*of_bottom, self.tiles(p), machine.threads))
        return int(kernels.winograd_weight_scratch(*of_bottom, *self._portion(p)))

    def backward_weights(
        self, x: Array, dy: Array, dweight: Array, p: Problem, work: WinogradWork, scratch: Array, machine: Machine
    ) -> None:
        """Write the weight's gradient into `dweight`."""
        g = filter_transform(self.points, dweight.shape[2])
        arguments = x, dy, work.tiling, g, dweight
        if self._few(p, machine.threads):
            machine.kernels.winograd_backward_few(*arguments, scratch, machine.threads)
        else:
            machine.kernels.winograd_backward_weight(*arguments, *self._portion(p), scratch, machine.threads)

    def backward_data_scratch(self, p: Problem, machine: Machine) -> int:
        """Floats of scratch memory that `backward_data` uses."""
        of_both = p.channel_blocks, blocks(p.outputs)
        return int(machine.kernels.winograd_data_scratch(self.frequencies(p), *of_both, self._data_tiles(p)))

    def backward_data(
        self,
        dy: Array,
        dx: Array,
        weights: PreparedWeights,
        p: Problem,
        work: WinogradWork,
        scratch: Array,
        machine: Machine,
    ) -> None:
        """Write the bottom's gradient into `dx`; it reads forward's filters."""
        machine.kernels.winograd_backward_data(
            dy, weights.filters, dx, work.tiling, self._data_tiles(p), scratch, machine.threads
        )

    def _data_tiles(self, p: Problem) -> int:
        """The number of tiles in a portion of `backward_data`: equal portions of whole bundles."""
        tiles = self.tiles(p)
        portions = -(-tiles // DATA_TILES)
        return -(-tiles // (portions * BUNDLE)) * BUNDLE

    def _few(self, p: Problem, threads: int) -> bool:
        """Whether tiles are so few that in `backward_weights` each thread computes whole groups of filters."""
        d = 4 * self.frequencies(p) * self.tiles(p) * GROUP
        return p.padded_outputs // GROUP >= threads and d <= NEAR_BYTES

    def _portion(self, p: Problem) -> tuple[int, int]:
        """Otherwise, the tiles and the groups of outputs that it computes at once."""
        channels, of_value = p.channel_blocks * BLOCK, 4 * self.frequencies(p)
        tiles = max(SUM_TILES, SUM_TILES_BYTES // (of_value * (channels + p.padded_outputs)))
        groups = min(SUM_BYTES // (of_value * channels * GROUP), p.padded_outputs // GROUP)
        return min(tiles, self.tiles(p)), max(1, groups)
