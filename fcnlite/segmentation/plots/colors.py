"""Colours and names of the labels in pictures for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.palette import voc_colors
from fcnlite.data.sample import VOID

Color = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

VOID_COLOR: Color = (224, 224, 192)
"""Void as PASCAL VOC shows it."""
WRONG_COLOR: Color = (255, 92, 56)
"""Pixels of another class than the true one, in `errors`."""
UNSCORED_COLOR: Color = (128, 128, 128)
"""Void, in `errors`."""


def color_table(colors: Sequence[Color]) -> Array:
    """256×3 uint8: the colour of every label value."""
    table = np.array(voc_colors(256), dtype=np.uint8)
    for label, color in enumerate(colors):
        table[label] = color
    table[VOID] = VOID_COLOR
    return table


def color_of(table: Array, label: int) -> Color:
    red, green, blue = table[label].tolist()
    return red, green, blue


def class_name(classes: Sequence[str], label: int) -> str:
    if label == VOID:
        return "void"
    return classes[label] if label < len(classes) else f"class {label}"
