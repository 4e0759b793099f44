"""Colours and names of labels for display."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.palette import voc_colors
from fcnlite.data.sample import VOID

Color = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

VOID_COLOR: Color = (224, 224, 192)
"""The colour of void in PASCAL VOC."""
WRONG_COLOR: Color = (255, 92, 56)
"""The colour of wrong pixels in `errors`."""
UNSCORED_COLOR: Color = (128, 128, 128)
"""The colour of void in `errors`."""


def color_table(colors: Sequence[Color]) -> Array:
    """The colour of every label value, 256×3 uint8."""
    table = _voc_table().copy()
    for label, color in enumerate(colors):
        table[label] = color
    table[VOID] = VOID_COLOR
    return table


@functools.cache
def _voc_table() -> Array:
    return np.array(voc_colors(256), dtype=np.uint8)


def color_of(table: Array, label: int) -> Color:
    """The colour of `label` in the table."""
    red, green, blue = table[label].tolist()
    return red, green, blue


def class_name(classes: Sequence[str], label: int) -> str:
    """The name of `label`: its class, void, or its number."""
    if label == VOID:
        return "void"
    return classes[label] if label < len(classes) else f"class {label}"
