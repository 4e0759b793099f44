"""What a net's data layer says of the pictures that it read: data set, split, mean."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fcnlite.layers.data import FCN_REFERENCE
from fcnlite.spec import LayerSpec, NetSpec

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
    """Where a data layer read its pictures."""

    layer: str
    dataset: str = ""
    """The data set's name; empty where only the mean is known."""
    split: str = ""
    root: str = ""
    mean: tuple[float, ...] = ()
    """Taken off each channel, in the order of the net's input."""
    scale: float = 1.0
    kind: str = "color"
    """Of the first picture: color, hha or depth."""
    others: Mapping[str, tuple[str, tuple[float, ...]]] = field(default_factory=dict)
    """Kind and mean of further pictures, by blob."""


def data_source(spec: NetSpec) -> DataSource | None:
    """What the first data layer that says anything says; None where none does."""
    return next((found for layer in spec if (found := _of_layer(layer)) is not None), None)


def _of_layer(layer: LayerSpec) -> DataSource | None:
    if layer.bottom:
        return None
    if layer.type == "Python" and layer.options.get("layer") in FCN_REFERENCE:
        return _of_reference(layer)
    mean, scale = layer.options.get("mean_value", ()), layer.options.get("scale", 1.0)
    if mean or scale != 1.0:
        return DataSource(layer.name, mean=tuple(mean), scale=scale)
    return None


def _of_reference(layer: LayerSpec) -> DataSource:
    dataset, folder, mean = _SETS[layer.options["layer"]]
    params = _literal(layer.options.get("param_str", ""))
    kinds = _nyud_pictures(layer, params) if dataset == "nyud" else {}
    first, *others = kinds.items() or [("data", "color")]
    given = params.get("mean", _NYUD_MEANS[first[1]] if kinds else mean or ())
    return DataSource(
        layer.name,
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
