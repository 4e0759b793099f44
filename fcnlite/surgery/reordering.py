"""Weights for the same classes in another order: the channels of the scores permuted, and the layers before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.errors import SpecError
from fcnlite.layers import Layer
from fcnlite.net import Net
from fcnlite.surgery.transplanting import Weights

_EACH_CHANNEL_ALIKE = frozenset(
    [
        "AbsVal",
        "Dropout",
        "ELU",
        "Exp",
        "Log",
        "Pooling",
        "Power",
        "ReLU",
        "Sigmoid",
        "Split",
        "TanH",
        "Crop",
        "Eltwise",
        "Softmax",
    ]
)
"""Types without parameters that treat all channels alike: permuted bottoms give permuted tops."""
_MEASURES = frozenset(("Accuracy", "ArgMax", "Silence"))
"""Types that read scores but do not change them."""


@dataclass
class ScorePath:
    """The layers whose output channels are the classes of a score blob."""

    layers: set[str] = field(default_factory=set)
    """Their names."""
    axes: dict[str, list[tuple[int, ...]]] = field(default_factory=dict)
    """For each of them with parameters, the axes of each parameter that run over classes."""


def score_path(net: Net, blob: str, pictures: Mapping[str, Shape]) -> ScorePath:
    """The layers to permute so that the channels of `blob` are permuted and nothing else changes.

    Raises `SpecError`, which names the layer, if a layer between the classes and `blob` does not allow that.
    """
    steps = net.shapes(dict(pictures))
    path = ScorePath()
    wanted = {blob}
    for layer, bottoms, tops in reversed(steps):
        if not wanted.intersection(layer.spec.top):
            continue
        reads = _permute(path, layer, bottoms, tops)
        path.layers.add(layer.spec.name)
        wanted -= set(layer.spec.top)
        wanted |= {layer.spec.bottom[i] for i in reads}
    if wanted:
        raise SpecError(f"the scores {blob!r} depend on the input {min(wanted)!r}, whose channels are not classes.")
    _check_readers(steps, path)
    _check_sharers(net, path)
    return path


def reordered(weights: Weights, path: ScorePath, order: Sequence[int]) -> dict[str, list[Array]]:
    """`weights` with class k at position `order[k]`: the same scores in another order."""
    source = np.argsort(order)
    result = {name: list(arrays) for name, arrays in weights.items()}
    for name, axes in path.axes.items():
        for i, array in enumerate(result.get(name, ())):
            for axis in axes[i] if i < len(axes) else ():
                array = np.take(array, source, axis)
            result[name][i] = np.asarray(array)
    return result


def scoring_layers(net: Net, blob: str, pictures: Mapping[str, Shape]) -> set[str]:
    """The score and upsampling layers of `blob`: those that it depends on and that output one channel a class."""
    steps = net.shapes(dict(pictures))
    count = next(tops[layer.spec.top.index(blob)][1] for layer, _, tops in reversed(steps) if blob in layer.spec.top)
    found: set[str] = set()
    wanted = {blob}
    for layer, _, _ in reversed(steps):
        if wanted.intersection(layer.spec.top):
            wanted |= set(layer.spec.bottom)
            if layer.spec.options.get("num_output") == count:
                found.add(layer.spec.name)
    return found


def _permute(path: ScorePath, layer: Layer, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> list[int]:
    """Add the layer's axes to `path`, so that its tops are permuted; return the bottoms that must be permuted too."""
    kind, name, count = layer.type, layer.spec.name, tops[0][1] if len(tops[0]) > 1 else 0
    options = layer.options
    refused = SpecError(f"layer {name!r} ({kind}) mixes channels, so the classes below it cannot be reordered.")
    if kind in ("Convolution", "Deconvolution"):
        inputs, group = bottoms[0][1], options.group
        # Each channel has its own filter, which moves with it.
        if group == inputs == count and count > 1:
            path.axes[name] = [(0,), (0,)]
            return [0]
        if group != 1:
            raise refused
        if kind == "Convolution":
            path.axes[name] = [(0,), (0,)]
            return []
        # Upsampling of each class stays as it is, such as bilinear, if its inputs are permuted too.
        path.axes[name] = [(0, 1), (0,)] if inputs == count else [(1,), (0,)]
        return [0] if inputs == count else []
    if kind in _EACH_CHANNEL_ALIKE:
        if getattr(options, "axis", 2 if kind == "Crop" else 1) not in ((2, 3) if kind == "Crop" else (1,)):
            raise refused
        return [0] if kind == "Crop" else list(range(len(bottoms)))
    if kind == "BatchNorm":
        path.axes[name] = [(0,), (0,), ()]
        return [0]
    if kind in ("Scale", "Bias", "PReLU"):
        if len(bottoms) != 1 or getattr(options, "axis", 1) != 1 or getattr(options, "num_axes", 1) != 1:
            raise refused
        shared = getattr(options, "channel_shared", False)
        path.axes[name] = [() if shared else (0,), (0,)]
        return [0]
    raise refused


def _check_readers(steps: Sequence[tuple[Layer, list[Shape], list[Shape]]], path: ScorePath) -> None:
    """Refuse a layer outside the path that computes with permuted blobs."""
    permuted: set[str] = set()
    for layer, _, _ in steps:
        if layer.spec.name in path.layers:
            permuted |= set(layer.spec.top)
            continue
        reads = {blob for i, blob in enumerate(layer.spec.bottom) if i not in layer.no_gradient}
        harmless = layer.is_loss or layer.type in _MEASURES
        follows = layer.type == "Softmax" and layer.options.axis == 1
        if permuted & reads and not harmless and not follows:
            raise SpecError(f"layer {layer.spec.name!r} ({layer.type}) computes with class scores, which would change.")
        if permuted & reads and follows:
            permuted |= set(layer.spec.top)
        else:
            permuted -= set(layer.spec.top)


def _check_sharers(net: Net, path: ScorePath) -> None:
    """Refuse a parameter that a layer of the path shares with another layer."""
    names: dict[str, set[str]] = {}
    for layer in net.layers:
        for param in layer.spec.param:
            if param.name:
                names.setdefault(param.name, set()).add(layer.spec.name)
    for name, sharers in names.items():
        if path.axes.keys() & sharers and len(sharers) > 1:
            raise SpecError(f"the layers {', '.join(sorted(sharers))} share the parameter {name!r}.")
