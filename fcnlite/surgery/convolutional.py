"""Classifiers made fully convolutional (paper, section 3.1): they score every window of a larger picture.

An inner product on a blob of C×H×W equals a convolution with a window of H×W: the same numbers, O×C·H·W, read as
O×C×H×W. A picture of the classifier's own size gives the classifier's scores, a map of 1×1; a larger picture gives a
larger map. Padding stays as in the classifier. Without padding, a pixel of the map is exactly the classifier's score of
the pixel's receptive field. With padding the two differ at the borders of the receptive field, where the classifier
sees zeros and the convolutions see the picture around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers import Layer, create
from fcnlite.layers.base import canonical_axis, named
from fcnlite.layers.data import DataLayer
from fcnlite.layers.registry import UnknownLayer
from fcnlite.surgery.transplanting import Weights

_ELEMENTWISE = ("ReLU", "Dropout", "Sigmoid", "TanH", "ELU", "Power")
"""The types allowed between a Flatten and its InnerProduct."""


def fully_convolutional(spec: NetSpec, weights: Weights | None = None) -> tuple[NetSpec, dict[str, list[Array]]]:
    """The net and its weights with convolutions in place of inner products; names and padding stay.

    The result is the net of phase TEST, without losses, accuracies and labels; data layers become inputs for one
    picture. Layers that only flatten are left out, and a global pooling gets the window that the classifier pools.
    Window sizes follow from the described shapes of the inputs. Raises `SpecError` for a net without inner products, or
    with layers that are unknown or cannot slide over a picture, `ShapeError` if an input has no described shape or a
    weight does not fit.
    """
    net = _Conversion()
    for each in spec.for_phase("TEST"):
        net.add(create(_as_input(each), "TEST"))
    if not net.weight_shapes:
        raise SpecError(
            f"net {spec.name!r} has no InnerProduct layer to make convolutional; to save it as a weight file as it is, "
            "call fcnlite.load('net.prototxt', 'net.caffemodel').save('net.h5') in Python."
        )
    layers = _without_unread_inputs(net.layers)
    _check_sizes(layers, net.shapes)
    converted = {name: list(map(np.asarray, arrays)) for name, arrays in (weights or {}).items()}
    for name, (shape, transposed) in net.weight_shapes.items():
        if name in converted:
            converted[name][0] = _convolution_weight(name, converted[name][0], shape, transposed)
    return NetSpec(spec.name, tuple(layers)), converted


def _as_input(spec: LayerSpec) -> LayerSpec:
    """A data layer as an Input for one picture; other layers, and data layers of unknown shape, unchanged."""
    layer = create(spec, "TEST")
    shapes = layer.top_shapes() if isinstance(layer, DataLayer) and not spec.bottom else []
    if not shapes:
        return spec
    return replace(spec, type="Input", options={"shape": [{"dim": [1, *shape[1:]]} for shape in shapes]})


def top_shapes(layer: Layer, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes of a layer's tops by name, given those of its bottoms.

    Raises `SpecError` for a layer of an unknown type, `ShapeError` if shapes do not fit or are not described.
    """
    if isinstance(layer, UnknownLayer):
        raise layer.error()
    tops = named(layer, lambda: layer.top_shapes(*(shapes[name] for name in layer.spec.bottom)))
    if len(tops) != len(layer.spec.top):
        raise ShapeError(
            f"the description gives no shape for input {layer.spec.top[0]!r}, so weights have no sizes; "
            "add `input_param { shape { dim: ... } }`."
        )
    return dict(zip(layer.spec.top, tops, strict=True))


class _Conversion:
    """The layers converted so far, and the shapes of the classifier's blobs."""

    def __init__(self) -> None:
        self.layers: list[LayerSpec] = []
        self.shapes: dict[str, Shape] = {}
        """The shapes of the classifier's blobs."""
        self.weight_shapes: dict[str, tuple[Shape, bool]] = {}
        """For each inner product, the shape of its convolution's weight, and whether its own weight is transposed."""
        self._unflattened: dict[str, tuple[str, Shape]] = {}
        """For each flattened blob, the unflattened blob of the new net, and its shape."""

    def add(self, layer: Layer) -> None:
        """Convert the next layer of the classifier."""
        spec = layer.spec
        # Losses, accuracies and the layers that read their tops are left out.
        if layer.is_loss or layer.type == "Accuracy" or any(name not in self.shapes for name in spec.bottom):
            return
        bottoms = [self.shapes[name] for name in spec.bottom]
        self.shapes.update(top_shapes(layer, self.shapes))
        flattened = [self._unflattened[name] for name in spec.bottom if name in self._unflattened]
        if layer.type in ("Flatten", "Reshape") and _flattens(bottoms[0], self.shapes[spec.top[0]]):
            # InnerProduct itself flattens its bottom.
            self._unflattened[spec.top[0]] = flattened[0] if flattened else (spec.bottom[0], bottoms[0])
            return
        names = tuple(self._unflattened[name][0] if name in self._unflattened else name for name in spec.bottom)
        for top in spec.top:
            self._unflattened.pop(top, None)
        if layer.type == "InnerProduct":
            spec = self._convolution(layer, flattened[0][1] if flattened else bottoms[0])
        elif flattened and layer.type in _ELEMENTWISE:
            self._unflattened[spec.top[0]] = (spec.top[0], flattened[0][1])
        elif flattened and any(prod(shape[2:]) > 1 for _, shape in flattened):
            raise _cannot_slide(layer, "reads a flattened blob")
        elif bottoms:
            spec = _sliding(layer, bottoms[0])
        self.layers.append(replace(spec, bottom=names, include=(), exclude=()))

    def _convolution(self, layer: Layer, bottom: Shape) -> LayerSpec:
        """The convolution that equals an inner product on a bottom of this shape."""
        spec, o = layer.spec, layer.options
        if len(bottom) not in (2, 4) or canonical_axis(o.axis, len(bottom)) != 1:
            raise _cannot_slide(layer, f"has axis {o.axis} and a bottom of {show(bottom)}; expected N×C×H×W and axis 1")
        height, width = bottom[2:] or (1, 1)
        self.weight_shapes[spec.name] = ((o.num_output, bottom[1], height, width), o.transpose)
        options: dict[str, Any] = {key: spec.options[key] for key in spec.options if key not in ("axis", "transpose")}
        options["kernel_size"] = [height] if height == width else [height, width]
        return replace(spec, type="Convolution", options=options)


def _flattens(bottom: Shape, top: Shape) -> bool:
    return top == (bottom[0], prod(bottom[1:]))


def _sliding(layer: Layer, bottom: Shape) -> LayerSpec:
    """The layer in the new net. Raises `SpecError` for a layer that mixes the positions of a picture."""
    spec, options = layer.spec, dict(layer.spec.options)
    if layer.type == "Pooling" and options.pop("global_pooling", False):
        options["kernel_h"], options["kernel_w"] = bottom[2:]
    elif layer.placement() is None:
        raise _cannot_slide(layer, "computes with the whole picture at once")
    if isinstance(axis := options.get("axis"), int) and axis < 0:
        # Scores now have four axes, so an axis counted from the end would be a different one.
        options["axis"] = canonical_axis(axis, len(bottom))
    return replace(spec, options=options)


def _cannot_slide(layer: Layer, reason: str) -> SpecError:
    return SpecError(f"layer {layer.spec.name!r} ({layer.type}): {reason}, so it cannot slide over a larger picture.")


def _without_unread_inputs(layers: list[LayerSpec]) -> list[LayerSpec]:
    """The layers without the inputs that no layer reads, such as labels."""
    read = {name for layer in layers for name in layer.bottom}
    kept = []
    for layer in layers:
        if layer.bottom or not layer.top:
            kept.append(layer)
            continue
        shapes = list(layer.options.get("shape", ()))
        if len(shapes) == 1:
            shapes *= len(layer.top)
        pairs = [(top, shape) for top, shape in zip(layer.top, shapes, strict=True) if top in read]
        if pairs:
            tops, shapes = map(list, zip(*pairs, strict=True))
            kept.append(replace(layer, top=tuple(tops), options={**layer.options, "shape": shapes}))
    return kept


def _check_sizes(layers: Iterable[LayerSpec], wanted: dict[str, Shape]) -> None:
    """Raise `ShapeError` if a blob has another number of values than `wanted` on pictures of the classifier's size."""
    shapes: dict[str, Shape] = {}
    for spec in layers:
        shapes.update(top_shapes(create(spec, "TEST"), shapes))
        for name, shape in ((top, shapes[top]) for top in spec.top):
            if name not in spec.bottom and prod(shape) != prod(wanted[name]):
                raise ShapeError(
                    f"layer {spec.name!r} ({spec.type}): its top {name} would be {show(shape)} instead of "
                    f"{show(wanted[name])}; this net cannot be made fully convolutional."
                )


def _convolution_weight(name: str, weight: Array, shape: Shape, transposed: bool) -> Array:
    """An inner product's weight reshaped for its convolution, unless it already has that shape."""
    outputs, inputs = shape[0], prod(shape[1:])
    flat = (inputs, outputs) if transposed else (outputs, inputs)
    if weight.shape == shape:
        return weight
    if weight.shape not in (flat, (1, 1, *flat)):
        raise ShapeError(
            f"layer {name!r}: its weight has shape {show(weight.shape)}, but the net needs {show(flat)}; "
            "check that the description and the weights belong together."
        )
    matrix = weight.reshape(flat)
    return (matrix.T if transposed else matrix).reshape(shape)
