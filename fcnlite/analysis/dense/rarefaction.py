"""Filter rarefaction, or à trous: a net's dense scores from one without strides (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fcnlite.analysis.dense.part import DensePart, Pair, windows_of
from fcnlite.arrays import Array
from fcnlite.description.spec import LayerSpec, NetSpec, ParamSpec
from fcnlite.engine.parameter import Parameter
from fcnlite.errors import SpecError
from fcnlite.layers.base import Layer
from fcnlite.net import Net

_FIXED = (ParamSpec(lr_mult=0, decay_mult=0),)
_MOVED = ("stride", "stride_h", "stride_w", "pad", "pad_h", "pad_w", "dilation")
"""The options that rarefaction replaces."""


def rarefy(net: Net, *, output: str | None = None) -> Net:
    """The net up to the blob `output` with strides of 1 and filters rarefied by the strides of their bottoms.

    After a stride of s, a filter reads every s-th pixel, f'_ij = f_(i/s, j/s) if s divides i and j, else 0; that is the
    same filter with s times the dilation, and s times the pad. The new net shares the filters with `net`.

    A pooling over a blob of stride s must skip pixels too, and Pooling has no dilation. An average becomes a dilated
    convolution of each channel with a constant filter. A maximum becomes the Eltwise maximum of shifted copies, first
    along rows, then along columns; a convolution of each channel with a filter of a single 1 makes each copy. In the
    pad of such a maximum are zeros, which Pooling ignores; there is no difference after a ReLU.

    `output`: by default the net's only output without labels. The output has the size that the strides and pads give,
    for a picture of H rows H + 2·(all pads) − field + 1; `unpadded` relates it to the picture. `SpecError` names a
    layer that is none of convolution, pooling and elementwise layers.
    """
    net = net if net.phase == "TEST" else net.share()
    part = DensePart.of(net, output)
    given = next(layer.spec for layer in net.layers if not layer.spec.bottom and part.input in layer.spec.top)
    params: dict[str, list[Parameter]] = {}
    layers = [_input(given, part.input)]
    channels = {part.input: _channels(given, part, net)}
    for layer, below in zip(part.layers, part.below, strict=True):
        spec = layer.spec
        tops = layer.top_shapes(*((1, channels[name], *_FITTING) for name in spec.bottom))
        if layer.type == "Pooling" and any(
            stride > 1 and window.size > 1 for stride, window in zip(below, windows_of(layer), strict=True)
        ):
            added, fixed = _pooling(layer, below, channels[spec.bottom[0]], net.dtype)
            layers += added
            params.update(fixed)
        else:
            layers.append(_dilated(layer, below) if layer.type in ("Convolution", "Pooling") else spec)
            if spec.name in net.params:
                params[spec.name] = net.params[spec.name]
        channels.update({name: shape[1] for name, shape in zip(spec.top, tops, strict=True)})
    return Net(
        NetSpec(f"{net.spec.name}-rarefied", tuple(layers)),
        path=net.path,
        dtype=net.dtype.name,
        seed=net.seed,
        low_memory=net.low_memory,
        info=net.info,
        shared=params,
    )


_FITTING = (1 << 20, 1 << 20)
"""A size of pictures into which every window fits, to infer channels."""


def _input(given: LayerSpec, name: str) -> LayerSpec:
    """An input called `name` of any size: a rarefied net may not fit into the size that `given` describes."""
    return LayerSpec(given.name, "Input", top=(name,))


def _channels(given: LayerSpec, part: DensePart, net: Net) -> int:
    """The channels of the picture: as described, or as the first convolution's filters have them."""
    for layer in part.layers:
        if layer.type == "Convolution" and layer.spec.bottom[0] == part.input:
            return int(net.params[layer.spec.name][0].shape[1] * layer.options.group)
    index = given.top.index(part.input)
    shapes = next(layer for layer in net.layers if layer.spec is given).top_shapes()
    if not shapes:
        raise SpecError(
            f"the description gives no shape for input {part.input!r}; add `input_param {{ shape {{ dim: ... }} }}`."
        )
    return int(shapes[index][1])


def _dilated(layer: Layer, below: Pair) -> LayerSpec:
    """The layer with stride 1, and with pad and dilation multiplied by the stride of its bottom."""
    windows = windows_of(layer)
    options: dict[str, Any] = {key: value for key, value in layer.spec.options.items() if key not in _MOVED}
    pads = [window.pad * stride for window, stride in zip(windows, below, strict=True)]
    if layer.type == "Pooling":
        options.update(pad_h=pads[0], pad_w=pads[1])
    else:
        options.update(pad=pads, dilation=[w.dilation * stride for w, stride in zip(windows, below, strict=True)])
    return replace(layer.spec, options=options)


def _pooling(
    layer: Layer, below: Pair, channels: int, dtype: np.dtype[Any]
) -> tuple[list[LayerSpec], Mapping[str, list[Parameter]]]:
    """The layers, and their fixed filters, that pool over every s-th pixel."""
    windows, spec = windows_of(layer), layer.spec
    layers: list[LayerSpec] = []
    params: dict[str, list[Parameter]] = {}

    def filtered(name: str, bottom: str, top: str, taps: Array, axes: tuple[bool, bool]) -> None:
        """Add the dilated convolution of each channel with `taps`, with the pads of these axes."""
        pads = [w.pad * stride if on else 0 for w, stride, on in zip(windows, below, axes, strict=True)]
        options = {
            "num_output": channels,
            "group": channels,
            "bias_term": False,
            "kernel_h": taps.shape[0],
            "kernel_w": taps.shape[1],
            "pad": pads,
            "dilation": list(below),
        }
        layers.append(LayerSpec(name, "Convolution", (bottom,), (top,), options, _FIXED))
        weight = np.broadcast_to(taps.astype(dtype), (channels, 1, *taps.shape)).copy()
        params[name] = [Parameter(weight, lr_mult=0, decay_mult=0)]

    sizes = windows[0].size, windows[1].size
    if layer.options.pool == "AVE":
        filtered(spec.name, spec.bottom[0], spec.top[0], np.full(sizes, 1 / (sizes[0] * sizes[1])), (True, True))
        return layers, params
    bottom = spec.bottom[0]
    along = [axis for axis in (0, 1) if sizes[axis] > 1]
    for axis in along:
        copies = []
        for k, one in enumerate(np.eye(sizes[axis])):
            copies.append(f"{spec.name}_{('row', 'column')[axis]}{k}")
            filtered(copies[-1], bottom, copies[-1], one[:, None] if axis == 0 else one[None], (axis == 0, axis == 1))
        last = axis == along[-1]
        name, top = (spec.name, spec.top[0]) if last else (f"{spec.name}_rows", f"{spec.name}_rows")
        layers.append(LayerSpec(name, "Eltwise", tuple(copies), (top,), {"operation": "MAX"}))
        bottom = top
    return layers, params
