"""One pixel: what a position sees of the picture, why a class has its score, and what each skip adds to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.analysis import receptive_fields
from fcnlite.errors import DataError
from fcnlite.explore.inference.layer import check_channel
from fcnlite.explore.inference.segmentation import pixel_of, scores_of
from fcnlite.explore.inference.session import Session
from fcnlite.explore.inference.skips import cumulative, skips_of

SHARE = 0.9
"""The share of the gradient that the effective receptive field contains."""


def field(session: Session, layer: str, row: int, column: int) -> dict[str, Any]:
    """The receptive fields of the position of a layer's top that is nearest to a pixel.

    `nominal`: first and last row, first and last column of the pixels that can reach the position. `effective`: the
    size of the gradient of each pixel, H×W float32; `effective_pixels`: the number of pixels with the largest
    gradients that make up `SHARE` of their sum.
    """
    model, picture = session.model, session.picture
    net = model.net
    blob = net.layer(layer).spec.top[0]
    shape = model.shape(*picture.image.shape[:2])
    pixel_of(model.check_map(layer, model.blob(picture.image)), row, column)  # raises for a pixel outside
    place = receptive_fields.place(net.spec, blob)
    size = receptive_fields.blob_shape(net, blob, shape)
    position = (
        _nearest(place.rows.stride, place.rows.offset, row, size[2]),
        _nearest(place.columns.stride, place.columns.offset, column, size[3]),
    )
    mask = receptive_fields.predicted(net, blob, position, shape)
    found = receptive_fields.measured(net, blob, position, model.blob(picture.image))
    ordered = np.sort(found.ravel())[::-1].cumsum()
    total = float(ordered[-1])
    return {
        "blob": blob,
        "position": position,
        "size": size[2:],
        "stride": float(place.rows.stride),
        "nominal": receptive_fields.bounds(mask) if mask.any() else None,
        "nominal_pixels": int(mask.sum()),
        "field": float(place.rows.field),
        "effective": found.astype(np.float32),
        "effective_pixels": int(np.searchsorted(ordered, SHARE * total)) + 1 if total > 0 else 0,
        "share": SHARE,
    }


def _nearest(stride: Any, offset: Any, pixel: int, count: int) -> int:
    return int(min(max(round((pixel - offset) / stride), 0), count - 1))


def why(session: Session, row: int, column: int, of: int) -> dict[str, Any]:
    """The gradient of a class's score at a pixel, for each pixel of the picture: H×W, summed over channels.

    `magnitude` sums the absolute values. `effect` sums gradient × input: to first order, what the pixel contributes.
    """
    model, picture = session.model, session.picture
    head = model.head
    scores = scores_of(session)
    pixel_of(scores, row, column)
    assert head is not None
    check_channel(head.blob, of, len(scores))
    blob = model.blob(picture.image)
    seed = np.zeros((1, *scores.shape), np.float32)
    seed[0, of, row, column] = 1
    model.net.forward({model.input: blob}, outputs=[head.blob], keep=[model.input])
    model.net.backward({head.blob: seed}, wrt=[model.input])
    gradient = model.net.grads[model.input][0]
    return {
        "score": float(scores[of, row, column]),
        "magnitude": np.abs(gradient).sum(axis=0, dtype=np.float32),
        "effect": (gradient * blob[0]).sum(axis=0, dtype=np.float32),
    }


def contributions(session: Session, row: int, column: int) -> dict[str, Any]:
    """What each skip adds to each class's score at a pixel: the scores with it less those without it and finer ones.

    `parts` is skips×classes; its sum over the skips is `scores`, the net's own.
    """
    scores = scores_of(session)
    pixel_of(scores, row, column)
    skips = skips_of(session.model)
    if len(skips) < 2:
        raise DataError("this net adds no skips to its scores: its score comes from one place.")
    sums = cumulative(session)[:, :, row, column]
    return {
        "skips": [{"blob": each.blob, "layer": each.layer, "stride": float(each.stride)} for each in skips],
        "parts": np.diff(sums, axis=0, prepend=0).astype(np.float32),
        "scores": scores[:, row, column],
    }
