"""Data layers of forks: pictures with label maps from lists of files.

As the others, they are inputs here, and the caller feeds their tops. ImageSegData and WindowSegData are DeepLab's
(tops: picture, label map and, if named, the picture's size), DenseImageData is SegNet's (picture and label map).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fcnlite.arrays import Shape
from fcnlite.layers.data import DataLayer
from fcnlite.layers.registry import register


class _LabelledPictures(DataLayer):
    def _shapes(self, o: Mapping[str, Any]) -> list[Shape]:
        count, side = o.get("batch_size", 1), o.get("crop_size", 0)
        height, width = (side, side) if side else (o.get("new_height", 0), o.get("new_width", 0))
        channels = 3 if o.get("is_color", True) else 1
        shapes: list[Shape] = [(count, channels, height, width), (count, 1, height, width), (count, 1, 1, 2)]
        return shapes[: len(self.spec.top)]


@register
class ImageSegData(_LabelledPictures):
    type = "ImageSegData"
    messages = ("image_data_param", "transform_param")


@register
class WindowSegData(_LabelledPictures):
    type = "WindowSegData"
    messages = ("image_data_param", "transform_param")


@register
class DenseImageData(_LabelledPictures):
    type = "DenseImageData"
    messages = ("dense_image_data_param", "transform_param")
