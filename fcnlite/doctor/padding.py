"""A missing or doubled pad of 100, with which the paper's nets begin.

Their trunk has stride 32 and a 7×7 fc6 without pad. Without the pad, nothing remains of a small picture, and the scores
of any picture do not cover it. With a pad of 100, every picture has at least one score, and the upsampled scores cover
it. These checks compute only shapes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeGuard

from fcnlite.description.model_info import Preprocessing
from fcnlite.description.spec import NetSpec
from fcnlite.doctor.finding import Finding, listed
from fcnlite.doctor.structure import picture_shapes
from fcnlite.errors import ShapeError
from fcnlite.layers import Layer, create
from fcnlite.layers.convolution import Convolution
from fcnlite.net import Net

PAD = 100
MAX_PAD = 150
"""Pixels, in all layers with a wide pad: half as much again as the paper's."""


def check(
    spec: NetSpec, phase: str, preprocessing: Preprocessing, sizes: Sequence[tuple[int, int]] = ()
) -> list[Finding]:
    """Check that the described size of the input and `sizes`, heights and widths of pictures, fit the net.

    Takes a description, because a net whose described size does not fit cannot be built.
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
    """`spec` without the shapes of its inputs, so that its net makes no parameters."""
    layers = (dataclasses.replace(each, options={}) if each.type == "Input" else each for each in spec)
    return dataclasses.replace(spec, layers=tuple(layers))


def _too_small(size: str, error: ShapeError, layers: Sequence[Layer]) -> Finding:
    windows = {each.spec.name: each.geometry.rows for each in layers if _is_convolution(each)}
    first = next(iter(windows), None)
    unpadded = [name for name, each in windows.items() if each.size > 5 and each.stride == 1 and not each.pad]
    mend = "Use larger pictures, or give the layers more pad."
    if "cancels out" in str(error):
        mend = "Do what the message proposes; after changing other layers, compute the crops' offsets again."
    elif first is not None and unpadded and windows[first].pad < PAD:
        mend = (
            f"The window of {unpadded[0]!r}, {windows[unpadded[0]].size} pixels, is larger than the trunk's output: "
            f"give the first convolution, {first!r}, a pad of {PAD} as in the paper's nets (it has "
            f"{windows[first].pad}), and compute the crops' offsets again."
        )
    what = f"Pictures of {size} pixels do not fit the net: {str(error).rstrip('.')}."
    return Finding("input-too-small", "error", what, mend)


def _doubled(layers: Sequence[Layer]) -> list[Finding]:
    """Pads at least as wide as the window, summed along one path through the net: they add only zeros."""
    pads: dict[str, dict[str, int]] = {}
    for layer in layers:
        inherited = max((pads.get(blob, {}) for blob in layer.spec.bottom), key=_total, default={})
        if _is_convolution(layer):
            rows = layer.geometry.rows
            if rows.pad >= max(rows.extent, PAD // 2):
                inherited = {**inherited, layer.spec.name: rows.pad}
        pads.update(dict.fromkeys(layer.spec.top, inherited))
    widest = max(pads.values(), key=_total, default={})
    if _total(widest) <= MAX_PAD:
        return []
    names = listed([f"{name} {pad}" for name, pad in widest.items()])
    return [
        Finding(
            "pad-doubled",
            "warning",
            f"The picture is padded by {_total(widest)} pixels in all ({names}). The paper's nets pad by {PAD} once; "
            "more pad costs time and surrounds the scores with those of zeros.",
            f"Give the first convolution a pad of {PAD}, the others half their kernel_size, and compute the crops' "
            "offsets again.",
        )
    ]


def _total(pads: dict[str, int]) -> int:
    return sum(pads.values())


def _is_convolution(layer: Layer) -> TypeGuard[Convolution]:
    return isinstance(layer, Convolution) and layer.type == "Convolution"
