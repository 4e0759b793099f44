"""The dialect of OpenCV 4's dnn module, which reads prototxt with its own table of layers and options.

It knows some types of forks, and `ceil_mode` for `round_mode`. Found by running OpenCV 4.14 (tests/peers).
"""

from __future__ import annotations

import dataclasses

from fcnlite.description.spec import LayerSpec
from fcnlite.errors import SpecError

_TYPES = """
    AbsVal BatchNorm BNLL Concat Convolution Crop Deconvolution Dropout Eltwise ELU Exp Flatten InnerProduct Input
    Interp Log LRN MVN Permute Pooling Power PReLU ReLU ReLU6 Reshape Scale ShuffleChannel Sigmoid Silence
    Slice Softmax Split Swish TanH
"""
"""The types that it runs."""
_AXES = 4
"""The axes that a blob is taken to have."""


def in_opencv_words(layer: LayerSpec) -> LayerSpec:
    """The layer as OpenCV reads it. Raises `SpecError`, naming the layer, for one that OpenCV does not run."""
    if problem := _problem(layer):
        raise SpecError(
            f"layer {layer.name!r} ({layer.type}): {problem}; name outputs before it (outputs=), or write ONNX by "
            "fcnlite.interop.save_onnx."
        )
    options = dict(layer.options)
    if layer.type == "Pooling" and "round_mode" in options:
        floor = options.pop("round_mode") == "FLOOR"
        if floor and not options.get("global_pooling"):
            options["ceil_mode"] = False
    if layer.type == "Permute":  # OpenCV wants all axes
        named = options.get("order", ())
        options["order"] = [*named, *(axis for axis in range(_AXES) if axis not in named)]
    return dataclasses.replace(layer, options=options)


def stumbles(layer: LayerSpec) -> bool:
    """Whether OpenCV reads a layer in Caffe's words and then cannot run it, although it knows other words for it."""
    return layer.type == "Pooling" and layer.options.get("round_mode") == "FLOOR"


def _problem(layer: LayerSpec) -> str:
    """Why OpenCV does not run the layer as Caffe does; empty if it does."""
    o = layer.options
    if layer.type not in _TYPES.split():
        return "OpenCV has no layer of this type"
    if layer.type == "Interp" and (o.get("shrink_factor") or o.get("pad_beg") or o.get("pad_end")):
        return "OpenCV knows only zoom_factor, or height and width"
    if layer.type == "Swish" and o.get("beta", 1) != 1:
        return "OpenCV takes beta for 1"
    if layer.type == "LRN" and o.get("k", 1) != 1:
        return "OpenCV takes k for 1"
    if layer.type == "InnerProduct" and o.get("transpose"):
        return "OpenCV reads the weights as not transposed"
    if layer.type == "Deconvolution" and any(each != 1 for each in o.get("dilation", ())):
        return "OpenCV ignores the dilation"
    return ""
