"""Fitting a description to weights: their channel counts, and the window of fc6."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from math import isqrt, prod
from typing import Any

import numpy as np

from fcnlite.arrays import Shape
from fcnlite.description.shapes import crop_offset, placements, show
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import ShapeError
from fcnlite.layers import Layer, create, links
from fcnlite.surgery.convolutional import top_shapes
from fcnlite.surgery.transplanting import Weights

_LARGEST_SIDE = 4096
"""The largest height and width to try for a classifier's pictures."""


def fit(spec: NetSpec, weights: Weights) -> NetSpec:
    """`spec` with the channel counts of `weights`, layer by layer; scores and upsampling keep those of `spec`.

    A layer whose name begins with `fc` takes the square window of its weight, which differs in classifiers for pictures
    of another size. Crop offsets follow, and upsampled scores that would begin before a skip's are cut to begin with
    it. A classifier's input gets the largest size that its weights fit. Raises `ShapeError` for weights that contradict
    each other or the description.
    """
    fitted: list[LayerSpec] = []
    shapes: dict[str, Shape] = {}
    for each in spec:
        layer = create(each, "TEST")
        bottoms = [shapes[name] for name in each.bottom]
        given = weights.get(each.name, ())
        if each.type in ("Convolution", "InnerProduct") and given and "score" not in each.name:
            outputs, window = _outputs_and_window(layer, bottoms[0], np.shape(given[0]))
            if each.type == "InnerProduct" and window != bottoms[0][2:]:
                side = _input_side(fitted, each, window[0])
                return fit(_with_input_side(spec, side), weights)
            options: dict[str, Any] = {**each.options, "num_output": outputs}
            if each.type == "Convolution" and window != _window(layer):
                options["kernel_size"] = [window[0]]
            each = replace(each, options=options)
        elif each.type == "Crop" and "offset" in each.options:
            offset, least = _offset(fitted, each)
            if offset < least:
                return fit(_with_pad(spec, each.bottom[1], least - offset), weights)
            each = replace(each, options={**each.options, "offset": [offset]})
        shapes.update(top_shapes(create(each, "TEST"), shapes))
        fitted.append(each)
    return replace(spec, layers=tuple(fitted))


def _outputs_and_window(layer: Layer, bottom: Shape, found: Shape) -> tuple[int, Shape]:
    """num_output and window of a weight of shape `found`, which may be a convolution's or an inner product's."""
    channels, rest = divmod(bottom[1], layer.options.group if layer.type == "Convolution" else 1)
    if rest or not channels:
        raise ShapeError(
            f"layer {layer.spec.name!r} ({layer.type}): the layers below output {bottom[1]} channels, which do not "
            f"split into {layer.options.group} groups; check that these weights are of this kind of net."
        )
    window: Shape
    described = _window(layer) if layer.type == "Convolution" else bottom[2:]
    if len(found) == 4 and found[1] == channels:
        outputs, window = found[0], found[2:]
    else:
        # The weight of an inner product; old files write it as 1×1×O×I.
        matrix = found[2:] if len(found) == 4 and found[:2] == (1, 1) else found
        outputs, inputs = matrix if len(matrix) == 2 else (0, 0)
        area = inputs // channels
        window = described if prod(described) == area else (isqrt(area), isqrt(area))
        if prod(window) * channels != inputs:
            outputs = 0
    if not described and prod(window) == 1:
        window = ()  # the bottom is an inner product's top, without rows and columns
    adaptable = layer.spec.name.startswith("fc") and len(window) == 2 and window[0] == window[1]
    if not outputs or (window != described and not adaptable):
        raise ShapeError(
            f"layer {layer.spec.name!r} ({layer.type}): the weight has shape {show(found)}, but the net needs "
            f"N×{show((channels, *described))}; check that these weights are of this kind of net."
        )
    return outputs, window


def _window(layer: Layer) -> Shape:
    """The height and width of a convolution's window."""
    return layer.geometry.rows.size, layer.geometry.columns.size  # type: ignore[attr-defined]  # both kinds of convolution have it


def _offset(layers: Sequence[LayerSpec], crop: LayerSpec) -> tuple[int, int]:
    """The offset that aligns a crop's first bottom with the second, and the smallest offset allowed.

    A skip is cut to upsampled scores. Because poolings round up, the scores may begin before the skip (a negative
    offset) and end after it, by less than a pixel of the coarsest blob; the skip needs that margin.
    """
    blob, reference = crop.bottom
    is_skip = any(layer.type == "Deconvolution" and reference in layer.top for layer in layers)

    def along(axis: int) -> tuple[int, int]:
        known = placements(links(layers, axis))
        if not is_skip:
            return crop_offset(known, blob, reference), 0
        (_, skip), (_, scores) = known[blob], known[reference]
        offset = (scores.offset - skip.offset) / skip.stride
        if offset.denominator != 1:
            crop_offset(known, blob, reference)  # raises the error that no offset aligns them
        coarsest = max(place.stride for _, place in known.values())
        return int(offset), int(coarsest / skip.stride) - 1

    rows, columns = along(0), along(1)
    if rows != columns:
        raise ShapeError(
            f"layer {crop.name!r} (Crop): needs offset {rows[0]} for rows and {columns[0]} for columns; expected one "
            "for both."
        )
    return rows


def _with_pad(spec: NetSpec, blob: str, pad: int) -> NetSpec:
    """`spec` with `pad` pixels less at each side of the upsampled `blob`."""

    def padded(layer: LayerSpec) -> LayerSpec:
        if layer.type != "Deconvolution" or blob not in layer.top:
            return layer
        return replace(layer, options={**layer.options, "pad": [pad + sum(layer.options.get("pad", ()))]})

    return replace(spec, layers=tuple(map(padded, spec)))


def _input_side(layers: Sequence[LayerSpec], inner_product: LayerSpec, wanted: int) -> int:
    """The largest height and width of an input for which the inner product's bottom is `wanted`×`wanted`."""

    def side_of_bottom(side: int) -> int:
        shapes: dict[str, Shape] = {}
        for spec in _with_input_side(NetSpec(layers=tuple(layers)), side):
            try:
                shapes.update(top_shapes(create(spec, "TEST"), shapes))
            except ShapeError:
                return 0  # too small for a window
        return shapes[inner_product.bottom[0]][2]

    side = bisect_right(range(1, _LARGEST_SIDE), wanted, key=side_of_bottom)
    if side_of_bottom(side) != wanted:
        raise ShapeError(
            f"layer {inner_product.name!r} (InnerProduct): its weight covers {wanted}×{wanted}, which no "
            "size of the input gives; check that these weights are of this kind of net."
        )
    return side


def _with_input_side(spec: NetSpec, side: int) -> NetSpec:
    """`spec` with inputs of `side`×`side`."""

    def resized(layer: LayerSpec) -> LayerSpec:
        if layer.type != "Input":
            return layer
        shapes = [{"dim": [*each["dim"][:2], side, side][: len(each["dim"])]} for each in layer.options["shape"]]
        return replace(layer, options={**layer.options, "shape": shapes})

    return replace(spec, layers=tuple(map(resized, spec)))
