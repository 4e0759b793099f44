"""Plots for users: coloured label maps, overlays, legends, sample sheets, curves, confusion matrices.

Label maps are H×W uint8 with 255 for void. Pictures are H×W×3 uint8 RGB. Colours are (red, green, blue) by class;
classes without one get PASCAL VOC's. Files are PNG, written completely or not at all. An unwritable path raises
`FileError`; arrays that do not fit together raise `DataError`.
"""

from __future__ import annotations

from fcnlite.segmentation.plots.charts import confusion_matrix, curves, smoothed
from fcnlite.segmentation.plots.colors import UNSCORED_COLOR, VOID_COLOR, WRONG_COLOR, Color
from fcnlite.segmentation.plots.label_maps import (
    BACKGROUND,
    contact_sheet,
    errors,
    label_image,
    overlay,
    sample_sheet,
    save_png,
    with_legend,
)

__all__ = [
    "BACKGROUND",
    "UNSCORED_COLOR",
    "VOID_COLOR",
    "WRONG_COLOR",
    "Color",
    "confusion_matrix",
    "contact_sheet",
    "curves",
    "errors",
    "label_image",
    "overlay",
    "sample_sheet",
    "save_png",
    "smoothed",
    "with_legend",
]
