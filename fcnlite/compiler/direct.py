"""Direct convolution: no patches are copied out, the micro-kernel reads the picture under every tap of the kernel.

With the kernel 1×1 it is a matrix product. Of a picture of few channels (thin), such as the net's input, the channels
are brought together in each pixel, so that a whole row of the kernel is one stretch of memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.arena import aligned
from fcnlite.compiler.cost import Cost, in_panels
from fcnlite.compiler.ir import BLOCK, Machine, blocks
from fcnlite.compiler.problem import GROUP, Prepared, Problem
from fcnlite.files import release

THIN = 4
"""The most channels that are brought together in a pixel."""
PIECE_BYTES = 256 << 10
"""Of the bottom that one piece of the work reads: in the cache for all outputs."""
PORTION_BYTES = 32 << 20
"""Of kernels that are made ready at once where memory is low."""
FEW_BYTES = 4 << 20
"""Of kernels: with more, threads share out the outputs, so that each reads its own."""
PIXELS = 512
"""Pixels that are copied at once, at the most, where 1×1 kernels have more than FEW_BYTES."""


@dataclass(frozen=True, eq=False)
class DirectWork:
    """What the kernel slides over, and the pieces that it is done in."""

    size: tuple[int, int]
    """Of the picture, and below of the top: as one row where the kernel is 1×1."""
    top_size: tuple[int, int]
    maps: tuple[Array, Array]
    offsets: Array
    length: int
    """Of each stretch of the sum."""
    copied: bool
    """Whether the rows under the kernel are copied, to pad them."""
    panels: int
    groups: int
    """Panels of outputs, and groups of them, in a piece."""
    scratch: int


@dataclass(frozen=True, eq=False)
class PointwiseWork:
    """Of so many 1×1 kernels that a copy of the pixels, in the order in which they are read, pays."""

    pixels: int
    """At once."""
    scratch: int


@dataclass(frozen=True)
class Direct:
    """Any convolution whose groups, if it has several, are whole blocks of channels."""

    thin: bool = False

    def name(self, p: Problem) -> str:
        if self.thin:
            return "direct, thin"
        return "matrix product" if p.pointwise else "direct"

    @property
    def reads_blocked(self) -> bool:
        return not self.thin

    @property
    def writes_blocked(self) -> bool:
        return True

    @staticmethod
    def suits(p: Problem) -> bool:
        return p.group == 1 or (p.channels // p.group % BLOCK == 0 and p.outputs // p.group % BLOCK == 0)

    def _channels(self, p: Problem) -> int:
        """Of one group, as its sum goes through them."""
        return p.channels if self.thin else blocks(p.channels // p.group) * BLOCK

    def weights(self, p: Problem) -> int:
        return self._channels(p) * p.taps * p.padded_outputs * p.group

    def cost(self, p: Problem) -> Cost:
        (height, width), weights = p.top_size, self.weights(p)
        # Of a 1×1 kernel all pixels are one row; where they are few, its weights' way from memory takes the time.
        rows = height * width if p.pointwise and not self.thin else height * in_panels(width)
        products = 2.0 * p.batch * rows * weights
        return Cost(products, filling=products - p.products, memory=4.0 * weights)

    def prepare(
        self, weight: Array, p: Problem, machine: Machine, *, turned: bool = False, into: Array | None = None
    ) -> Array:
        """The kernels as the micro-kernel reads them, a row for every group: G×(…)."""
        parts = weight.reshape(p.group, -1, *weight.shape[1:])
        u = aligned(self.weights(p)).reshape(p.group, -1) if into is None else into
        for part, to in zip(parts, u, strict=True):
            machine.kernels.prepare_direct(part, to, self.thin, turned, machine.threads)
        return u

    def plan(self, p: Problem, machine: Machine) -> DirectWork | PointwiseWork:
        if self._copies_pixels(p, machine.threads):
            pixels = p.batch * p.size[0] * p.size[1]
            at_once = -(-pixels // -(-pixels // PIXELS))
            scratch = machine.kernels.pointwise_scratch(p.channel_blocks, at_once, machine.threads)
            return PointwiseWork(at_once, scratch)
        return self.sliding(p, machine)

    def sliding(self, p: Problem, machine: Machine) -> DirectWork:
        """How it goes about the problem where the kernels slide over the picture, or over copies of its rows."""
        rows, columns = p.kernel
        (height, width), size = p.top_size, p.size
        one_row = p.pointwise and not self.thin
        if one_row:
            height, width, size = 1, height * width, (1, size[0] * size[1])
        lanes, threads = machine.kernels.panel_rows(), machine.threads
        copied = self.thin or not p.simple or width < lanes
        if one_row:
            maps = np.zeros(1, np.int32), np.arange(width, dtype=np.int32)
        elif copied:
            maps = p.maps(((height - 1) * rows.stride + rows.extent, (width - 1) * columns.stride + columns.extent))
        else:
            maps = p.maps(size)
        channels, in_row = self._channels(p), -(-width // lanes)
        offsets, length = self._segments(p, channels, size, len(maps[1]), copied)
        if self._shares_outputs(p, threads) and not copied:
            panels, groups = height * in_row, 1
        else:
            # So many that what they read of the bottom stays in the cache, and that each thread gets four pieces.
            pixel = 4 * channels
            near = max(1, PIECE_BYTES // (len(maps[1]) * pixel * rows.stride)) * in_row
            if one_row:
                near = PIECE_BYTES // (lanes * pixel)
            share = -(-height * in_row * p.batch // (4 * threads))
            panels, groups = max(1, min(near, share, height * in_row)), p.padded_outputs // GROUP
        scratch = 0
        if copied:
            scratch = threads * machine.kernels.direct_scratch(
                channels, len(maps[1]), rows.extent, rows.stride, columns.stride, width, panels
            )
        return DirectWork(size, (height, width), maps, offsets, length, copied, panels, groups, scratch)

    def _shares_outputs(self, p: Problem, threads: int) -> bool:
        """Whether each thread reads the kernels of its own outputs alone."""
        return 4 * self.weights(p) > FEW_BYTES * p.group and p.padded_outputs // GROUP >= threads

    def _copies_pixels(self, p: Problem, threads: int) -> bool:
        return not self.thin and p.pointwise and p.group == 1 and self._shares_outputs(p, threads)

    def forward(
        self, x: Array, y: Array, weights: Prepared, p: Problem, work: DirectWork | PointwiseWork, machine: Machine
    ) -> None:
        if isinstance(work, PointwiseWork):
            machine.kernels.pointwise_forward(
                x, weights.u[0], weights.bias[0], weights.slopes[0], y, p.relu, work.pixels, machine.scratch,
                machine.threads,
            )  # fmt: skip
            return
        ins, outs = (p.channels if self.thin else p.channel_blocks) // p.group, blocks(p.outputs // p.group)
        for i in range(p.group):
            own = weights.u[i], weights.bias[i], weights.slopes[i]
            self._slide(x, y, own, (i * ins, ins, i * outs, outs), p, work, machine)

    def _slide(
        self,
        x: Array,
        y: Array,
        weights: tuple[Array, Array, Array],
        of_blocks: tuple[int, int, int, int],
        p: Problem,
        work: DirectWork,
        machine: Machine,
    ) -> None:
        """One group, with its kernels, biases, slopes; `of_blocks`: its first block of x, their number; those of y."""
        rows, columns = p.kernel
        planes = p.channels if self.thin else p.channel_blocks
        machine.kernels.direct_forward(
            x.reshape(-1), (p.batch, planes, *work.size), *weights, y.reshape(*y.shape[:2], *work.top_size, BLOCK),
            *work.maps, work.offsets, blocks=of_blocks, length=work.length, extent_h=rows.extent,
            dilation_h=rows.dilation, stride=(rows.stride, columns.stride), thin=self.thin, relu=p.relu,
            copied=work.copied, panels_at_once=work.panels, groups_at_once=work.groups, scratch=machine.scratch,
            threads=machine.threads,
        )  # fmt: skip

    def weight_scratch(self, p: Problem, machine: Machine) -> int:
        """Floats of `Machine.scratch` that `backward_weight` wants."""
        rows, width = p.kernel[0], p.top_size[1]
        padded = (width - 1) * p.kernel[1].stride + p.kernel[1].extent
        return machine.threads * int(machine.kernels.thin_weight_scratch(p.channels, padded, rows.extent, width))

    def backward_weight(
        self, x: Array, dy: Array, dweight: Array, p: Problem, work: DirectWork, machine: Machine
    ) -> None:
        """The kernels' gradient, given the outputs' (dy), written into `dweight`; of a thin bottom."""
        rows, columns = p.kernel
        lanes = machine.kernels.sum_rows()
        padded = -(-work.length // lanes) * lanes
        sums = np.zeros((machine.threads, len(work.offsets), padded, p.padded_outputs), np.float32)
        machine.kernels.thin_backward_weight(
            x.reshape(-1), x.shape, dy, *work.maps, work.offsets, work.length, rows.extent,
            (rows.stride, columns.stride), sums, machine.scratch, machine.threads,
        )  # fmt: skip
        taps = sums.sum(axis=0)[:, : work.length, : p.outputs].reshape(rows.kernel, columns.kernel, p.channels, -1)
        dweight[...] = taps.transpose(3, 2, 0, 1)

    def _segments(
        self, p: Problem, channels: int, size: tuple[int, int], width: int, copied: bool
    ) -> tuple[Array, int]:
        """Where the stretches of the sum begin, in the order of the prepared kernels, and their length."""
        rows, columns = p.kernel
        down, across = rows.dilation * np.arange(rows.kernel), columns.dilation * np.arange(columns.kernel)
        if self.thin:
            if columns.dilation == 1:
                return down * width * channels, columns.kernel * channels
            return (down[:, None] * width + across).reshape(-1) * channels, channels
        planes = np.arange(channels // BLOCK)
        # In a copy the planes lie side by side in each row; in the picture, one after the other.
        row, plane = (channels * width, width * BLOCK) if copied else (width * BLOCK, size[0] * size[1] * BLOCK)
        starts = down[:, None, None] * row + across[:, None] * BLOCK + planes * plane
        return np.ascontiguousarray(starts.reshape(-1)), BLOCK


@dataclass(frozen=True)
class Streamed(Direct):
    """For low memory: kernels as they are, made ready portion by portion at every pass. One group, not thin."""

    def name(self, p: Problem) -> str:
        return f"{super().name(p)}, streamed"

    def prepare(
        self, weight: Array, p: Problem, machine: Machine, *, turned: bool = False, into: Array | None = None
    ) -> Array:
        return super().prepare(weight, p, machine, turned=True, into=into) if turned else weight

    def _copies_pixels(self, p: Problem, threads: int) -> bool:
        return False  # it would for every portion of kernels

    def forward(
        self, x: Array, y: Array, weights: Prepared, p: Problem, work: DirectWork | PointwiseWork, machine: Machine
    ) -> None:
        if weights.u.ndim == 2:
            super().forward(x, y, weights, p, work, machine)
            return
        assert isinstance(work, DirectWork)
        of_output = p.taps * p.channel_blocks * BLOCK
        step = GROUP * max(1, PORTION_BYTES // (4 * GROUP * of_output))
        prepared = aligned(step * of_output)
        for first in range(0, p.outputs, step):
            part = weights.u[first : first + step]
            ready = prepared[: -(-len(part) // GROUP) * GROUP * of_output]
            machine.kernels.prepare_direct(part, ready, False, False, machine.threads)
            of_blocks = (0, p.channel_blocks, first // BLOCK, blocks(len(part)))
            own = ready, weights.bias[0, first:], weights.slopes[0, first:]
            self._slide(x, y, own, of_blocks, p, work, machine)
            release(part)
