"""Direct convolution: the micro-kernel reads the picture at each element of the window, without copying patches.

With a 1×1 window it is a matrix product. Where patches are few, it is a matrix product of copies of them. A picture of
few channels, such as the net's input, is "thin": its channels are interleaved in each pixel, so that a whole row of the
window is contiguous in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.arena import aligned
from fcnlite.compiler.convolution.problem import GROUP, PreparedWeights, Problem, summand
from fcnlite.compiler.cost import Cost, in_panels
from fcnlite.compiler.ir import BLOCK, blocks
from fcnlite.compiler.machine import Machine
from fcnlite.files import release

THIN = 4
"""The most channels that are interleaved in a pixel."""
PIECE_BYTES = 256 << 10
"""Bytes of the bottom that one portion of the work reads, which stay in the cache for all outputs."""
PORTION_BYTES = 32 << 20
"""Bytes of filters that are prepared at a time with low memory."""
FEW_BYTES = 4 << 20
"""Bytes of filters beyond which threads divide the outputs, so that each thread reads its own filters."""
MANY_BYTES = 512 << 10
"""Bytes of 1×1 filters beyond which pixels are copied: the next filters then come from memory while these are used."""
PATCHES = 512
"""The most patches copied at a time."""
PATCHES_BYTES = 2 << 20
"""The most bytes of copied patches of more than one pixel: they stay in a core's own cache."""
SAVING = 1.25
"""How many times as many rows the micro-kernel must multiply without copies, for copies to save time."""


@dataclass(frozen=True, eq=False)
class DirectWork:
    """The rows and columns that the window slides over, and the portions of the work."""

    shape: tuple[int, int, int, int]
    """The first four axes of the bottom, whose picture is one row if the window is 1×1."""
    whole: tuple[int, int]
    """Height and width of the top's array as the kernel sees it."""
    groups: list[tuple[int, int, int, int]]
    """For each group, the first of its blocks in the bottom, their number, and the same for the top."""
    maps: tuple[Array, Array]
    """The row of the picture for each row that the window slides over, and the column for each column; −1 is zero."""
    offsets: Array
    """The starts of the segments of the sum, in floats."""
    length: int
    """Floats of each segment, which is contiguous."""
    options: dict[str, Any]
    """The other arguments of the kernel that are known: among them, whether the rows under the window are copied, to
    pad them, how many panels of positions and groups of output channels are in a portion, and where the outputs are:
    every `spread`-th row and column of the top's array, from `place` on."""
    scratch: int


@dataclass(frozen=True, eq=False)
class PatchesWork:
    """Work where copying the patches in reading order saves time."""

    places: Array
    """T×O: for each of T elements of the window and each of O outputs of a picture, the pixel of it; −1 is zero."""
    at_once: int
    """The number of patches copied at a time."""
    scratch: int


@dataclass(frozen=True)
class Direct:
    """Any convolution whose groups, if it has several, consist of whole blocks of channels."""

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
        """The channels of one group that its sum goes through."""
        return p.channels if self.thin else blocks(p.channels // p.group) * BLOCK

    def prepared_floats(self, p: Problem) -> int:
        return self._channels(p) * p.window_area * p.padded_outputs * p.group

    def cost(self, p: Problem) -> Cost:
        (height, width), weights = p.top_size, self.prepared_floats(p)
        if self._copies_small_pictures(p):
            rows, copied = in_panels(p.batch * height * width), 4.0 * p.batch * height * width * self._patch(p)
        else:
            # With a 1×1 window all pixels are one row; if they are few, reading the weights takes the time.
            one_row = p.window_area == 1 and p.simple and not self.thin
            rows, copied = p.batch * height * (width if one_row else in_panels(width)), 0.0
        products = 2.0 * rows * weights
        return Cost(products, filling=products - p.products, memory=4.0 * weights + 2 * copied)

    def prepare(
        self, weight: Array, p: Problem, machine: Machine, *, transposed: bool = False, into: Array | None = None
    ) -> Array:
        """The filters in the micro-kernel's order, one row for each group: G×(…)."""
        parts = weight.reshape(p.group, -1, *weight.shape[1:])
        filters = (aligned(self.prepared_floats(p)) if into is None else into).reshape(p.group, -1)
        for part, to in zip(parts, filters, strict=True):
            machine.kernels.prepare_direct(part, to, self.thin, transposed, machine.threads)
        return filters

    def set_up(self, p: Problem, machine: Machine) -> DirectWork | PatchesWork:
        if self._copies_pixels(p) or self._copies_small_pictures(p):
            patches = p.batch * p.top_size[0] * p.top_size[1]
            at_once = -(-patches // -(-patches // PATCHES))
            scratch = machine.kernels.patches_scratch(p.window_area * p.channel_blocks, at_once, machine.threads)
            return PatchesWork(_places(p), at_once, scratch)
        return self.sliding(p, machine)

    def sliding(
        self,
        p: Problem,
        machine: Machine,
        place: tuple[int, int] = (0, 0),
        spread: tuple[int, int] = (1, 1),
        whole: tuple[int, int] | None = None,
    ) -> DirectWork:
        """The work if the windows slide over the picture, or over copies of its rows.

        The outputs are every `spread`-th row and column of the top's array from `place` on. `whole`: the height and
        width of that array; it may be left out if it is the size of the top.
        """
        rows, columns = p.windows
        (height, width), size = p.top_size, p.size
        one_row = p.pointwise and not self.thin and whole is None
        if one_row:
            height, width, size = 1, height * width, (1, size[0] * size[1])
        lanes, threads = machine.kernels.panel_rows(), machine.threads
        copied = self.thin or not p.simple or width < lanes
        if one_row:
            maps = np.zeros(1, np.int32), np.arange(width, dtype=np.int32)
        elif copied:
            maps = p.maps()
        else:
            maps = p.seen(*map(np.arange, size))
        channels, in_row = self._channels(p), -(-width // lanes)
        offsets, length = self._segments(p, channels, size, len(maps[1]), copied)
        if self._shares_outputs(p, threads) and not copied:
            panels, groups = height * in_row, 1
        else:
            # The part of the bottom that a portion reads stays in the cache, and each thread gets four portions.
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
        options = {
            "extent_h": rows.extent, "dilation_h": rows.dilation, "stride": (rows.stride, columns.stride),
            "top_size": (height, width), "place": place, "spread": spread, "thin": self.thin, "relu": p.relu,
            "limit": p.limit, "copied": copied, "panels_at_once": panels, "groups_at_once": groups,
        }  # fmt: skip
        planes, outs = p.channels if self.thin else p.channel_blocks, blocks(p.outputs // p.group)
        ins = planes // p.group
        return DirectWork(
            (p.batch, planes, *size),
            whole or (height, width),
            [(i * ins, ins, i * outs, outs) for i in range(p.group)],
            maps,
            offsets,
            length,
            options,
            scratch,
        )

    def _shares_outputs(self, p: Problem, threads: int) -> bool:
        """Whether each thread reads only the filters of its own outputs."""
        return 4 * self.prepared_floats(p) > FEW_BYTES * p.group and p.padded_outputs // GROUP >= threads

    def _copies_pixels(self, p: Problem) -> bool:
        """Whether a 1×1 window has a stride, or many filters."""
        one_pixel = not self.thin and p.window_area == 1 and p.simple and p.group == 1
        return one_pixel and (not p.pointwise or 4 * self.prepared_floats(p) > MANY_BYTES)

    def _copies_small_pictures(self, p: Problem) -> bool:
        """Whether a larger window slides over pictures whose rows would fill panels badly."""
        (height, width), patches = p.top_size, in_panels(p.batch * p.top_size[0] * p.top_size[1])
        small = patches <= PATCHES and 4 * patches * self._patch(p) <= PATCHES_BYTES
        saves = SAVING * patches < p.batch * height * in_panels(width)
        return not self.thin and p.window_area > 1 and p.group == 1 and small and saves

    def _patch(self, p: Problem) -> int:
        """The floats of a patch."""
        return p.window_area * p.channel_blocks * BLOCK

    def forward(
        self,
        x: Array,
        y: Array,
        weights: PreparedWeights,
        p: Problem,
        work: DirectWork | PatchesWork,
        scratch: Array,
        machine: Machine,
        add: Array | None = None,
    ) -> None:
        if isinstance(work, PatchesWork):
            machine.kernels.patches_forward(
                x, weights.filters[0], weights.bias[0], weights.slopes[0], summand(add), y, work.places, p.relu,
                p.limit, work.at_once, scratch, machine.threads,
            )  # fmt: skip
            return
        for i, of_blocks in enumerate(work.groups):
            own = weights.filters[i], weights.bias[i], weights.slopes[i]
            self._slide(x, y, own, of_blocks, work, scratch, machine, summand(add))

    def _slide(
        self,
        x: Array,
        y: Array,
        weights: tuple[Array, Array, Array],
        of_blocks: tuple[int, int, int, int],
        work: DirectWork,
        scratch: Array,
        machine: Machine,
        add: Array,
    ) -> None:
        """Compute one group.

        `weights`: its filters, biases and slopes; `of_blocks`: the first of its blocks in x, their number, and the same
        for y.
        """
        machine.kernels.direct_forward(
            x.reshape(-1), work.shape, *weights, *(_sized(each, work.whole) for each in (add, y)), *work.maps,
            work.offsets, blocks=of_blocks, length=work.length, scratch=scratch, threads=machine.threads,
            **work.options,
        )  # fmt: skip

    def backward_weights_scratch(self, p: Problem, machine: Machine) -> int:
        """Floats of scratch memory that `backward_weights` uses, for a thin bottom."""
        rows, width = p.windows[0], p.top_size[1]
        padded = (width - 1) * p.windows[1].stride + p.windows[1].extent
        return machine.threads * int(machine.kernels.thin_weight_scratch(p.channels, padded, rows.extent, width))

    def backward_weights(
        self, x: Array, dy: Array, dweight: Array, p: Problem, work: DirectWork, scratch: Array, machine: Machine
    ) -> None:
        """Write the weight's gradient, for a thin bottom, into `dweight`."""
        rows, columns = p.windows
        lanes = machine.kernels.sum_rows()
        padded = -(-work.length // lanes) * lanes
        sums = np.zeros((machine.threads, len(work.offsets), padded, p.padded_outputs), np.float32)
        machine.kernels.thin_backward_weight(
            x.reshape(-1), x.shape, dy, *work.maps, work.offsets, work.length, rows.extent,
            (rows.stride, columns.stride), sums, scratch, machine.threads,
        )  # fmt: skip
        total = sums.sum(axis=0)[:, : work.length, : p.outputs].reshape(rows.size, columns.size, p.channels, -1)
        dweight[...] = total.transpose(3, 2, 0, 1)

    def _segments(
        self, p: Problem, channels: int, size: tuple[int, int], width: int, copied: bool
    ) -> tuple[Array, int]:
        """The starts of the contiguous segments of the sum, in the order of the prepared filters, and their length."""
        rows, columns = p.windows
        down, across = rows.dilation * np.arange(rows.size), columns.dilation * np.arange(columns.size)
        if self.thin:
            if columns.dilation == 1:
                return down * width * channels, columns.size * channels
            return (down[:, None] * width + across).reshape(-1) * channels, channels
        planes = np.arange(channels // BLOCK)
        # A copy has the planes side by side in each row; the picture has them one after the other.
        row, plane = (channels * width, width * BLOCK) if copied else (width * BLOCK, size[0] * size[1] * BLOCK)
        starts = down[:, None, None] * row + across[:, None] * BLOCK + planes * plane
        return np.ascontiguousarray(starts.reshape(-1)), BLOCK


def _places(p: Problem) -> Array:
    """`PatchesWork.places`."""
    along = []
    for window, outputs in zip(p.windows, p.top_size, strict=True):
        along.append(window.dilation * np.arange(window.size)[:, None] + window.stride * np.arange(outputs))
    rows, columns = (each.astype(np.intp) for each in p.seen(*along))
    rows, columns = rows[:, None, :, None], columns[None, :, None, :]
    places = np.where((rows < 0) | (columns < 0), -1, rows * p.size[1] + columns)
    return places.reshape(p.window_area, -1)


def _sized(array: Array, size: tuple[int, int]) -> Array:
    """A blocked array with its pixels in so many rows and columns; an empty one as it is."""
    return array.reshape(*array.shape[:2], *size, BLOCK) if array.size else array


@dataclass(frozen=True)
class Streamed(Direct):
    """Direct convolution for low memory: prepares the filters in portions, at every pass. One group, not thin."""

    def name(self, p: Problem) -> str:
        return f"{super().name(p)}, streamed"

    def prepare(
        self, weight: Array, p: Problem, machine: Machine, *, transposed: bool = False, into: Array | None = None
    ) -> Array:
        return super().prepare(weight, p, machine, transposed=True, into=into) if transposed else weight

    def _copies_pixels(self, p: Problem) -> bool:
        return False  # it would copy them for every portion of filters

    def _copies_small_pictures(self, p: Problem) -> bool:
        return False

    def forward(
        self,
        x: Array,
        y: Array,
        weights: PreparedWeights,
        p: Problem,
        work: DirectWork | PatchesWork,
        scratch: Array,
        machine: Machine,
        add: Array | None = None,
    ) -> None:
        if weights.filters.ndim == 2:
            super().forward(x, y, weights, p, work, scratch, machine, add)
            return
        assert isinstance(work, DirectWork)
        filter_floats = p.window_area * p.channel_blocks * BLOCK
        step = GROUP * max(1, PORTION_BYTES // (4 * GROUP * filter_floats))
        prepared = aligned(step * filter_floats)
        for first in range(0, p.outputs, step):
            part = weights.filters[first : first + step]
            ready = prepared[: -(-len(part) // GROUP) * GROUP * filter_floats]
            machine.kernels.prepare_direct(part, ready, False, False, machine.threads)
            of_blocks = (0, p.channel_blocks, first // BLOCK, blocks(len(part)))
            own = ready, weights.bias[0, first:], weights.slopes[0, first:]
            self._slide(x, y, own, of_blocks, work, scratch, machine, summand(add))
            release(part)
