"""The segmentation of the open picture: labels, probabilities, entropy, metrics, and the time of each layer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import DataError, FcnliteError
from fcnlite.explore.inference.session import Session
from fcnlite.segmentation import metrics


def scores_of(session: Session) -> Array:
    """The scores of the open picture, C×H×W, computed once. Raises `DataError` for a net that makes no label maps."""
    picture, segmenter = session.picture, session.model.segmenter
    if segmenter is None:
        raise DataError(f"this net makes no label maps: {session.model.no_segmenter}")
    if picture.scores is None:
        picture.scores = segmenter.scores(picture.image)
    return picture.scores


def segment(session: Session) -> dict[str, Any]:
    """The labels of the open picture, the time of each step of the net, and with a truth the metrics.

    The steps are those of the fast path, which computes several layers at once; the times are in milliseconds. Without
    labels, because of the net or because its scores are not finite, `problem` says why, and `top` lists the largest
    outputs.
    """
    picture, model = session.picture, session.model
    picture.scores = None
    steps: list[dict[str, Any]] = []

    def note(layers: Sequence[str], direction: str, seconds: float) -> None:
        steps.append({"layers": list(layers), "ms": 1e3 * seconds})

    began = time.perf_counter()
    if model.segmenter is None:
        top = _best(session)
        return _no_labels(model.no_segmenter, top, time.perf_counter() - began)
    model.net.timer = note
    try:
        scores = scores_of(session)
    except FcnliteError as error:
        return _no_labels(str(error), [], time.perf_counter() - began)
    finally:
        model.net.timer = None
    seconds = time.perf_counter() - began
    labels = scores.argmax(axis=0).astype(np.uint8)
    return {
        "labels": labels,
        "counts": np.bincount(labels.ravel(), minlength=len(scores)).astype(np.int32),
        "seconds": seconds,
        "steps": steps,
        "metrics": measured(labels, picture.truth, len(scores)),
    }


def _no_labels(problem: str, top: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    return {"labels": None, "problem": problem, "top": top, "seconds": seconds, "steps": [], "metrics": None}


def measured(labels: Array, truth: Array | None, classes: int) -> dict[str, Any] | None:
    """Pixel accuracy, mean IU and the IU of each class; None without a truth, or without a pixel that counts."""
    if truth is None or (truth == 255).all():
        return None
    found = metrics.Metrics.from_matrix(metrics.confusion(truth, labels, classes))
    return {
        "pixel_accuracy": metrics.number(found.pixel_accuracy),
        "mean_iu": metrics.number(found.mean_iu),
        "iu": [metrics.number(each) for each in found.iu],
    }


def entropy(session: Session) -> dict[str, Any]:
    """The entropy of each pixel's class probabilities, H×W float32, from 0 (certain) to 1 (all classes equal)."""
    scores = scores_of(session)
    assert session.model.segmenter is not None
    chances = session.model.segmenter.softmax(scores)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(chances > 0, -chances * np.log(chances), 0)
    found = terms.sum(axis=0) / np.log(len(scores))
    return {"entropy": found.astype(np.float32), "mean": float(found.mean())}


def probabilities(session: Session, row: int, column: int) -> dict[str, Any]:
    """The score and the probability of each class at a pixel, and its true class, if there is a truth."""
    scores = scores_of(session)
    here = pixel_of(scores, row, column)
    assert session.model.segmenter is not None
    chances = session.model.segmenter.softmax(here)
    truth = session.picture.truth
    return {
        "scores": here[:, 0, 0],
        "probabilities": chances[:, 0, 0],
        "truth": None if truth is None else int(truth[row, column]),
    }


def pixel_of(maps: Array, row: int, column: int) -> Array:
    """The values at one pixel of C×H×W, as C×1×1. Raises `DataError` for a pixel outside."""
    _, height, width = maps.shape
    if not (type(row) is type(column) is int and 0 <= row < height and 0 <= column < width):
        raise DataError(f"the pixel {row}, {column} is outside a picture of {height} rows and {width} columns.")
    found: Array = maps[:, row : row + 1, column : column + 1]
    return found


def _best(session: Session) -> list[dict[str, Any]]:
    """The largest outputs of a net that makes no label maps: for each output, its five largest values."""
    model = session.model
    made = model.net.forward({model.input: model.blob(session.picture.image)})
    best = []
    for name, values in made.items():
        flat = values.ravel()
        order = np.argsort(-flat)[:5]
        best.append({"blob": name, "index": [int(i) for i in order], "value": [float(flat[i]) for i in order]})
    return best
