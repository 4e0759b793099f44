"""Classifiers made fully convolutional (paper, section 3.1): what they say of one window, they say of every one.

An inner product that sees a blob of C×H×W is a convolution whose kernel is H×W: the same numbers, O×C·H·W, read as
O×C×H×W. On pictures of the classifier's own size the scores are the classifier's, a map of 1×1; larger pictures give
larger maps. Pads stay as the classifier has them. Where there are none, a pixel of the map is what the classifier says
of the window that the pixel sees; with pads this holds but for the windows' borders, where the classifier sees zeros
and the convolutions see more of the picture.
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
"""What may stand between a Flatten and its InnerProduct."""


def fully_convolutional(spec: NetSpec, weights: Weights | None = None) -> tuple[NetSpec, dict[str, list[Array]]]:
    """The net, and its weights, with convolutions in place of inner products; names and pads stay.

    It is the net of the phase TEST, without losses, accuracies and labels; data layers become inputs for one picture.
    Layers that only flatten go, and a pooling of the whole picture becomes one of the window that the classifier sees.
    Kernel sizes follow from the inputs' described shapes. Raises `SpecError` for a net without inner products or with
    layers that are unknown or cannot slide, `ShapeError` where an input has no described shape, or weights another one
    than the net needs.
    """
    net = _Converted()
    for each in spec.for_phase("TEST"):
        net.add(create(_as_input(each), "TEST"))
    if not net.kernels:
        raise SpecError(
            f"net {spec.name!r} has no InnerProduct layer, so there is nothing to make convolutional; to keep it as it "
            "is in a weight file, use fcnlite.load(prototxt, weights).save('net.h5')."
        )
    layers = _without_unread_inputs(net.layers)
    _check_sizes(layers, net.shapes)
    converted = {name: list(map(np.asarray, arrays)) for name, arrays in (weights or {}).items()}
    for name, (kernel, transposed) in net.kernels.items():
        if name in converted:
            converted[name][0] = _kernel_of(name, converted[name][0], kernel, transposed)
    return NetSpec(spec.name, tuple(layers)), converted


def _as_input(spec: LayerSpec) -> LayerSpec:
    """A data layer as an Input for one picture; other layers, and data layers of no known shape, as they are."""
    layer = create(spec, "TEST")
    shapes = layer.top_shapes() if isinstance(layer, DataLayer) and not spec.bottom else []
    if not shapes:
        return spec
    return replace(spec, type="Input", options={"shape": [{"dim": [1, *shape[1:]]} for shape in shapes]})


def top_shapes(layer: Layer, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes of a layer's tops by name, given those of its bottoms.

    Raises `SpecError` for a layer of an unknown type, `ShapeError` where the shapes do not fit or are not described.
    """
    if isinstance(layer, UnknownLayer):
        raise layer.error()
    tops = named(layer, lambda: layer.top_shapes(*(shapes[name] for name in layer.spec.bottom)))
    if len(tops) != len(layer.spec.top):
        raise ShapeError(
            f"the description gives no shape for input {layer.spec.top[0]!r}, so kernels have no size; "
            "add `input_param { shape { dim: ... } }`."
        )
    return dict(zip(layer.spec.top, tops, strict=True))


class _Converted:
    """The layers of the net that is made, and what is known of the classifier's blobs."""

    def __init__(self) -> None:
        self.layers: list[LayerSpec] = []
        self.shapes: dict[str, Shape] = {}
        """As the classifier has them."""
        self.kernels: dict[str, tuple[Shape, bool]] = {}
        """For each inner product the shape of its convolution's weight, and whether its own is transposed."""
        self._unflattened: dict[str, tuple[str, Shape]] = {}
        """For flattened blobs the blob that they are in the net that is made, and its shape."""

    def add(self, layer: Layer) -> None:
        spec = layer.spec
        # What a loss makes is not in the net that is made, and neither is what reads it.
        if layer.is_loss or layer.type == "Accuracy" or any(name not in self.shapes for name in spec.bottom):
            return
        bottoms = [self.shapes[name] for name in spec.bottom]
        self.shapes.update(top_shapes(layer, self.shapes))
        flattened = [self._unflattened[name] for name in spec.bottom if name in self._unflattened]
        if layer.type in ("Flatten", "Reshape") and _flattens(bottoms[0], self.shapes[spec.top[0]]):
            # InnerProduct flattens by itself.
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
        """The convolution that computes what an inner product does on a bottom of this shape."""
        spec, o = layer.spec, layer.options
        if len(bottom) not in (2, 4) or canonical_axis(o.axis, len(bottom)) != 1:
            raise _cannot_slide(layer, f"has axis {o.axis} and a bottom of {show(bottom)}; expected N×C×H×W and axis 1")
        height, width = bottom[2:] or (1, 1)
        self.kernels[spec.name] = ((o.num_output, bottom[1], height, width), o.transpose)
        options: dict[str, Any] = {key: spec.options[key] for key in spec.options if key not in ("axis", "transpose")}
        options["kernel_size"] = [height] if height == width else [height, width]
        return replace(spec, type="Convolution", options=options)


def _flattens(bottom: Shape, top: Shape) -> bool:
    return top == (bottom[0], prod(bottom[1:]))


def _sliding(layer: Layer, bottom: Shape) -> LayerSpec:
    """The layer as it stands in the net that is made. Raises `SpecError` for one that mixes the places of a picture."""
    spec, options = layer.spec, dict(layer.spec.options)
    if layer.type == "Pooling" and options.pop("global_pooling", False):
        options["kernel_h"], options["kernel_w"] = bottom[2:]
    elif layer.placement() is None:
        raise _cannot_slide(layer, "computes with the whole picture at once")
    if isinstance(axis := options.get("axis"), int) and axis < 0:
        # Counted from the end it would be another one, now that scores have four axes.
        options["axis"] = canonical_axis(axis, len(bottom))
    return replace(spec, options=options)


def _cannot_slide(layer: Layer, reason: str) -> SpecError:
    return SpecError(f"layer {layer.spec.name!r} ({layer.type}): {reason}, so it cannot slide over a larger picture.")


def _without_unread_inputs(layers: list[LayerSpec]) -> list[LayerSpec]:
    """Inputs that nothing reads go: labels."""
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
    """Raise `ShapeError` where a blob, on pictures of the classifier's own size, has not as many values as before."""
    shapes: dict[str, Shape] = {}
    for spec in layers:
        shapes.update(top_shapes(create(spec, "TEST"), shapes))
        for name, shape in ((top, shapes[top]) for top in spec.top):
            if name not in spec.bottom and prod(shape) != prod(wanted[name]):
                raise ShapeError(
                    f"layer {spec.name!r} ({spec.type}): its top {name} would be {show(shape)} instead of "
                    f"{show(wanted[name])}; this net cannot be made fully convolutional."
                )


def _kernel_of(name: str, weight: Array, kernel: Shape, transposed: bool) -> Array:
    """An inner product's weight as that of a convolution, which it may be already."""
    outputs, inputs = kernel[0], prod(kernel[1:])
    flat = (inputs, outputs) if transposed else (outputs, inputs)
    if weight.shape == kernel:
        return weight
    if weight.shape not in (flat, (1, 1, *flat)):
        raise ShapeError(
            f"layer {name!r}: its weight has shape {show(weight.shape)}, but the net needs {show(flat)}; "
            "check that the description and the weights belong together."
        )
    matrix = weight.reshape(flat)
    return (matrix.T if transposed else matrix).reshape(kernel)
