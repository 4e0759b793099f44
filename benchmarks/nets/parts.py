"""Layers that several of the nets have in the same form."""

from __future__ import annotations

from typing import Any

from fcnlite.description.spec import LayerSpec
from fcnlite.models.builder import Builder

MSRA = {"type": "msra"}


def convolution(
    net: Builder,
    name: str,
    bottom: str,
    count: int,
    size: tuple[int, int] = (3, 3),
    *,
    stride: int = 1,
    dilation: int = 1,
    pad: bool = True,
    group: int = 1,
    bias: bool = True,
) -> str:
    """Add a convolution; `pad` keeps the size at stride 1."""
    options: dict[str, Any] = {"num_output": count, "kernel_size": list(size), "weight_filler": MSRA}
    if pad and size != (1, 1):
        options["pad"] = [(each - 1) * (dilation if each > 1 else 1) // 2 for each in size]
    if stride > 1:
        options["stride"] = [stride]
    if dilation > 1:
        options["dilation"] = [dilation]
    if group > 1:
        options["group"] = group
    if not bias:
        options["bias_term"] = False
    return net.add(name, "Convolution", bottom, **options)


def normalized(net: Builder, name: str, bottom: str, factor: float = 1.0) -> str:
    """Add a BatchNorm and a Scale by `factor` with a shift, in place."""
    net.add(f"{name}/bn", "BatchNorm", bottom, top=bottom)
    filler = {"type": "constant", "value": factor}
    return net.add(f"{name}/scale", "Scale", bottom, top=bottom, filler=filler, bias_term=True)


def activated(
    net: Builder, name: str, bottom: str, count: int, size: tuple[int, int] = (3, 3), kind: str = "ReLU", **how: Any
) -> str:
    """Add a convolution without a bias, its BatchNorm and Scale, and a rectifier of the type `kind`, in place."""
    top = normalized(net, name, convolution(net, name, bottom, count, size, bias=False, **how))
    return net.add(f"{name}/{kind.lower()}", kind, top, top=top)


def deconvolution(net: Builder, name: str, bottom: str, count: int, size: int = 2, bias: bool = True) -> str:
    """Add a learned deconvolution that doubles the size; `size` is even."""
    options = {"num_output": count, "kernel_size": [size], "stride": [2], "weight_filler": MSRA, "bias_term": bias}
    if size > 2:
        options["pad"] = [size // 2 - 1]
    return net.add(name, "Deconvolution", bottom, **options)


def pooled_with_places(net: Builder, name: str, bottom: str) -> tuple[str, str]:
    """Add a 2×2 max pooling; returns its top and the places of the maxima, which Upsample reads."""
    places = f"{name}/places"
    net.layers.append(
        LayerSpec(name, "Pooling", (bottom,), (name, places), {"pool": "MAX", "kernel_size": 2, "stride": 2})
    )
    return name, places
