"""Paints the objects of a picture into a label map.

Where objects overlap, a pixel belongs to the smallest of them, because small objects lie on large ones (a rider on a
horse, a nucleus in a cell); of two equally large ones, to the later. The rule `later` takes the order of the file
instead. Crowds, COCO's coarse outlines of many objects, lie below all others and are void, unless `crowd` is `class`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.annotations.names import ClassNames
from fcnlite.data.annotations.outlines import Outline, Region
from fcnlite.data.sample import VOID
from fcnlite.errors import DataError, brief, nearest

OVERLAPS = ("smaller", "later")
CROWDS = ("void", "class")


class LabelledObject(NamedTuple):
    """One object of a picture."""

    what: str
    """Its place in the file, for messages, such as `shape 3`."""
    name: str
    outline: Outline
    crowd: bool = False


class AnnotatedPicture(NamedTuple):
    """A picture's size and its objects."""

    where: str
    """The file and the entry, for messages."""
    height: int
    width: int
    objects: Sequence[LabelledObject]


class _Layer(NamedTuple):
    regions: Sequence[Region]
    value: int
    pixels: int
    crowd: bool


@dataclass(frozen=True)
class Painter:
    """Makes label maps by the rules of the options `overlap` and `crowd`. Raises `DataError` for other values."""

    classes: ClassNames
    overlap: str = "smaller"
    crowd: str = "void"

    def __post_init__(self) -> None:
        for option, value, known in (("overlap", self.overlap, OVERLAPS), ("crowd", self.crowd, CROWDS)):
            if value not in known:
                raise DataError(f"option {option} is {value!r}; expected {' or '.join(known)}.")

    def paint(self, picture: AnnotatedPicture) -> tuple[Array, list[str]]:
        """The label map, H×W uint8, and the problems of single objects, whose pixels are void."""
        layers: list[_Layer] = []
        problems: list[str] = []
        for each in picture.objects:
            covered = each.outline.cover(picture.height, picture.width)
            value, fault = self.classes.number(each.name), covered.fault
            if value is None and not fault:
                fault = f"is of no class of the list; {nearest(brief(each.name, 80), self.classes.names)}"
            if fault:
                end = "" if fault[-1] in ".?" else "."
                problems.append(f"{picture.where}: {each.what} ({brief(each.name, 80) or 'no name'}) {fault}{end}")
            if fault or value is None or (each.crowd and self.crowd == "void"):
                value = VOID
            pixels = sum(int(np.count_nonzero(region.inside)) for region in covered.regions)
            layers.append(_Layer(covered.regions, value, pixels, each.crowd))
        if self.overlap == "smaller":
            layers.sort(key=lambda layer: -layer.pixels)
        labels = np.full((picture.height, picture.width), self.classes.rest, np.uint8)
        for layer in sorted(layers, key=lambda layer: not layer.crowd):
            for top, left, inside in layer.regions:
                height, width = inside.shape
                labels[top : top + height, left : left + width][inside] = layer.value
        return labels, problems
