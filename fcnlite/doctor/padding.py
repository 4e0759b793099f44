"""The pad of 100 that the reference's nets begin with, missing or doubled.

Their trunk has stride 32 and an fc6 of 7×7 without pad: alone it leaves nothing of small pictures, and of any picture
fewer scores than cover it. Padded by 100, every picture gives at least one score, and the upsampled scores cover it.
Only shapes are computed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeGuard

from fcnlite.description.model_info import Preprocessing
from fcnlite.description.spec import NetSpec
from fcnlite.doctor.anatomy import picture_shapes
from fcnlite.doctor.finding import Finding, listed
from fcnlite.errors import ShapeError
from fcnlite.layers import Layer, create
from fcnlite.layers.convolution import Convolution
from fcnlite.net import Net

PAD = 100
MOST = 150
"""Pixels of pad at the first convolution: half as much again as the reference's."""


def check(
    spec: NetSpec, phase: str, preprocessing: Preprocessing, sizes: Sequence[tuple[int, int]] = ()
) -> list[Finding]:
    """Try the described size of the input and the pictures' `sizes`, heights and widths.

    Takes a description, since no net can be built where the described size does not fit.
    """
    layers = [create(each, phase) for each in spec.for_phase(phase)]
    net = Net(without_shapes(spec), phase=phase)
    for size in (None, *sizes):
        shapes = picture_shapes(layers, preprocessing, size)
        try:
            net.shapes(shapes)
        except ShapeError as error:
            height, width = next(iter(shapes.values()))[-2:]
            return [_too_small(f"{height}×{width}", error, layers)]
    return _doubled(layers)


def without_shapes(spec: NetSpec) -> NetSpec:
    """`spec` with inputs of any shape: a net of it makes no parameters."""
    layers = (dataclasses.replace(each, options={}) if each.type == "Input" else each for each in spec)
    return dataclasses.replace(spec, layers=tuple(layers))


def _too_small(size: str, error: ShapeError, layers: Sequence[Layer]) -> Finding:
    windows = {each.spec.name: each.geometry.rows for each in layers if _is_convolution(each)}
    first = next(iter(windows), None)
    unpadded = [name for name, each in windows.items() if each.size > 5 and each.stride == 1 and not each.pad]
    mend = "Feed larger pictures, or give the layers more pad."
    if "cancels out" in str(error):
        mend = "Do what the message proposes; with other layers changed, compute the crops' offsets anew."
    elif first is not None and unpadded and windows[first].pad < PAD:
        mend = (
            f"The {windows[unpadded[0]].size} pixels of {unpadded[0]!r} take more than the trunk leaves: give the "
            f"first convolution, {first!r}, a pad of {PAD} as the reference does (it has {windows[first].pad}), and "
            "compute the crops' offsets anew."
        )
    what = f"Pictures of {size} pixels do not go through the net: {str(error).rstrip('.')}."
    return Finding("input-too-small", "error", what, mend)


def _doubled(layers: Sequence[Layer]) -> list[Finding]:
    """Pads as wide as the kernel and more, along one way: beyond the kernel's reach they add nothing but zeros."""
    pads: dict[str, dict[str, int]] = {}
    for layer in layers:
        inherited = max((pads.get(blob, {}) for blob in layer.spec.bottom), key=_total, default={})
        if _is_convolution(layer):
            rows = layer.geometry.rows
            if rows.pad >= max(rows.extent, PAD // 2):
                inherited = {**inherited, layer.spec.name: rows.pad}
        pads.update(dict.fromkeys(layer.spec.top, inherited))
    widest = max(pads.values(), key=_total, default={})
    if _total(widest) <= MOST:
        return []
    told = listed([f"{name} {pad}" for name, pad in widest.items()])
    return [
        Finding(
            "pad-doubled",
            "warning",
            f"The picture is padded by {_total(widest)} pixels in all ({told}); the reference pads by {PAD} once, "
            "and every pixel more costs time and surrounds the scores with what zeros give.",
            f"Give the first convolution a pad of {PAD}, the others half their kernel, and compute the crops' offsets "
            "anew.",
        )
    ]


def _total(pads: dict[str, int]) -> int:
    return sum(pads.values())


def _is_convolution(layer: Layer) -> TypeGuard[Convolution]:
    return isinstance(layer, Convolution) and layer.type == "Convolution"
