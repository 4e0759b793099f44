"""The regions of a label map: connected pixels of one class, and their outlines along the sides of the pixels.

Pixels are connected by their sides (4 neighbours). The outline of a region has its corners at the corners of pixels:
the pixel in column x and row y covers [x, x + 1) × [y, y + 1). Outlines may have holes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.annotations.libraries import shapely
from fcnlite.data.sample import VOID


class Components(NamedTuple):
    """The connected regions of a label map."""

    numbers: Array
    """The region of each pixel, H×W int32, from 0 on."""
    classes: Array
    """The class of each region, or `VOID`."""
    sizes: Array
    """The pixels of each region."""


class Region(NamedTuple):
    """A connected region and its outline."""

    label: int
    """The class."""
    pixels: int
    confidence: float
    """The mean probability of its class; NaN if it is unknown."""
    outline: Any
    """A polygon of shapely in pixels, x to the right and y down."""


def components(labels: Array) -> Components:
    """Number the connected regions of H×W uint8 `labels`."""
    from scipy import ndimage

    numbers = np.zeros(labels.shape, np.int32)
    classes: list[int] = []
    for label in np.unique(labels).tolist():
        same = labels == label
        rows, columns = np.flatnonzero(same.any(axis=1)), np.flatnonzero(same.any(axis=0))
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        found, count = ndimage.label(same[box])
        np.add(found, len(classes) - 1, out=numbers[box], where=same[box])
        classes += [label] * count
    return Components(numbers, np.array(classes, np.uint8), np.bincount(numbers.ravel(), minlength=len(classes)))


def trace(labels: Array, left_out: Sequence[int] = (), confidence: Array | None = None) -> list[Region]:
    """The regions of the label map, H×W uint8, with their exact outlines, without the classes `left_out` and void.

    `confidence`: the probability of each pixel's class, H×W. The regions are ordered by their first pixel.
    """
    library = shapely()
    value = np.where(np.isin(labels, (*left_out, VOID)), -1, labels.astype(np.int16))
    around = np.pad(value, 1, constant_values=-1)
    # A side is a part of an outline where the values above and below it, or left and right of it, differ.
    flat = around[:-1, 1:-1] != around[1:, 1:-1]  # (H + 1)×W: side from x to x + 1 at height y
    upright = around[1:-1, :-1] != around[1:-1, 1:]  # H×(W + 1)
    corners = _sides(flat, _touched(upright))
    turned = _sides(upright.T, _touched(flat.T))[:, :, ::-1]
    lines = library.linestrings(np.concatenate((corners, turned)).astype(np.float64))
    outlines = library.get_parts(library.polygonize(lines))
    inner = library.point_on_surface(outlines)
    columns, rows = (np.floor(get(inner)).astype(int) for get in (library.get_x, library.get_y))
    found = components(labels)
    numbers = found.numbers[rows, columns]
    means = np.full(len(found.sizes), np.nan)
    if confidence is not None:
        means = np.bincount(found.numbers.ravel(), confidence.ravel(), len(found.sizes)) / found.sizes
    regions = [
        (int(number), Region(int(found.classes[number]), int(found.sizes[number]), float(means[number]), outline))
        for number, outline, inside in zip(numbers, outlines, value[rows, columns] >= 0, strict=True)
        if inside
    ]
    firsts = np.full(len(found.sizes), labels.size)
    np.minimum.at(firsts, found.numbers.ravel(), np.arange(labels.size))
    return [region for _, region in sorted(regions, key=lambda each: firsts[each[0]])]


def _touched(sides: Array) -> Array:
    """(H + 1)×(W + 1): whether an upright side, H×(W + 1), begins or ends in a corner."""
    around = np.pad(sides, ((1, 1), (0, 0)))
    return np.asarray(around[:-1] | around[1:])


def _sides(flat: Array, touched: Array) -> Array:
    """The longest straight lines of flat sides between corners that upright sides touch: N×2×2 of x and y."""
    before = np.pad(flat, ((0, 0), (1, 0)))[:, :-1]
    after = np.pad(flat, ((0, 0), (0, 1)))[:, 1:]
    rows, starts = np.nonzero(flat & (~before | touched[:, :-1]))
    _, ends = np.nonzero(flat & (~after | touched[:, 1:]))
    return np.stack((np.stack((starts, rows), axis=1), np.stack((ends + 1, rows), axis=1)), axis=1)


def simplified(outline: Any, tolerance: float) -> Any:
    """The outline with fewer corners: none of its corners is farther from the new one than `tolerance`, in pixels.

    Douglas and Peucker's method, which keeps holes and does not make outlines cross themselves.
    """
    library = shapely()
    corners = library.points(library.get_coordinates(outline))
    found, within = library.simplify(outline, tolerance, preserve_topology=True), tolerance
    # GEOS may go a little too far where it leaves out the first corner of a ring.
    while tolerance > 0 and library.distance(corners, found.boundary).max() > tolerance:
        within *= 0.75
        found = library.simplify(outline, within, preserve_topology=True)
    return found


def without_holes(outline: Any) -> list[Any]:
    """Polygons without holes whose union is the outline: it is cut upright through each hole."""
    library = shapely()
    waiting, done = [outline], []
    while waiting:
        polygon = waiting.pop()
        if polygon.geom_type != "Polygon":
            waiting += [each for each in library.get_parts(polygon) if each.geom_type == "Polygon"]
        elif not polygon.interiors:
            done.append(polygon)
        else:
            left, _, right, _ = polygon.interiors[0].bounds
            middle = round((left + right) / 2)
            cut = middle if left < middle < right else (left + right) / 2
            west, south, east, north = polygon.bounds
            halves = (library.box(west, south, cut, north), library.box(cut, south, east, north))
            waiting += [polygon.intersection(half) for half in halves]
    return done


def rings(outline: Any, place: Callable[[Array], Array] = lambda corners: corners) -> list[list[list[float]]]:
    """The rings of a polygon as lists of points, the outer one first; each ends with its first point.

    `place` makes coordinates of pixels those of the map. In these, areas of outer rings are positive, those of holes
    negative, as GeoJSON wants it.
    """
    found = []
    for number, ring in enumerate((outline.exterior, *outline.interiors)):
        corners = place(np.array(ring.coords))
        x, y = corners.T
        positive = float(x[:-1] @ y[1:] - y[:-1] @ x[1:]) > 0
        found.append(_numbers(corners if positive == (number == 0) else corners[::-1]))
    return found


def _numbers(corners: Array) -> list[list[float]]:
    """Corners as Python's numbers, whole ones as integers, for short JSON."""
    found: list[list[float]] = corners.tolist()
    return [[int(each) if float(each).is_integer() else each for each in corner] for corner in found]
