"""The skips of an FCN: its scores cut after each of them, from coarse to fine, and the kernels of its upsampling.

Upsampling, crops and sums alone lead from the scores of each skip to the score of every pixel. This part of the net,
the tail, runs here by itself, with some skips at zero. From an FCN-8s it makes the scores of an FCN-32s and an FCN-16s
with the same weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.fillers import bilinear_kernel
from fcnlite.description.shapes import placements
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import DataError
from fcnlite.explore.inference.layer import weight_slices
from fcnlite.explore.inference.model import Model
from fcnlite.explore.inference.segmentation import measured, scores_of
from fcnlite.explore.inference.session import Session
from fcnlite.layers import links
from fcnlite.layers.deconvolution import Deconvolution
from fcnlite.net import Net


@dataclass(frozen=True)
class Skip:
    """The scores that one skip adds."""

    blob: str
    layer: str
    """The layer that makes them."""
    stride: Fraction


def _is_linear(layer: LayerSpec) -> bool:
    """Whether a layer adds, moves or upsamples scores."""
    return layer.type in ("Deconvolution", "Crop", "Split", "Dropout") or (
        layer.type == "Eltwise" and layer.options.get("operation", "SUM") == "SUM"
    )


def tail(model: Model) -> tuple[list[LayerSpec], list[str], list[str]]:
    """The layers of the tail, the blobs that are the skips' scores, and those that give sizes to crops only."""
    if model.head is None:
        raise DataError(f"this net makes no label maps: {model.no_segmenter}")
    _, layers = model.by_layer
    kept: list[LayerSpec] = []
    wanted, references = {model.head.blob}, set()
    for layer in reversed(layers.values()):
        if not wanted.intersection(layer.top) or not _is_linear(layer):
            continue
        kept.append(layer)
        wanted.difference_update(layer.top)
        if layer.type == "Crop":
            wanted.add(layer.bottom[0])
            references.add(layer.bottom[1])
        else:
            wanted.update(layer.bottom)
    made = {top for layer in kept for top in layer.top}
    return kept[::-1], sorted(wanted - made), sorted(references - wanted - made)


def skips_of(model: Model) -> list[Skip]:
    """The skips, from coarse to fine."""
    net, layers = model.by_layer
    _, blobs, _ = tail(model)
    known = placements(links(net.spec.for_phase("TEST"), 0))
    maker = {top: layer.name for layer in layers.values() for top in layer.top}
    found = [Skip(blob, maker[blob], known[blob][1].stride) for blob in blobs if blob in known]
    return sorted(found, key=lambda each: -each.stride)


def cumulative(session: Session) -> Array:
    """The scores with the first skip alone, with the first two, and so on: skips×C×H×W."""
    model, picture = session.model, session.picture
    layers, blobs, references = tail(model)
    skips = [each.blob for each in skips_of(model)]
    assert model.head is not None
    net, _ = model.by_layer
    names = [each for each in (*blobs, *references) if each != model.input]
    values = model.forward(net, picture.image, names)
    if model.input in (*blobs, *references):
        values[model.input] = model.blob(picture.image)
    inputs = tuple(LayerSpec(f"input {name}", "Input", (), (name,)) for name in values)
    names_of_tail = {layer.name for layer in layers}
    shared = {name: each for name, each in model.net.params.items() if name in names_of_tail}
    part = Net(NetSpec("tail", (*inputs, *layers)), shared=shared)
    found = []
    for count in range(1, len(skips) + 1):
        fed = {
            name: each if name in (*skips[:count], *references) else np.zeros_like(each)
            for name, each in values.items()
        }
        found.append(part.forward(fed, outputs=[model.head.blob])[model.head.blob][0])
    return np.stack(found)


def cuts(session: Session) -> dict[str, Any]:
    """The label maps of the scores cut after each skip, from coarse to fine, with their metrics if there is a truth."""
    skips = skips_of(session.model)
    classes = len(scores_of(session))
    found = cumulative(session) if len(skips) > 1 else scores_of(session)[None]
    labels = found.argmax(axis=1).astype(np.uint8)
    truth = session.picture.truth
    return {
        "skips": [{"blob": each.blob, "layer": each.layer, "stride": float(each.stride)} for each in skips],
        "labels": labels,
        "metrics": [measured(each, truth, classes) for each in labels],
        "changed": [0.0, *(float(np.mean(a != b)) for a, b in pairwise(labels))],
    }


def kernels(session: Session) -> dict[str, Any]:
    """The kernel of each Deconvolution, from channel 0 to output 0, beside the bilinear one.

    `difference`: the largest difference from the bilinear kernel, over the kernels from each channel to the output of
    the same number. `others`: the largest weight between different channels, which interpolation does not have.
    """
    model = session.model
    net, _ = model.by_layer
    found = []
    for layer in net.layers:
        if not isinstance(layer, Deconvolution):
            continue
        name = layer.spec.name
        parameter = net.params[name][0]
        rows, columns = parameter.array.shape[2:]
        each = [weight_slices(layer, parameter.array, output) for output in range(layer.options.num_output)]
        own = [slices[output % len(slices)] for output, slices in enumerate(each)]
        others = [
            float(np.abs(np.delete(slices, output % len(slices), axis=0)).max())
            for output, slices in enumerate(each)
            if len(slices) > 1
        ]
        bilinear = bilinear_kernel(rows) if rows == columns else None
        found.append(
            {
                "layer": name,
                "stride": layer.geometry.rows.stride,
                "lr_mult": parameter.lr_mult,
                "kernel": np.ascontiguousarray(own[0], np.float32),
                "bilinear": None if bilinear is None else bilinear.astype(np.float32),
                "difference": None
                if bilinear is None
                else float(max(np.abs(kernel - bilinear.astype(np.float32)).max() for kernel in own)),
                "others": max(others, default=0.0),
            }
        )
    return {"kernels": found}
