"""The table of areas: for each picture and class the area, its share, and the number of connected objects."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.sample import VOID
from fcnlite.files import atomic_write
from fcnlite.segmentation.outputs.regions import components

COLUMNS = ("picture", "class", "pixels", "map_area", "share", "objects")
UNKNOWN = "unknown"
Row = tuple[str, str, int, float | None, float, int]
"""A value for each of `COLUMNS`; `map_area` is None without a georeference."""


def rows(
    picture: str, labels: Array, classes: Sequence[str], only: Sequence[int], pixel_area: float | None
) -> list[Row]:
    """The rows of a picture: the classes in `only` (all if it is empty), then the unknown pixels, if there are any.

    An object is a region of pixels of one class that are connected by their sides (4 neighbours).
    """
    found = components(labels)
    made = []
    for label in [*(only or range(len(classes))), VOID]:
        sizes = found.sizes[found.classes == label]
        pixels = int(sizes.sum())
        name = classes[label] if label != VOID else UNKNOWN
        area = None if pixel_area is None else pixels * pixel_area
        if label != VOID or pixels:
            made.append((picture, name, pixels, area, float(np.float64(pixels) / labels.size), len(sizes)))
    return made


def write(path: Path, all_rows: Sequence[Row]) -> None:
    """Write the rows as CSV with a heading. Raises `FileError` if that fails."""
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for picture, name, pixels, area, share, objects in all_rows:
            shown = "" if area is None else f"{area:.10g}"
            writer.writerow((picture, name, pixels, shown, f"{share:.6f}", objects))
