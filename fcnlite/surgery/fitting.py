"""Fitting a description to weights: the channel counts, and fc6's kernel, that narrower or wider weights have."""

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
"""Of pictures to try, in search of the one that a classifier was made for."""


def fit(spec: NetSpec, weights: Weights) -> NetSpec:
    """`spec` with the channel counts of `weights`, layer by layer; scores and upsampling keep the description's.

    A layer whose name begins with `fc` may have another square kernel than described, as a classifier for other
    pictures does. Crop offsets follow, and upsampled scores that would begin before a skip's are cut to it. A
    classifier's input gets the largest size that its weights fit. Raises `ShapeError` for weights that contradict each
    other or the description.
    """
    fitted: list[LayerSpec] = []
    shapes: dict[str, Shape] = {}
    for each in spec:
        layer = create(each, "TEST")
        bottoms = [shapes[name] for name in each.bottom]
        given = weights.get(each.name, ())
        if each.type in ("Convolution", "InnerProduct") and given and "score" not in each.name:
            outputs, kernel = _outputs_and_kernel(layer, bottoms[0], np.shape(given[0]))
            if each.type == "InnerProduct" and kernel != bottoms[0][2:]:
                side = _side_for(fitted, each, kernel[0])
                return fit(_with_input_side(spec, side), weights)
            options: dict[str, Any] = {**each.options, "num_output": outputs}
            if each.type == "Convolution" and kernel != _size(layer):
                options["kernel_size"] = [kernel[0]]
            each = replace(each, options=options)
        elif each.type == "Crop" and "offset" in each.options:
            offset, least = _offset(fitted, each)
            if offset < least:
                return fit(_with_pad(spec, each.bottom[1], least - offset), weights)
            each = replace(each, options={**each.options, "offset": [offset]})
        shapes.update(top_shapes(create(each, "TEST"), shapes))
        fitted.append(each)
    return replace(spec, layers=tuple(fitted))


def _outputs_and_kernel(layer: Layer, bottom: Shape, found: Shape) -> tuple[int, Shape]:
    """num_output and kernel size of the weight `found`, which may be a convolution's or an inner product's."""
    channels, rest = divmod(bottom[1], layer.options.group if layer.type == "Convolution" else 1)
    if rest or not channels:
        raise ShapeError(
            f"layer {layer.spec.name!r} ({layer.type}): the weights below it make {bottom[1]} channels, which do not "
            f"split into {layer.options.group} groups; check that these weights are of this kind of net."
        )
    kernel: Shape
    described = _size(layer) if layer.type == "Convolution" else bottom[2:]
    if len(found) == 4 and found[1] == channels:
        outputs, kernel = found[0], found[2:]
    else:
        # An inner product's, which old files write as 1×1×O×I.
        matrix = found[2:] if len(found) == 4 and found[:2] == (1, 1) else found
        outputs, inputs = matrix if len(matrix) == 2 else (0, 0)
        area = inputs // channels
        kernel = described if prod(described) == area else (isqrt(area), isqrt(area))
        if prod(kernel) * channels != inputs:
            outputs = 0
    if not described and prod(kernel) == 1:
        kernel = ()  # an inner product on another one's top, which has no rows and columns
    adaptable = layer.spec.name.startswith("fc") and len(kernel) == 2 and kernel[0] == kernel[1]
    if not outputs or (kernel != described and not adaptable):
        raise ShapeError(
            f"layer {layer.spec.name!r} ({layer.type}): the weight has shape {show(found)}, but the net needs "
            f"N×{show((channels, *described))}; check that these weights are of this kind of net."
        )
    return outputs, kernel


def _size(layer: Layer) -> Shape:
    """The kernel of a convolution, rows and columns."""
    return layer.geometry.rows.kernel, layer.geometry.columns.kernel  # type: ignore[attr-defined]


def _offset(layers: Sequence[LayerSpec], crop: LayerSpec) -> tuple[int, int]:
    """Where the first bottom of a crop must be cut to lie over the second, and where at the least.

    A skip is cut to upsampled scores. These may begin before the skip (the offset is below 0), and end behind it,
    since poolings round up: by less than a pixel of the coarsest blob, which the skip must have to spare.
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
            crop_offset(known, blob, reference)  # says that nothing lays them over each other
        coarsest = max(place.stride for _, place in known.values())
        return int(offset), int(coarsest / skip.stride) - 1

    rows, columns = along(0), along(1)
    if rows != columns:
        raise ShapeError(
            f"layer {crop.name!r} (Crop): would need the offsets {rows[0]} and {columns[0]}; expected one."
        )
    return rows


def _with_pad(spec: NetSpec, blob: str, pad: int) -> NetSpec:
    """`spec` with as many pixels less at each side of the upsampled `blob`."""

    def padded(layer: LayerSpec) -> LayerSpec:
        if layer.type != "Deconvolution" or blob not in layer.top:
            return layer
        return replace(layer, options={**layer.options, "pad": [pad + sum(layer.options.get("pad", ()))]})

    return replace(spec, layers=tuple(map(padded, spec)))


def _side_for(layers: Sequence[LayerSpec], inner_product: LayerSpec, wanted: int) -> int:
    """The largest height and width of pictures that give the inner product a bottom of `wanted`×`wanted`."""

    def side_of_bottom(side: int) -> int:
        shapes: dict[str, Shape] = {}
        for spec in _with_input_side(NetSpec(layers=tuple(layers)), side):
            try:
                shapes.update(top_shapes(create(spec, "TEST"), shapes))
            except ShapeError:
                return 0  # too small for a kernel
        return shapes[inner_product.bottom[0]][2]

    side = bisect_right(range(1, _LARGEST_SIDE), wanted, key=side_of_bottom)
    if side_of_bottom(side) != wanted:
        raise ShapeError(
            f"layer {inner_product.name!r} (InnerProduct): its weight covers {wanted}×{wanted}, which no picture gives."
        )
    return side


def _with_input_side(spec: NetSpec, side: int) -> NetSpec:
    """`spec` with pictures of `side`×`side`."""

    def resized(layer: LayerSpec) -> LayerSpec:
        if layer.type != "Input":
            return layer
        shapes = [{"dim": [*each["dim"][:2], side, side][: len(each["dim"])]} for each in layer.options["shape"]]
        return replace(layer, options={**layer.options, "shape": shapes})

    return replace(spec, layers=tuple(map(resized, spec)))
