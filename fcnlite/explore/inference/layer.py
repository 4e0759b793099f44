"""One layer: its maps, filters, histograms and gradients, its formula, options and source."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.shapes import show
from fcnlite.errors import DataError, FcnliteError
from fcnlite.explore.inference.model import Model
from fcnlite.explore.inference.segmentation import scores_of
from fcnlite.explore.inference.session import Session
from fcnlite.layers import Layer

MAPS = 24
"""The number of maps and filters that are shown."""
SIDE = 96
"""The longest side of a small map, in values; larger ones show every n-th row and column."""
_BINS = 48
_PACKAGE = Path(__file__).parents[2]


def describe(session: Session, layer: str) -> dict[str, Any]:
    """Formula, options, parameters and source of a layer, without running it."""
    found = session.model.layer(layer)
    module = inspect.getmodule(type(found))
    return {
        "name": layer,
        "type": found.type,
        "bottoms": list(found.spec.bottom),
        "tops": list(found.spec.top),
        "formula": inspect.getdoc(module) or inspect.getdoc(type(found)) or "",
        "options": _options(found),
        "parameters": _parameters(session.model, layer),
        "source": _source(found),
    }


def _options(layer: Layer) -> list[dict[str, Any]]:
    """The options that have a value: those that the description sets first."""
    if not dataclasses.is_dataclass(layer.options):
        return []
    rows = []
    for each in dataclasses.fields(layer.options):
        value = getattr(layer.options, each.name)
        given = each.name in layer.spec.options
        if given or value not in (None, ()):
            rows.append({"name": each.name, "value": _shown(value), "given": given})
    return sorted(rows, key=lambda row: not row["given"])


def _shown(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        parts = ((each, getattr(value, each.name)) for each in dataclasses.fields(value))
        return ", ".join(f"{each.name} {part}" for each, part in parts if part != each.default) or "constant 0"
    if isinstance(value, tuple):
        shown = ", ".join(_shown(each) for each in value[:24])
        return shown if len(value) <= 24 else f"{shown}, … ({len(value)} values)"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parameters(model: Model, layer: str) -> list[dict[str, Any]]:
    if not model.net.sized:
        return []
    return [
        {
            "shape": show(each.array.shape),
            "lr_mult": each.lr_mult,
            "decay_mult": each.decay_mult,
            "histogram": histogram(each.array),
        }
        for each in model.net.params.get(layer, ())
    ]


def _source(layer: Layer) -> dict[str, Any] | None:
    """The file of the layer's class, named without the folder where fcnlite is installed, and the lines to look at."""
    try:
        path = Path(inspect.getfile(type(layer)))
        text = path.read_text(encoding="utf-8")
        lines = {"class": inspect.getsourcelines(type(layer))[1]}
        for name in ("forward", "backward"):
            method = getattr(type(layer), name)
            if Path(inspect.getfile(method)) == path:
                lines[name] = inspect.getsourcelines(method)[1]
    except (OSError, TypeError):
        return None
    inside = path.is_relative_to(_PACKAGE)
    file = f"fcnlite/{path.relative_to(_PACKAGE).as_posix()}" if inside else path.name
    return {"file": file, "lines": lines, "text": text}


def activations(session: Session, layer: str, top: int = 0) -> dict[str, Any]:
    """The maps of a layer's top on the open picture, those of the largest mean magnitude first, and its histogram."""
    maps = maps_of(session, layer, top)
    strength = np.abs(maps).mean(axis=(1, 2), dtype=np.float64)
    return {"shape": list(maps.shape), "histogram": histogram(maps), **_strongest(maps, strength)}


def maps_of(session: Session, layer: str, top: int = 0) -> Array:
    """The top of a layer on the open picture, C×H×W."""
    picture, model = session.picture, session.model
    if layer == model.input:
        return model.check_map(layer, model.blob(picture.image))
    tops = model.values(layer, picture.image, picture.number).tops
    _check_number(layer, "tops", top, len(tops))
    return model.check_map(layer, tops[top])


def _strongest(maps: Array, strength: Array) -> dict[str, Any]:
    """The strongest maps, small, with their numbers, strengths and extremes."""
    order = np.argsort(-strength, kind="stable")[:MAPS]
    step = max(1, -(-max(maps.shape[1:]) // SIDE))
    return {
        "index": order.astype(np.int32),
        "strength": strength[order],
        "low": maps[order].min(axis=(1, 2)),
        "high": maps[order].max(axis=(1, 2)),
        "step": step,
        "maps": np.ascontiguousarray(maps[order][:, ::step, ::step]),
    }


def plane(session: Session, layer: str, channel: int, bottom: int | None = None) -> dict[str, Any]:
    """One whole map: a channel of a layer's top, or of one of its bottoms."""
    picture, model = session.picture, session.model
    if bottom is None:
        maps = maps_of(session, layer)
    else:
        bottoms = model.values(layer, picture.image, picture.number).bottoms
        _check_number(layer, "bottoms", bottom, len(bottoms))
        maps = model.check_map(layer, bottoms[bottom])
    check_channel(layer, channel, len(maps))
    return {"values": np.ascontiguousarray(maps[channel], np.float32), "channels": len(maps)}


def check_channel(layer: str, channel: int, channels: int) -> None:
    """Raise `DataError` unless `channel` is one of `channels`."""
    _check_number(layer, "channels", channel, channels)


def _check_number(layer: str, what: str, given: int, count: int) -> None:
    if type(given) is not int or not 0 <= given < count:
        raise DataError(f"layer {layer!r} has {count} {what} here; expected a number from 0 to {count - 1}.")


def filters(session: Session, layer: str, output: int) -> dict[str, Any]:
    """The filter of one output: its slices by input channel, those of the largest magnitude first.

    The slices of a Deconvolution are those that write this output.
    """
    model = session.model
    found = model.layer(layer)
    parameters = model.net.params.get(layer, []) if model.net.sized else []
    if not parameters or parameters[0].array.ndim != 4:
        return {"maps": None}
    weight = parameters[0].array
    check_channel(layer, output, found.options.num_output)
    slices = weight_slices(found, weight, output)
    strength = np.abs(slices).sum(axis=(1, 2), dtype=np.float64)
    order = np.argsort(-strength, kind="stable")[:MAPS]
    first = first_channel(found, weight, output)
    bias = float(parameters[1].array[output]) if len(parameters) > 1 else None
    return {
        "maps": np.ascontiguousarray(slices[order], np.float32),
        "index": (order + first).astype(np.int32),
        "strength": strength[order],
        "channels": len(slices),
        "bias": bias,
    }


def weight_slices(layer: Layer, weight: Array, output: int) -> Array:
    """The part of a convolution's or deconvolution's weight that makes one output, input channels×KH×KW."""
    if layer.type != "Deconvolution":
        found: Array = weight[output]
        return found
    first = first_channel(layer, weight, output)
    per_group = len(weight) // layer.options.group
    outputs = layer.options.num_output // layer.options.group
    found = weight[first : first + per_group, output % outputs]
    return found


def first_channel(layer: Layer, weight: Array, output: int) -> int:
    """The first channel of the bottom that one output reads: with groups, that of its group."""
    part = output // (layer.options.num_output // layer.options.group)
    per_group = len(weight) // layer.options.group if layer.type == "Deconvolution" else weight.shape[1]
    return int(part * per_group)


def histogram(values: Array) -> dict[str, Any]:
    """Counts of the finite values in equal bins, with extremes, mean, standard deviation and the share of zeros."""
    finite = values[np.isfinite(values)] if not np.isfinite(values).all() else values
    if not finite.size:
        finite = np.zeros(1)
    low, high = float(finite.min()), float(finite.max())
    counts, _ = np.histogram(finite, bins=_BINS, range=(low, high) if high > low else (low - 0.5, low + 0.5))
    return {
        "low": low,
        "high": high,
        "counts": counts.astype(np.int32),
        "mean": float(finite.mean(dtype=np.float64)),
        "std": float(finite.std(dtype=np.float64)),
        "zeros": float(np.mean(finite == 0)),
        "count": int(values.size),
        "not_finite": int(values.size - np.isfinite(values).sum()),
    }


def gradients(session: Session, layer: str, of: int | None = None) -> dict[str, Any]:
    """The gradient at a layer's first top, and the size of its parameters' gradients.

    With a truth and without `of`, it is the gradient of the mean cross-entropy over the pixels that count; otherwise of
    the sum of the scores of class `of` over all pixels.
    """
    model, picture = session.model, session.picture
    head = model.head
    if head is None:
        raise DataError(f"gradients start from class scores, and {model.no_segmenter}")
    net, layers = model.by_layer
    top = model.input if layer == model.input else layers[model.layer(layer).spec.name].top[0]
    scores = scores_of(session)
    seed = np.zeros((1, *scores.shape), np.float32)
    if of is None:
        if picture.truth is None:
            raise DataError("gradients of the loss need a truth; drop one, or choose a class.")
        seed[0] = _cross_entropy_gradient(model, scores, picture.truth)
    else:
        check_channel(head.blob, of, len(scores))
        seed[0, of] = 1
    model.forward(net, picture.image, [head.blob], keep=[top, model.input])
    try:
        net.backward({head.blob: seed}, wrt=[top], frozen=True)
    except FcnliteError as error:
        raise DataError(f"the gradient does not reach layer {layer!r}: {error}") from error
    maps = model.check_map(layer, net.grads[top])
    strength = np.abs(maps).mean(axis=(1, 2), dtype=np.float64)
    own = net.params.get(layer, [])
    return {
        "shape": list(maps.shape),
        "histogram": histogram(maps),
        "parameters": [float(np.sqrt(np.sum(np.square(each.grad, dtype=np.float64)))) for each in own],
        **_strongest(maps, strength),
    }


def _cross_entropy_gradient(model: Model, scores: Array, truth: Array) -> Array:
    """The gradient of the mean cross-entropy at the scores: (p − 1 at the true class) / number of pixels that count."""
    assert model.segmenter is not None
    counts = truth != 255
    found = np.array(model.segmenter.softmax(scores), np.float32)
    rows, columns = np.nonzero(counts)
    found[truth[rows, columns], rows, columns] -= 1
    found *= counts / np.float32(max(1, counts.sum()))
    return found
