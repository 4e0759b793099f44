"""Large pictures in tiles, with the scores of the whole picture.

A score depends on the pixels in its receptive field alone. A tile is therefore fed with a margin as wide as the field
reaches, and only the scores are kept whose fields are inside the tile, or reach beyond the picture as they do in the
whole picture. Tiles begin at multiples of the net's coarsest stride, so that its windows have the same places as in the
whole picture. Scores then differ by rounding only.

This holds for layers that compute a pixel from a window around it. Layers that read the whole picture (an inner
product, global pooling, a normalisation over the picture) have no receptive field; such nets are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from fcnlite.arrays import Array
from fcnlite.description.shapes import Placement, placements
from fcnlite.errors import SpecError
from fcnlite.layers import Layer, links

_WINDOWED = frozenset(
    (
        "AbsVal", "BNLL", "BatchNorm", "Bias", "Concat", "Convolution", "Crop", "Deconvolution", "Dropout", "ELU",
        "Eltwise", "Exp", "Input", "LRN", "Log", "PReLU", "Pooling", "Power", "ReLU", "Scale", "Sigmoid", "Slice",
        "Softmax", "Split", "TanH", "Threshold",
    )
)  # fmt: skip
"""The layers that compute a pixel from a window around it, with the options that `_refuse` accepts."""


Scores: TypeAlias = Callable[[slice, slice], list[Array]]
"""Feeds the rows and columns of a picture to the net; returns the scores of each head, C×h×w float32."""


class Part(NamedTuple):
    """The scores of a part of a picture."""

    rows: slice
    columns: slice
    scores: list[Array]
    """Those of each head, C×h×w float32."""


class Axis(NamedTuple):
    """How far the net looks along one axis, in pixels of the picture."""

    stride: int
    """Tiles begin at multiples of this."""
    before: int
    """The pixels that a score needs before its own."""
    after: int
    """Those after it."""

    def spans(self, size: int, tile: int) -> Iterator[Span]:
        """The tiles of `size` pixels, each of at most `tile` pixels with its margins."""
        start = 0
        while start < size:
            first = max(0, start - self.before) // self.stride * self.stride
            end = size if first + tile >= size else first + tile - self.after
            yield Span(first, size if end == size else first + tile, start, end)
            start = end

    def around(self, size: int, start: int, end: int) -> Span:
        """What must be fed of `size` pixels for the scores from `start` to `end`."""
        first = max(0, start - self.before) // self.stride * self.stride
        return Span(first, min(size, end + self.after), start, end)

    @property
    def least(self) -> int:
        """The smallest tile: margins on both sides and one stride between them."""
        return self.before + self.after + 2 * self.stride


class Span(NamedTuple):
    """A tile along one axis: the pixels that are fed, and those whose scores are kept, which are inside them."""

    first: int
    last: int
    start: int
    end: int

    @property
    def fed(self) -> slice:
        """The pixels of the picture that are fed."""
        return slice(self.first, self.last)

    @property
    def kept(self) -> slice:
        """The scores that are kept, counted in the tile."""
        return slice(self.start - self.first, self.end - self.first)

    @property
    def target(self) -> slice:
        """Their place in the picture."""
        return slice(self.start, self.end)


@dataclass(frozen=True)
class Tiling:
    """Tiles of at most `side` pixels along each axis, for a net that looks as far as `rows` and `columns` say."""

    side: int
    rows: Axis
    columns: Axis

    @staticmethod
    def of(layers: Iterable[Layer], blobs: Iterable[str], side: int) -> Tiling:
        """The tiles for the score `blobs` of a net.

        Raises `SpecError` for a net whose scores depend on the whole picture, and for tiles that are too small.
        """
        rows, columns = axes(layers, blobs)
        least = max(rows.least, columns.least)
        if side < least:
            raise SpecError(
                f"--tile {side}: a score depends on pixels up to {max(*rows[1:], *columns[1:])} away; tiles must have "
                f"at least {least} pixels along each axis (larger ones waste less)."
            )
        return Tiling(side, rows, columns)

    def whole(self, height: int, width: int) -> bool:
        """Whether a picture is computed as a whole."""
        return max(height, width) <= self.side

    def parts(self, height: int, width: int, scores: Scores) -> Iterator[Part]:
        """The scores of a picture, tile by tile."""
        for row, column in self.tiles(height, width):
            found = scores(row.fed, column.fed)
            yield Part(row.target, column.target, [each[:, row.kept, column.kept] for each in found])

    def tiles(self, height: int, width: int) -> Iterator[tuple[Span, Span]]:
        """The tiles of a picture, row by row."""
        for row in self.rows.spans(height, self.side):
            for column in self.columns.spans(width, self.side):
                yield row, column


def axes(layers: Iterable[Layer], blobs: Iterable[str]) -> tuple[Axis, Axis]:
    """How far the score `blobs` of a net look, along rows and columns.

    Raises `SpecError` for a net whose scores depend on the whole picture.
    """
    wanted = [*blobs]
    listed = _needed([*layers], wanted)
    for layer in listed:
        _refuse(layer)
    rows, columns = (_axis(placements(links([layer.spec for layer in listed], axis)), wanted) for axis in (0, 1))
    return rows, columns


def _needed(layers: Sequence[Layer], blobs: Iterable[str]) -> list[Layer]:
    """The layers that the blobs depend on, in order."""
    wanted, found = set(blobs), []
    for layer in reversed(layers):
        if wanted.intersection(layer.spec.top):
            wanted.update(layer.spec.bottom)
            found.append(layer)
    return found[::-1]


def _axis(known: Mapping[str, tuple[str, Placement]], blobs: Iterable[str]) -> Axis:
    strides = [placement.stride for _, placement in known.values()]
    # All windows have the same places again after this many pixels.
    coarsest = math.lcm(*(each.numerator for each in strides if each >= 1))
    before = after = 0
    for blob in blobs:
        if blob not in known:
            raise SpecError(
                f"--tile: the scores {blob!r} depend on the whole picture (a layer before them has no receptive "
                "field), so that tiles would change them; leave out --tile."
            )
        _, placement = known[blob]
        if placement.stride != 1:
            raise SpecError(f"--tile: the scores {blob!r} are {placement.stride} pixels apart; expected one a pixel.")
        # Behind an upsampling, a field follows the coarser grid: it may begin up to one coarse stride earlier or later.
        reach = (placement.field - 1) / 2 + coarsest
        before = max(before, math.ceil(reach - placement.offset))
        after = max(after, math.ceil(reach + placement.offset))
    return Axis(coarsest, before, after)


def _refuse(layer: Layer) -> None:
    """Raise `SpecError` for a layer that may read the whole picture."""
    options = layer.options
    whole = (
        layer.type not in _WINDOWED
        or (layer.type == "Pooling" and getattr(options, "global_pooling", False))
        or (layer.type == "BatchNorm" and getattr(options, "use_global_stats", None) is False)
        or (layer.type == "LRN" and getattr(options, "norm_region", "") == "WITHIN_CHANNEL")
        or (layer.type in ("Softmax", "Concat", "Slice") and layer.placement() is None)
        or (layer.type == "Softmax" and getattr(options, "axis", 1) != 1)
    )
    if whole:
        raise SpecError(
            f"--tile: layer {layer.spec.name!r} ({layer.type}) may depend on the whole picture, so that tiles would "
            "change the scores; leave out --tile."
        )
