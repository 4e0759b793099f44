"""What a net's data layer says of the pictures that it read: data set, split, and what was done to their values."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fcnlite.description.spec import LayerSpec, NetSpec, StateRule
from fcnlite.errors import SpecError
from fcnlite.layers.data import FCN_REFERENCE

_MAX_PARAM_STR = 10_000
"""Characters of a Python layer's `param_str`: the reference's have under 200."""

_SETS = {
    # The data set of each Python layer of the FCN reference, the option that holds its folder, and the BGR mean.
    "VOCSegDataLayer": ("voc", "voc_dir", None),
    "SBDDSegDataLayer": ("sbd", "sbdd_dir", None),
    "NYUDSegDataLayer": ("nyud", "nyud_dir", None),
    "SIFTFlowSegDataLayer": ("siftflow", "siftflow_dir", (114.578, 115.294, 108.353)),
    "PASCALContextSegDataLayer": ("pascal-context", "context_dir", (104.007, 116.669, 122.679)),
}
_NYUD_MEANS = {
    "color": (116.190, 97.203, 92.318),
    "hha": (132.431, 94.076, 118.477),
    "depth": (7.844,),
}
"""What NYUDSegDataLayer takes off its kinds of pictures; of depth, off its logarithm."""


@dataclass(frozen=True)
class DataSource:
    """Where a data layer read its pictures, and its `transform_param`: (value − mean) · scale, cut to `crop_size`."""

    layer: str
    type: str = ""
    dataset: str = ""
    """The data set's name; empty where only the mean is known."""
    split: str = ""
    root: str = ""
    mean: tuple[float, ...] = ()
    """Subtracted from each channel, in the order of the net's input; one value is for all channels."""
    mean_file: str = ""
    """The binaryproto of a mean picture, which is subtracted in place of `mean`."""
    scale: float = 1.0
    crop_size: int = 0
    gray: bool | None = None
    """Whether pictures are read as gray (True) or as colour (False); None where the file leaves it to the data."""
    kind: str = "color"
    """Of the first picture: color, hha or depth."""
    others: Mapping[str, tuple[str, tuple[float, ...]]] = field(default_factory=dict)
    """Kind and mean of further pictures, by blob."""


def data_source(spec: NetSpec) -> DataSource | None:
    """What the data layer of the picture says, that of the TRAIN phase first: the weights learned from its values.

    None for a net without a data layer, whose inputs the caller feeds (`Input`). Raises `SpecError` for a layer that
    has both a mean_file and mean_values.
    """

    def rank(layer: LayerSpec) -> tuple[bool, bool]:
        trains = StateRule(phase="TRAIN") in layer.include or StateRule(phase="TEST") in layer.exclude
        return not _reaches_filters(spec, layer), not trains

    layers = sorted((layer for layer in spec if not layer.bottom), key=rank)
    return next((found for layer in layers if (found := _of_layer(layer)) is not None), None)


def _reaches_filters(spec: NetSpec, source: LayerSpec) -> bool:
    """Whether a layer with filters computes with what `source` makes: a picture then, else a label."""
    reached = set(source.top)
    for layer in spec:
        read = layer.bottom[:1] if layer.type.endswith("Loss") or layer.type == "Accuracy" else layer.bottom
        if reached.intersection(read):
            if layer.type in ("Convolution", "Deconvolution", "InnerProduct"):
                return True
            reached.update(layer.top)
    return False


def _of_layer(layer: LayerSpec) -> DataSource | None:
    if layer.bottom or layer.type in ("Input", "DummyData") or not layer.top:
        return None
    if layer.type == "Python":
        return _of_reference(layer) if layer.options.get("layer") in FCN_REFERENCE else None
    o = layer.options
    mean, mean_file = tuple(o.get("mean_value", ())), str(o.get("mean_file", ""))
    if mean and mean_file:
        raise SpecError(
            f"layer {layer.name!r} ({layer.type}): has mean_file and mean_value; keep the one that is meant."
        )
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
    kinds = _nyud_pictures(layer, params) if dataset == "nyud" else {}
    first, *others = kinds.items() or [("data", "color")]
    given = params.get("mean", _NYUD_MEANS[first[1]] if kinds else mean or ())
    return DataSource(
        layer.name,
        layer.type,
        dataset=dataset,
        split=str(params.get("split", "")),
        root=str(params.get(folder, "")),
        mean=tuple(map(float, given)) if _are_numbers(given) else (),
        kind=first[1],
        others={blob: (kind, _NYUD_MEANS[kind]) for blob, kind in others},
    )


def _nyud_pictures(layer: LayerSpec, params: Mapping[str, Any]) -> dict[str, str]:
    """The kind of each top that is a picture: what `tops` says, or what the blob is called; colour unless known."""
    tops = params.get("tops", ())
    kinds = tops if isinstance(tops, (list, tuple)) and len(tops) == len(layer.top) else layer.top
    known = {blob: kind for blob, kind in zip(layer.top, kinds, strict=True) if kind in _NYUD_MEANS}
    return known or {layer.top[0]: "color"}


def _are_numbers(values: Any) -> bool:
    return isinstance(values, (list, tuple)) and all(type(each) in (int, float) for each in values)


def _literal(text: str) -> Mapping[str, Any]:
    """A `param_str`: a Python dictionary of constants. Empty where it is anything else."""
    if len(text) > _MAX_PARAM_STR:
        return {}
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return {}
    return value if isinstance(value, Mapping) else {}
