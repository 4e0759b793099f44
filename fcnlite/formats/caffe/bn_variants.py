"""Tells SegNet's BN from PSPNet's by the weights, where a layer has no option that tells it.

SegNet's has two blobs, scale and shift; PSPNet's has four, slope, bias, mean and variance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fcnlite.arrays import Array
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.layers.forks.bn import PSPNET, SEGNET

_PSPNET_BLOBS = 4


def with_bn_variants(spec: NetSpec, weights: Mapping[str, Sequence[Array]]) -> NetSpec:
    """`spec`, where a BN without options that tell its fork is PSPNet's if it has four blobs in `weights`.

    `weights`: arrays by layer; those of a BN are 1×C×1×1.
    """

    def told(layer: LayerSpec) -> LayerSpec:
        open_ = layer.type == "BN" and not any(name in layer.options for name in (*SEGNET, *PSPNET))
        if not open_ or len(weights.get(layer.name, ())) != _PSPNET_BLOBS:
            return layer
        return replace(layer, options={**layer.options, "frozen": False})

    return replace(spec, layers=tuple(map(told, spec.layers)))
