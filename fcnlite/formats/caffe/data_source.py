"""Reads from a net's data layer which pictures the net was trained on: data set, split and preprocessing."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fcnlite.description.reference_feeding import NYUD, SIFTFLOW
from fcnlite.description.spec import LayerSpec, NetSpec, StateRule
from fcnlite.errors import SpecError
from fcnlite.layers.data import FCN_REFERENCE

_MAX_PARAM_STR = 10_000
"""Maximum number of characters in a Python layer's `param_str`; the reference's have less than 200."""

_SETS = {
    # For each Python layer of the FCN reference: the data set, the option with its folder, and the BGR mean.
    "VOCSegDataLayer": ("voc", "voc_dir", None),
    "SBDDSegDataLayer": ("sbd", "sbdd_dir", None),
    "NYUDSegDataLayer": ("nyud", "nyud_dir", None),
    "SIFTFlowSegDataLayer": ("siftflow", "siftflow_dir", SIFTFLOW.mean),
    "PASCALContextSegDataLayer": ("pascal-context", "context_dir", (104.007, 116.669, 122.679)),
}


@dataclass(frozen=True)
class DataSource:
    """The source of a data layer's pictures, and its `transform_param`: (value − mean) · scale, cut to `crop_size`."""

    layer: str
    type: str = ""
    dataset: str = ""
    """The name of the data set; empty if only the mean is known."""
    split: str = ""
    root: str = ""
    mean: tuple[float, ...] = ()
    """The mean of each channel, in the order of the net's input, or one value for all channels."""
    mean_file: str = ""
    """The binaryproto of a mean picture, which replaces `mean`."""
    scale: float = 1.0
    crop_size: int = 0
    gray: bool | None = None
    """Whether pictures are read as gray (True) or as colour (False); None if the layer does not specify it."""
    kind: str = "color"
    """The modality of the first picture: color, hha or depth."""
    others: Mapping[str, str] = field(default_factory=dict)
    """The modality of the other pictures, by blob."""


def data_source(spec: NetSpec) -> DataSource | None:
    """The source of the pictures, or None for a net without data layers, whose inputs the caller feeds (`Input`).

    A data layer of phase TRAIN comes first, since the weights were learned from its pictures. Raises `SpecError` for a
    layer with both mean_file and mean_value.
    """

    def rank(layer: LayerSpec) -> tuple[bool, bool]:
        trains = StateRule(phase="TRAIN") in layer.include or StateRule(phase="TEST") in layer.exclude
        return not feeds_filters(spec, layer), not trains

    layers = sorted((layer for layer in spec if not layer.bottom), key=rank)
    return next((found for layer in layers if (found := _of_layer(layer)) is not None), None)


def feeds_filters(spec: NetSpec, source: LayerSpec) -> bool:
    """Whether the tops of `source` reach a layer with filters: then `source` has a picture, else only labels."""
    dependent = set(source.top)
    for layer in spec:
        read = layer.bottom[:1] if layer.type.endswith("Loss") or layer.type == "Accuracy" else layer.bottom
        if dependent.intersection(read):
            if layer.type in ("Convolution", "Deconvolution", "InnerProduct"):
                return True
            dependent.update(layer.top)
    return False


def _of_layer(layer: LayerSpec) -> DataSource | None:
    if layer.bottom or layer.type in ("Input", "DummyData") or not layer.top:
        return None
    if layer.type == "Python":
        return _of_reference(layer) if layer.options.get("layer") in FCN_REFERENCE else None
    o = layer.options
    mean, mean_file = tuple(o.get("mean_value", ())), str(o.get("mean_file", ""))
    if mean and mean_file:
        raise SpecError(f"layer {layer.name!r} ({layer.type}): has mean_file and mean_value; keep one of them.")
    gray: bool | None = None
    if layer.type == "ImageData":
        gray = not o.get("is_color", o.get("images_in_color", True))
    if o.get("force_gray") or o.get("force_color") or o.get("force_encoded_color"):
        gray = bool(o.get("force_gray"))
    return DataSource(
        layer.name,
        layer.type,
        mean=mean,
        mean_file=mean_file,
        scale=o.get("scale", 1.0),
        crop_size=o.get("crop_size", 0),
        gray=gray,
    )


def _of_reference(layer: LayerSpec) -> DataSource:
    dataset, folder, mean = _SETS[layer.options["layer"]]
    params = _literal(layer.options.get("param_str", ""))
    modalities = _nyud_pictures(layer, params) if dataset == "nyud" else {}
    first, *others = modalities.items() or [("data", "color")]
    given = params.get("mean", NYUD[first[1]].mean if modalities else mean or ())
    return DataSource(
        layer.name,
        layer.type,
        dataset=dataset,
        split=str(params.get("split", "")),
        root=str(params.get(folder, "")),
        mean=tuple(map(float, given)) if _are_numbers(given) else (),
        kind=first[1],
        others=dict(others),
    )


def _nyud_pictures(layer: LayerSpec, params: Mapping[str, Any]) -> dict[str, str]:
    """The modality of each top that is a picture, from `tops`, else from the blob's name; colour by default."""
    tops = params.get("tops", ())
    names = tops if isinstance(tops, (list, tuple)) and len(tops) == len(layer.top) else layer.top
    known = {blob: name for blob, name in zip(layer.top, names, strict=True) if name in NYUD}
    return known or {layer.top[0]: "color"}


def _are_numbers(values: Any) -> bool:
    return isinstance(values, (list, tuple)) and all(type(each) in (int, float) for each in values)


def _literal(text: str) -> Mapping[str, Any]:
    """A `param_str` as a dictionary of constants; empty if it is anything else."""
    if len(text) > _MAX_PARAM_STR:
        return {}
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return {}
    return value if isinstance(value, Mapping) else {}
