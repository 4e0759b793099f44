"""Outlines of labelled objects, and the pixels that they cover.

The pixel in column x and row y covers [x, x + 1) × [y, y + 1), so that the corner of the picture is at 0, 0. Polygons
are filled by pycocotools, as COCO's own tools fill them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.annotations.libraries import coco_mask, shapely

BEYOND = 1.0
"""Pixels by which a polygon may reach beyond the picture; tools round their coordinates. The rest is cut off."""
CROSSING = 1.0
"""Pixels of area by which the ways to fill a polygon may differ before it counts as crossing itself."""
_FARTHEST = 1e7
"""Pixels: the greatest coordinate of a point."""
_OFF_CIRCLE = 0.1
"""Pixels between a circle and the polygon that stands for it."""


class Region(NamedTuple):
    """The pixels of an object within its box."""

    top: int
    left: int
    inside: Array
    """H×W booleans: which pixels of the box belong to the object."""


class Covered(NamedTuple):
    """The pixels that an outline covers in a picture, and what is wrong with the outline."""

    regions: Sequence[Region]
    """They may overlap. If the outline is faulty, they are the pixels whose class is unknown."""
    fault: str = ""
    """What is wrong, after the name of the object; empty if nothing is."""


@dataclass(frozen=True)
class Polygons:
    """The union of polygons, each N×2 of x and y."""

    rings: Sequence[Array]

    def cover(self, height: int, width: int) -> Covered:
        """The pixels of the polygons in a picture of this size."""
        if not self.rings:
            return Covered((), "has no polygon")
        regions: list[Region] = []
        faults: list[str] = []
        for ring in self.rings:
            fault = _fault(ring, height, width)
            faults += [fault] if fault else []
            regions += _doubtful(ring, height, width) if fault else [filled(ring)]
        cut = [each for region in regions if (each := _within(region, height, width)) is not None]
        return Covered(cut, faults[0] if faults else "")


@dataclass(frozen=True)
class RunLengths:
    """COCO's mask of a whole picture: the lengths of runs of 0 and 1 in turn, column by column."""

    height: int
    width: int
    counts: Sequence[int]

    def cover(self, height: int, width: int) -> Covered:
        """The pixels of the mask, whose size must be that of the picture."""
        if (self.height, self.width) != (height, width):
            return Covered((), f"has a mask of {self.width}×{self.height} pixels; the picture has {width}×{height}")
        if any(each < 0 for each in self.counts) or sum(self.counts) != height * width:
            return Covered((), f"has a mask of runs that do not add up to {width}×{height} pixels")
        values = np.arange(len(self.counts)) % 2 == 1
        inside = np.repeat(values, np.array(self.counts, np.int64)).reshape(width, height).T
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if not rows.size:
            return Covered((), "has an empty mask")
        top, left = int(rows[0]), int(columns[0])
        return Covered([Region(top, left, inside[top : rows[-1] + 1, left : columns[-1] + 1])])


@dataclass(frozen=True)
class PlacedMask:
    """A mask within its box, H×W booleans."""

    top: int
    left: int
    inside: Array

    def cover(self, height: int, width: int) -> Covered:
        """The pixels of the mask."""
        region = Region(self.top, self.left, self.inside)
        cut = _within(region, height, width)
        if cut is None or cut.inside.shape != self.inside.shape:
            fault = f"reaches outside the picture of {width}×{height} pixels"
            return Covered([cut] if cut is not None else [], fault)
        return Covered([region])


@dataclass(frozen=True)
class Unusable:
    """An outline that covers no pixels, such as a line; `fault` says why."""

    fault: str

    def cover(self, height: int, width: int) -> Covered:
        """No pixels."""
        return Covered((), self.fault)


@dataclass(frozen=True)
class Nameless:
    """The outline of an object whose class is unknown; `fault` says why."""

    outline: Polygons | RunLengths | PlacedMask | Unusable
    fault: str

    def cover(self, height: int, width: int) -> Covered:
        """The pixels of the outline."""
        return Covered(self.outline.cover(height, width).regions, self.fault)


Outline: TypeAlias = "Polygons | RunLengths | PlacedMask | Unusable | Nameless"


def box(left: float, top: float, right: float, bottom: float) -> Polygons:
    """The rectangle with these sides, in any order."""
    return Polygons([np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)])


def circle(x: float, y: float, radius: float) -> Polygons | Unusable:
    """The circle around x, y, as a polygon that differs from it by at most a tenth of a pixel."""
    if not 0 < radius < _FARTHEST:
        return Unusable(f"is a circle of radius {radius:g}")
    corners = max(8, math.ceil(math.pi / math.acos(max(0.0, 1 - _OFF_CIRCLE / radius))))
    turn = np.arange(corners) * (2 * math.pi / corners)
    return Polygons([np.stack((x + radius * np.cos(turn), y + radius * np.sin(turn)), axis=1)])


def filled(ring: Array) -> Region:
    """The pixels in a polygon, N×2 of x and y: those that are inside an odd number of times."""
    mask = coco_mask()
    left, top = np.floor(ring.min(axis=0))
    right, bottom = np.maximum(np.ceil(ring.max(axis=0)), (left + 1, top + 1))
    corners = (ring - (left, top)).ravel().tolist()
    found = mask.decode(mask.frPyObjects([corners], int(bottom - top), int(right - left)))
    return Region(int(top), int(left), found[:, :, 0].astype(bool))


def _fault(ring: Array, height: int, width: int) -> str:
    """What is wrong with a polygon; empty if nothing is."""
    if len(ring) < 3:
        return f"has a polygon of {len(ring)} point{'s' * (len(ring) != 1)}; expected at least 3"
    if not (np.isfinite(ring).all() and abs(ring).max() < _FARTHEST):
        return "has coordinates that are not finite or far too large"
    (left, top), (right, bottom) = ring.min(axis=0), ring.max(axis=0)
    if min(left, top) < -BEYOND or right > width + BEYOND or bottom > height + BEYOND:
        return (
            f"reaches outside the picture of {width}×{height} pixels (columns {left:g} to {right:g}, rows {top:g} to "
            f"{bottom:g})"
        )
    library = shapely()
    polygon = library.Polygon(ring)
    if library.is_valid(polygon):
        return ""
    # Touching itself is harmless: all ways to fill the polygon then agree.
    x, y = ring.T
    by_winding = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    if abs(library.area(library.make_valid(polygon)) - by_winding) <= CROSSING:
        return ""
    _, _, place = library.is_valid_reason(polygon).partition("[")
    return f"crosses itself near {place.rstrip(']').replace(' ', ', ')}"


def _doubtful(ring: Array, height: int, width: int) -> Iterator[Region]:
    """The pixels of the picture that a faulty polygon may mean."""
    if len(ring) < 3 or not (np.isfinite(ring).all() and abs(ring).max() < _FARTHEST):
        return
    library = shapely()
    cut = library.make_valid(library.Polygon(ring)).intersection(library.box(0, 0, width, height))
    for part in library.get_parts(library.get_parts(cut)):
        if part.geom_type == "Polygon" and not part.is_empty:
            yield filled(np.array(part.exterior.coords)[:-1])


def _within(region: Region, height: int, width: int) -> Region | None:
    """The part of a region in the picture; None if it is empty."""
    top, left = max(0, region.top), max(0, region.left)
    inside = region.inside[top - region.top : height - region.top, left - region.left : width - region.left]
    return Region(top, left, inside) if inside.size and region.top < height and region.left < width else None
