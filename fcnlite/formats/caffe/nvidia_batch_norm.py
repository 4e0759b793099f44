"""Reads the BatchNorm of NVIDIA's Caffe, which also scales and shifts, as a BatchNorm and a Scale.

NVIDIA's layer has five blobs: mean, variance, a correction that it does not use, scale, bias. Unlike Caffe, it does not
divide mean and variance by the third blob, and it raises eps to at least 1e-5. Versions before 0.16 stored the blobs in
another order, which the shapes reveal; such blobs are not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.spec import LayerSpec, NetSpec

Weights = Mapping[str, Sequence[Array]]

OPTIONS = ("scale_bias", "scale_filler", "bias_filler", "engine")
"""The options of batch_norm_param that Caffe does not have."""
_SUFFIX = "_scale_bias"
_LEAST_EPS = 1e-5


def scale_of(name: str) -> str:
    """The name of the Scale that follows the BatchNorm `name`."""
    return name + _SUFFIX


def split_batch_norms(layers: Iterable[LayerSpec]) -> Iterator[LayerSpec]:
    """The layers, with a Scale after each BatchNorm whose options request one: scale_bias or a filler."""
    for layer in layers:
        if layer.type != "BatchNorm":
            yield layer
            continue
        options = {name: value for name, value in layer.options.items() if name != "engine"}
        asked = options.pop("scale_bias", False)
        fillers = {
            ours: options.pop(theirs)
            for ours, theirs in (("filler", "scale_filler"), ("bias_filler", "bias_filler"))
            if theirs in options
        }
        layer = replace(layer, options=options)
        yield from _pair(layer, fillers) if asked or fillers else (layer,)


def with_scales(spec: NetSpec, weights: Weights) -> NetSpec:
    """`spec` with a Scale after each BatchNorm that has five blobs in `weights`, unless it is there already."""
    names = {layer.name for layer in spec}
    layers: list[LayerSpec] = []
    for layer in spec:
        wanted = layer.type == "BatchNorm" and _is_scaled(weights.get(layer.name, ()))
        layers += _pair(layer, {}) if wanted and scale_of(layer.name) not in names else (layer,)
    return replace(spec, layers=tuple(layers))


def split_scales(weights: Weights, batch_norms: Iterable[str]) -> Weights:
    """`weights` with the five blobs of these BatchNorms split: three for the BatchNorm, two for the Scale after it."""
    found = dict(weights)
    for name in batch_norms:
        if _is_scaled(given := weights.get(name, ())):
            mean, variance, _, scale, bias = (np.asarray(each).reshape(-1) for each in given)
            found[name] = [mean, variance, np.ones(1, np.float32)]
            found[scale_of(name)] = [scale, bias]
    return found


def _is_scaled(blobs: Sequence[Array]) -> bool:
    sizes = [np.size(each) for each in blobs]
    return len(sizes) == 5 and sizes[2] == 1 and len({sizes[i] for i in (0, 1, 3, 4)}) == 1


def _pair(layer: LayerSpec, fillers: Mapping[str, Any]) -> tuple[LayerSpec, LayerSpec]:
    options = dict(layer.options)
    if not options.get("use_global_stats", True):
        del options["use_global_stats"]  # NVIDIA's Caffe uses the statistics in phase TEST anyway
    if "eps" in options:
        options["eps"] = max(options["eps"], _LEAST_EPS)
    scale = LayerSpec(
        scale_of(layer.name),
        "Scale",
        layer.top,
        layer.top,
        {"bias_term": True, **fillers},
        # NVIDIA's Caffe ignores the written multipliers of both and uses 1.
        tuple(replace(each, lr_mult=1.0, decay_mult=1.0) for each in layer.param[3:5]),
        phase=layer.phase,
        include=layer.include,
        exclude=layer.exclude,
    )
    return replace(layer, options=options, param=layer.param[:3]), scale
