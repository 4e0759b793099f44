"""Convolution of stride 1 by Winograd's way (Lavin and Gray, 2016): fewer products, for some additions.

For each tile of m×m outputs, with d the n×n patch of the input that it sees (n = m + r − 1) and g the r×r kernel,

    y = Aᵀ [ Σ_c (G g Gᵀ) ⊙ (Bᵀ d B) ] A

which takes n² products an input channel where the direct way takes m²r². Exact in exact arithmetic: a convolution is a
product of polynomials, here computed at n − 1 points and ∞, and interpolated. Two sets of points serve all kernels:

    n = 6, at 0, ±3/4, ±3/2, ∞: F(4×4, 3×3), 36 products for 144
    n = 8, at 0, ±1/2, ±1, ±2, ∞: F(6×6, 3×3), 64 for 324; F(4×4, 5×5), 64 for 400; F(2×2, 7×7), 64 for 196 …

A kernel of dilation d sees every d-th row and column: one of d·d pictures, whose outputs lie d apart too. Tiles are cut
out of each of them. (Shift-and-stitch, section 3.2 of the FCN paper, read backwards: there a rarefied filter gives at
once what d·d shifted coarse pictures would.)

The points decide the rounding error; these keep it, in float32, at 2.5e-6 and 9e-6 of the largest output for 3×3, and
at 9e-6 for 7×7. Bᵀ and Aᵀ are written out in _kernels/winograd_transforms.pxi; G is made here. The sums over c are n²
matrix products.

Where a sum is exactly 0, in a wide pad and with a bias of 0, a tile that reaches the picture makes it ±1e-7; ReLU then
lets a gradient pass that it else would not.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.arena import aligned
from fcnlite.compiler.cost import PANEL, Cost, in_panels
from fcnlite.compiler.ir import BLOCK, Machine, blocks
from fcnlite.compiler.problem import GROUP, Prepared, Problem
from fcnlite.files import release

POINTS = {
    6: (Fraction(0), Fraction(3, 4), Fraction(-3, 4), Fraction(3, 2), Fraction(-3, 2)),
    8: tuple(map(Fraction, ("0", "1/2", "-1/2", "1", "-1", "2", "-2"))),
}
"""By n; the last point is ∞."""
PORTION_BYTES = 32 << 20
"""Of weights that are prepared at once."""
LAST_PANEL = 8
"""Of several panels the last is multiplied as one of so many tiles, if it has no more."""
SMALL_BYTES = 4 << 20
"""Of transformed kernels: with less, small portions of tiles stay in a core's own cache."""
LARGE_BYTES = 16 << 20
"""With more, each thread reads only those of its own outputs."""
NEAR_BYTES = 1 << 20
"""`backward_weight`: while a group's transformed gradients are no more, threads make groups of kernels each alone."""
SUM_BYTES = 72 << 20
"""`backward_weight` by portions: of sums that are kept; outputs take turns where there would be more."""
SUM_TILES = 112
"""`backward_weight` by portions: tiles in one, at the least."""
SUM_TILES_BYTES = 10 << 20
"""`backward_weight` by portions: of transformed tiles in one, where channels are so few that this is more of them."""
BUNDLE = 32
"""`backward_data`: tiles that lie side by side. AVX-512's; those of others divide it."""
DATA_TILES = 128
"""`backward_data`: tiles at once, at the most; the kernels are read once for all of them."""


@functools.cache
def kernel_transform(points: int, r: int) -> Array:
    """G, n×r: a kernel's polynomial at the points, divided by Π (point − other points); its last row is ∞."""
    rows = []
    for point in POINTS[points]:
        norm = math.prod(point - other for other in POINTS[points] if other != point)
        rows.append([float(point**k / norm) for k in range(r)])
    return np.array([*rows, [0.0] * (r - 1) + [1.0]], np.float32)


def _multiplied(tiles: int) -> int:
    """The rows that the products of so many tiles have."""
    whole, left = divmod(tiles, PANEL)
    return whole * PANEL + (LAST_PANEL if whole and 0 < left <= LAST_PANEL else in_panels(left))


def tile_starts(length: int, side: int, dilation: int) -> list[int]:
    """Where tiles begin along `length` rows: first those of rows 0, d, 2d, …, then those of 1, d + 1, …"""
    return [start for first in range(dilation) for start in range(first, length, side * dilation)]


@dataclass(frozen=True, eq=False)
class Tiling:
    """How the part of a top that lies within its margins is cut into tiles, T rows of T' tiles."""

    points: int
    side: int
    dilation: int
    """Of the kernel: a tile's rows and columns lie so far apart."""
    row_starts: Array
    col_starts: Array
    """T and T': where they begin."""
    rows: Array
    cols: Array
    """T×points and T'×points: which ones of the bottom's array they see; −1 is zero."""


@dataclass(frozen=True, eq=False)
class WinogradWork:
    """How a problem's tiles go through the buffers."""

    tiling: Tiling
    at_once: int
    by_outputs: bool
    """Whether threads share out outputs, else tiles."""
    scratch: int


@dataclass(frozen=True)
class Winograd:
    """r×r kernels, stride 1, any dilation, one group."""

    points: int

    def side(self, p: Problem) -> int:
        """m, the outputs along a tile's side."""
        return self.points - p.kernel[0].kernel + 1

    def name(self, p: Problem) -> str:
        m, r = self.side(p), p.kernel[0].kernel
        return f"Winograd F({m}×{m}, {r}×{r})"

    @property
    def reads_blocked(self) -> bool:
        return True

    @property
    def writes_blocked(self) -> bool:
        return True

    def suits(self, p: Problem) -> bool:
        window, r = p.kernel[0], p.kernel[0].kernel
        square = window == p.kernel[1] and window.stride == 1
        known = r == 3 if self.points == 6 else 3 <= r <= 7
        pools = self.side(p) % 2 == 0 and window.dilation == 1  # a tile then has whole 2×2 windows
        return square and p.group == 1 and known and (pools or not p.pool)

    def tiles(self, p: Problem) -> int:
        down, across = map(len, self._starts(p))
        return p.batch * down * across

    def _starts(self, p: Problem) -> list[list[int]]:
        """Along both axes."""
        return [
            tile_starts(len(within), self.side(p), window.dilation)
            for within, window in zip(p.within, p.kernel, strict=True)
        ]

    def weights(self, p: Problem) -> int:
        return self.points**2 * p.channel_blocks * BLOCK * p.padded_outputs

    def cost(self, p: Problem) -> Cost:
        n, m, tiles = self.points, self.side(p), _multiplied(self.tiles(p))
        channels, outputs, weights = p.channel_blocks * BLOCK, p.padded_outputs, float(self.weights(p))
        # A transform along one axis takes about 3 operations a value, and two axes are transformed.
        transforms = 3.0 * tiles * (channels * 2 * n * n + outputs * (n * n + n * m))
        products = 2.0 * tiles * weights
        filling = products - 2.0 * n * n * self.tiles(p) * p.channels * p.outputs
        return Cost(products, transforms, 4.0 * weights, filling)

    def data_cost(self, p: Problem) -> Cost:
        """Of `backward_data`: forward's, but tiles come in bundles, and its buffers are too large for the cache."""
        cost, tiles = self.cost(p), -(-self.tiles(p) // BUNDLE) * BUNDLE
        buffers = 4.0 * self.points**2 * tiles * (p.channel_blocks * BLOCK + p.padded_outputs)
        products = 2.0 * tiles * self.weights(p)
        filling = products - cost.needed
        return replace(cost, products=products, filling=filling, memory=cost.memory + 2 * buffers)

    def prepare(
        self, weight: Array, p: Problem, machine: Machine, *, turned: bool = False, into: Array | None = None
    ) -> Array:
        """G g Gᵀ for every kernel; `turned` for the convolution of gradients."""
        channels = p.channel_blocks * BLOCK
        u = aligned(self.weights(p)) if into is None else into
        g = kernel_transform(self.points, weight.shape[2])
        if turned:
            machine.kernels.prepare_winograd(weight, g, u, turned, machine.threads)
            return u
        # Weights that are mapped from a file are in memory only while they are read.
        step = GROUP * max(1, PORTION_BYTES // (GROUP * weight[0].nbytes))
        for first in range(0, len(weight), step):
            part = weight[first : first + step]
            size = -(-len(part) // GROUP) * GROUP * self.points**2 * channels
            start = first * self.points**2 * channels
            machine.kernels.prepare_winograd(part, g, u[start : start + size], turned, machine.threads)
            release(part)
        return u

    def plan(self, p: Problem, machine: Machine) -> WinogradWork:
        lanes, threads = machine.kernels.panel_rows(), machine.threads
        weights = 4 * self.weights(p)
        tiles, groups = self.tiles(p), p.padded_outputs // GROUP
        by_outputs = weights > LARGE_BYTES and groups >= threads
        most = 128 if by_outputs else 84 if weights > SMALL_BYTES else 42
        parts = -(-tiles // most)
        if not by_outputs:
            parts = -(-parts // threads) * threads if tiles > threads * lanes else min(threads, -(-tiles // lanes))
        at_once = -(-tiles // (parts * lanes)) * lanes
        scratch = machine.kernels.winograd_scratch(self.points, p.channel_blocks, at_once, by_outputs, threads)
        return WinogradWork(self._tiling(p), at_once, by_outputs, scratch)

    def _tiling(self, p: Problem) -> Tiling:
        dilation = p.kernel[0].dilation
        patch = dilation * np.arange(self.points)
        row_starts, col_starts = (np.array(each, np.int32)[:, None] for each in self._starts(p))
        rows, cols = p.seen(p.within[0].start + row_starts + patch, p.within[1].start + col_starts + patch)
        return Tiling(self.points, self.side(p), dilation, row_starts.ravel(), col_starts.ravel(), rows, cols)

    def forward(self, x: Array, y: Array, weights: Prepared, p: Problem, work: WinogradWork, machine: Machine) -> None:
        machine.kernels.winograd_forward(
            x, weights.u, weights.bias[0], weights.slopes[0], y, work.tiling, top_size=tuple(map(len, p.within)),
            margins=p.margins, relu=p.relu, pool=p.pool, at_once=work.at_once, by_outputs=work.by_outputs,
            scratch=machine.scratch, threads=machine.threads,
        )  # fmt: skip

    def weight_scratch(self, p: Problem, machine: Machine) -> int:
        """Floats of `Machine.scratch` that `backward_weight` wants."""
        kernels, of_bottom = machine.kernels, (self.points, p.channel_blocks)
        if self._few(p, machine.threads):
            return int(kernels.winograd_few_scratch(*of_bottom, self.tiles(p), machine.threads))
        return int(kernels.winograd_weight_scratch(*of_bottom, *self._portion(p)))

    def backward_weight(
        self, x: Array, dy: Array, dweight: Array, p: Problem, work: WinogradWork, machine: Machine
    ) -> None:
        """The kernels' gradient, given the outputs' (dy), written into `dweight`."""
        g = kernel_transform(self.points, dweight.shape[2])
        arguments = x, dy, work.tiling, g, dweight
        if self._few(p, machine.threads):
            machine.kernels.winograd_backward_few(*arguments, machine.scratch, machine.threads)
        else:
            machine.kernels.winograd_backward_weight(*arguments, *self._portion(p), machine.scratch, machine.threads)

    def data_scratch(self, p: Problem, machine: Machine) -> int:
        """Floats of `Machine.scratch` that `backward_data` wants."""
        of_both = p.channel_blocks, blocks(p.outputs)
        return int(machine.kernels.winograd_data_scratch(self.points, *of_both, self._data_tiles(p)))

    def backward_data(
        self, dy: Array, dx: Array, weights: Prepared, p: Problem, work: WinogradWork, machine: Machine
    ) -> None:
        """The bottom's gradient, given the outputs' (dy), with forward's kernels."""
        machine.kernels.winograd_backward_data(
            dy, weights.u, dx, work.tiling, self._data_tiles(p), machine.scratch, machine.threads
        )

    def _data_tiles(self, p: Problem) -> int:
        """Tiles that go through `backward_data` at once: equal portions of whole bundles."""
        tiles = self.tiles(p)
        portions = -(-tiles // DATA_TILES)
        return -(-tiles // (portions * BUNDLE)) * BUNDLE

    def _few(self, p: Problem, threads: int) -> bool:
        """Whether, in `backward_weight`, tiles are so few that each thread makes groups of kernels by itself."""
        d = 4 * self.points**2 * self.tiles(p) * GROUP
        return p.padded_outputs // GROUP >= threads and d <= NEAR_BYTES

    def _portion(self, p: Problem) -> tuple[int, int]:
        """Else the tiles, and the groups of outputs, that go through it at once."""
        channels, of_value = p.channel_blocks * BLOCK, 4 * self.points**2
        tiles = max(SUM_TILES, SUM_TILES_BYTES // (of_value * (channels + p.padded_outputs)))
        groups = min(SUM_BYTES // (of_value * channels * GROUP), p.padded_outputs // GROUP)
        return min(tiles, self.tiles(p)), max(1, groups)
