"""Other ways to write a net: each function returns the layers as fcnlite writes them.

Caffe itself accepts layers of one name and losses without a top. Forks of Caffe have other names for types and options
that Caffe has too.
"""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from fcnlite.description.shapes import crop_offset, placements
from fcnlite.description.spec import PHASES, LayerSpec
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers import Layer, links
from fcnlite.layers.registry import class_of

_TYPES = {"ConvolutionDepthwise": "Convolution", "DepthwiseConvolution": "Convolution"}
"""Types of forks that Caffe has under another name."""

_OF_FUSENET = {"output_h": "upsample_h", "output_w": "upsample_w", "scale": "scale"}
"""The options of FuseNet's Unpooling (tum-vision/fusenet), and those of Upsample."""


def without_synonyms(layers: Iterable[LayerSpec]) -> Iterator[LayerSpec]:
    """The layers, with Caffe's names for the types and options that forks call otherwise.

    A depthwise convolution (yonghenglh6/DepthwiseConvolution) is a Convolution with a group for each channel. `hole` of
    a Convolution (DeepLab v1) is its `dilation`. `ceil_mode` of a Pooling (several forks) is its `round_mode`. Four
    pads (Synopsys) that are equal on opposite sides are `pad_h` and `pad_w`; a Pooling with others, or with a method
    that Caffe does not have, becomes an UnevenPooling. FuseNet's Unpooling is SegNet's Upsample.
    """
    for layer in layers:
        options = dict(layer.options)
        type_ = _TYPES.get(layer.type, layer.type)
        if type_ != layer.type:
            options["group"] = options.get("num_output", 1)
        if type_ in ("Convolution", "Deconvolution"):
            _rename_hole(layer, options)
        if type_ == "Pooling":
            _rename_ceil_mode(layer, options)
            _join_pads(layer, options)
            if "pad_t" in options or options.get("pool") in ("AVE_EXC_PAD", "AVE_TF"):
                type_ = "UnevenPooling"
        if type_ == "Unpooling" and any(name in options for name in _OF_FUSENET):
            type_, options = "Upsample", {_OF_FUSENET.get(name, name): value for name, value in options.items()}
        changed = (type_, options) != (layer.type, layer.options)
        yield replace(layer, type=type_, options=options) if changed else layer


def _rename_hole(layer: LayerSpec, options: dict[str, Any]) -> None:
    holes = {name: options.pop(name) for name in ("hole", "hole_h", "hole_w") if name in options}
    if not holes:
        return
    if "dilation" in options or ("hole" in holes and len(holes) > 1):
        raise SpecError(f"layer {layer.name!r}: has {', '.join(holes)} and other dilations; write dilation alone.")
    options["dilation"] = holes.get("hole", [holes.get("hole_h", 1), holes.get("hole_w", 1)])


def _rename_ceil_mode(layer: LayerSpec, options: dict[str, Any]) -> None:
    if "ceil_mode" not in options:
        return
    mode = "CEIL" if options.pop("ceil_mode") else "FLOOR"
    if options.setdefault("round_mode", mode) != mode:
        raise SpecError(f"layer {layer.name!r}: ceil_mode and round_mode contradict each other; keep round_mode.")


def _join_pads(layer: LayerSpec, options: dict[str, Any]) -> None:
    """Turn pad_t, pad_b, pad_l and pad_r into pad_h and pad_w where they are equal on opposite sides."""
    names = [f"pad_{side}" for side in "tblr"]
    if not any(name in options for name in names):
        return
    if any(name in options for name in ("pad", "pad_h", "pad_w")):
        raise SpecError(f"layer {layer.name!r}: has pad_t, pad_b, pad_l, pad_r and other pads; keep one kind.")
    top, bottom, left, right = (options.pop(name, 0) for name in names)
    if top == bottom and left == right:
        options.update(pad_h=top, pad_w=left)
    else:
        options.update(pad_t=top, pad_b=bottom, pad_l=left, pad_r=right)


def with_tops_of_losses(layers: Iterable[LayerSpec]) -> Iterator[LayerSpec]:
    """The layers, with a top for each loss that has none, called after the layer; Caffe makes such a top too."""
    layers = list(layers)
    taken = {blob for layer in layers for blob in (*layer.bottom, *layer.top)}
    for layer in layers:
        known = class_of(layer)
        if known is not None and known.is_loss and not layer.top:
            top = _unused(layer.name, taken)
            taken.add(top)
            layer = replace(layer, top=(top,))
        yield layer


def with_bottoms_of_parameters(layers: Iterable[LayerSpec]) -> Iterator[LayerSpec]:
    """The layers, with the first input as the bottom of each Parameter; a layer without bottoms is an input here."""
    layers = list(layers)
    inputs = [top for layer in layers if not layer.bottom and layer.type != "Parameter" for top in layer.top]
    for layer in layers:
        if layer.type == "Parameter" and not layer.bottom and inputs:
            layer = replace(layer, bottom=(inputs[0],))
        yield layer


def with_unique_names(layers: Sequence[LayerSpec], level: int, stages: Sequence[str]) -> Iterator[LayerSpec]:
    """The layers, with other names for those that have the name of an earlier layer in the same phase.

    As in Caffe, weights of the name go into the first of them. Warns if a later one has weights too.
    """
    taken = {layer.name for layer in layers}
    first: dict[str, list[LayerSpec]] = {}
    for layer in layers:
        earlier = first.setdefault(layer.name, [])
        if any(_meet(layer, each, level, stages) for each in earlier):
            name = _unused(layer.name, taken)
            taken.add(name)
            if _has_params(layer):
                warnings.warn(
                    f"two layers are called {layer.name!r}; the second is called {name!r} here and starts by its "
                    "fillers, because, as in Caffe, weights of this name go into the first.",
                    stacklevel=5,
                )
            layer = replace(layer, name=name)
        else:
            earlier.append(layer)
        yield layer


def _meet(one: LayerSpec, other: LayerSpec, level: int, stages: Sequence[str]) -> bool:
    """Whether two layers are in one net, in phase TRAIN or TEST."""
    if (one.include, one.exclude) == (other.include, other.exclude):
        return True
    given = frozenset(stages)
    return any(all(each.included(phase, level, given) for each in (one, other)) for phase in PHASES)


def _has_params(layer: LayerSpec) -> bool:
    known = class_of(layer)
    return known is None or known.params is not Layer.params


def _unused(name: str, taken: Container[str]) -> str:
    """`name`, or if it is taken, the first of name_2, name_3, ... that is not."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def with_computed_offsets(
    layers: Sequence[LayerSpec], computed: Container[str], level: int, stages: Sequence[str]
) -> Iterator[LayerSpec]:
    """The layers, with an offset for each Crop that has no options and whose place in the file is in `computed`.

    Before Caffe had a Crop, a fork (longjon/caffe) computed the offset from the geometry of the net, and the first
    published FCNs rely on it. Raises `SpecError` if no offset aligns the two blobs.
    """
    given = frozenset(stages)
    for index, layer in enumerate(layers):
        phases = [phase for phase in PHASES if layer.included(phase, level, given)]
        if layer.type == "Crop" and layer.where in computed and not layer.options and len(layer.bottom) == 2 and phases:
            before = [each for each in layers[:index] if each.included(phases[-1], level, given)]
            try:
                offset = [crop_offset(placements(links(before, axis, phases[-1])), *layer.bottom) for axis in (0, 1)]
            except ShapeError as error:
                raise SpecError(
                    f"layer {layer.name!r}: has no offset, and none can be computed from the net: {error}; write "
                    "crop_param { offset: ... }."
                ) from error
            layer = replace(layer, options={"axis": 2, "offset": offset})
        yield layer
