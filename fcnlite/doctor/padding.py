"""The initial pad of 100 of the reference's nets, missing or doubled.

Their trunk has stride 32 and an unpadded fc6 of 7×7. Without the pad, small pictures give no scores, and the scores of
larger ones do not cover the picture. With a pad of 100, every picture gives at least one score, and the upsampled
scores cover it. The checks compute only shapes.
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
"""The most pixels of pad in all: one and a half times the reference's."""


def check(
    spec: NetSpec, phase: str, preprocessing: Preprocessing, sizes: Sequence[tuple[int, int]] = ()
) -> list[Finding]:
    """Check the described size of the input and the pictures' `sizes` (heights and widths).

    Takes a description, since a net whose described size does not fit cannot be built.
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
    """`spec` without the shapes of its inputs; a net of it does not make parameters."""
    layers = (dataclasses.replace(each, options={}) if each.type == "Input" else each for each in spec)
    return dataclasses.replace(spec, layers=tuple(layers))


def _too_small(size: str, error: ShapeError, layers: Sequence[Layer]) -> Finding:
    windows = {each.spec.name: each.geometry.rows for each in layers if _is_convolution(each)}
    first = next(iter(windows), None)
    unpadded = [name for name, each in windows.items() if each.size > 5 and each.stride == 1 and not each.pad]
    remedy = "Feed larger pictures, or give the layers more pad."
    if "cancels out" in str(error):
        remedy = "Do what the message proposes; if you change other layers, recompute the offsets of the crops."
    elif first is not None and unpadded and windows[first].pad < PAD:
        remedy = (
            f"The {windows[unpadded[0]].size} pixels of {unpadded[0]!r} are more than the trunk leaves: give the "
            f"first convolution, {first!r}, a pad of {PAD} as the reference does (it has {windows[first].pad}), and "
            "recompute the offsets of the crops."
        )
    what = f"Pictures of {size} pixels do not go through the net: {str(error).rstrip('.')}."
    return Finding("input-too-small", "error", what, remedy)


def _doubled(layers: Sequence[Layer]) -> list[Finding]:
    """Find paths with several pads as wide as the window or wider: beyond the window a pad only adds zeros."""
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
    pads_of_layers = listed([f"{name} {pad}" for name, pad in widest.items()])
    return [
        Finding(
            "pad-doubled",
            "warning",
            f"The picture is padded by {_total(widest)} pixels in all ({pads_of_layers}); the reference "
            f"pads by {PAD} once. More pad costs time and surrounds the scores with scores of zeros.",
            f"Give the first convolution a pad of {PAD}, the others half their kernel_size, and recompute the offsets "
            "of the crops.",
        )
    ]


def _total(pads: dict[str, int]) -> int:
    return sum(pads.values())


def _is_convolution(layer: Layer) -> TypeGuard[Convolution]:
    return isinstance(layer, Convolution) and layer.type == "Convolution"
