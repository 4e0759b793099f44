"""Caffe's data layers. In Caffe they read files; here they are inputs, and the caller feeds their tops.

Their options give some of the shapes; parameters whose shapes depend on the others are created at the first forward.
The shapes of the FCN reference's Python layers are known by class name; other Python layers without bottoms have no
known shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fcnlite.arrays import Shape
from fcnlite.description.spec import LayerSpec
from fcnlite.layers.base import Layer
from fcnlite.layers.registry import register

_SIDE = 500
"""An example size: the FCN reference's nets take pictures of any size."""
_CHANNELS = {"data": 3, "color": 3, "hha": 3, "depth": 1, "label": 1, "sem": 1, "geo": 1}
"""The channels of the tops of the FCN reference's data layers."""
FCN_REFERENCE = (
    "VOCSegDataLayer",
    "SBDDSegDataLayer",
    "NYUDSegDataLayer",
    "SIFTFlowSegDataLayer",
    "PASCALContextSegDataLayer",
)


class DataLayer(Layer):
    """Base of the data layers. It does not check the options, since the caller feeds the tops."""

    bottoms = (0, 0)
    tops = (1, None)

    def __init__(self, spec: LayerSpec, phase: str) -> None:
        super().__init__(LayerSpec(spec.name, spec.type, (), spec.top, phase=spec.phase), phase)
        self.spec = spec

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        """The shapes that the options give; empty if they give none or invalid ones."""
        shapes = self._shapes(self.spec.options)
        sizes = [size for shape in shapes for size in shape]
        fit = all(isinstance(size, int) and 1 <= size <= 1 << 31 for size in sizes)
        return shapes if fit and len(shapes) == len(self.spec.top) else []

    def _shapes(self, o: Mapping[str, Any]) -> list[Shape]:
        return []

    def _pictures(self, o: Mapping[str, Any], count: int, channels: int, size: Shape = (0, 0)) -> list[Shape]:
        """The shape of `count` pictures and, if there is a second top, of one label for each.

        The pictures are squares of side `crop_size` or, without that option, have the rows and columns `size`.
        """
        side = o.get("crop_size", 0)
        picture = (count, channels, *((side, side) if side else size))
        return [picture, picture[:1]][: len(self.spec.top)]


@register
class Data(DataLayer):
    """LMDB or LevelDB; the pictures of a database are assumed to have three channels."""

    type = "Data"
    messages = ("data_param", "transform_param")

    def _shapes(self, o: Mapping[str, Any]) -> list[Shape]:
        return self._pictures(o, o.get("batch_size", 0), 3)


@register
class ImageData(DataLayer):
    type = "ImageData"
    messages = ("image_data_param", "transform_param")

    def _shapes(self, o: Mapping[str, Any]) -> list[Shape]:
        channels = 3 if o.get("is_color", o.get("images_in_color", True)) else 1
        size = o.get("new_height", 0), o.get("new_width", 0)
        return self._pictures(o, o.get("batch_size", 1), channels, size)


@register
class MemoryData(DataLayer):
    type = "MemoryData"
    messages = ("memory_data_param", "transform_param")

    def _shapes(self, o: Mapping[str, Any]) -> list[Shape]:
        size = o.get("height", 0), o.get("width", 0)
        return self._pictures(o, o.get("batch_size", 0), o.get("channels", 0), size)


@register
class DummyData(DataLayer):
    type = "DummyData"
    messages = ("dummy_data_param",)

    def _shapes(self, o: Mapping[str, Any]) -> list[Shape]:
        shapes = [tuple(shape.get("dim", ())) for shape in o.get("shape", ())]
        if not shapes:
            shapes = list(zip(*(o.get(name, ()) for name in ("num", "channels", "height", "width")), strict=False))
        return shapes * len(self.spec.top) if len(shapes) == 1 else shapes


@register
class HDF5Data(DataLayer):
    type = "HDF5Data"
    messages = ("hdf5_data_param", "transform_param")


@register
class WindowData(Data):
    """Windows cropped from pictures; the options that give their size are those of Data."""

    type = "WindowData"
    messages = ("window_data_param", "transform_param")


@register
class Python(DataLayer):
    """A layer written for pycaffe: an input if it has no bottoms, else an unknown layer."""

    type = "Python"
    messages = ("python_param",)

    def _shapes(self, o: Mapping[str, Any]) -> list[Shape]:
        if o.get("layer") not in FCN_REFERENCE:
            return []
        return [(1, _CHANNELS[top], _SIDE, _SIDE) for top in self.spec.top if top in _CHANNELS]
