"""Class balancing: rare classes count for more in the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fcnlite.data import Dataset
from fcnlite.data.problems import complain, survey
from fcnlite.errors import TrainingError
from fcnlite.spec import LayerSpec, NetSpec


def class_shares(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """The share of each class in the labelled pixels of `dataset`, float64; void is left out.

    Raises `DataError` for samples that cannot be read, and `TrainingError` where no pixel has a class.
    """
    classes = len(dataset.classes)

    def count(index: int) -> np.ndarray:
        return np.bincount(dataset[index].label.ravel(), minlength=256)[:classes]

    counts, problems = survey(count, range(len(dataset)), progress)
    complain(f"data set {dataset.name!r} ({dataset.split})", problems)
    total = np.sum(counts, axis=0, dtype=np.float64)
    if not total.any():
        raise TrainingError(f"data set {dataset.name!r} ({dataset.split}): no pixel has a class; check its labels.")
    return total / total.sum()


def class_weights(shares: np.ndarray, offset: float) -> list[float]:
    """1 / ln(offset + share) of each class (Paszke et al., ENet, 2016), scaled to a mean of 1 over the pixels.

    The scale keeps the loss, and with it the rate, what it is without weights.
    """
    weights = 1 / np.log(offset + shares)
    return (weights / (weights @ shares)).tolist()


def weighted(spec: NetSpec, weights: Sequence[float]) -> NetSpec:
    """`spec` with an InfogainLoss, these weights on its matrix's diagonal, for every softmax loss on `label`.

    Raises `TrainingError` where there is none.
    """
    matrix = np.diag(weights).ravel().tolist()

    def change(layer: LayerSpec) -> LayerSpec:
        if layer.type != "SoftmaxWithLoss" or layer.bottom[1] != "label":
            return layer
        options = {name: value for name, value in layer.options.items() if name != "engine"}
        return replace(layer, type="InfogainLoss", options={**options, "matrix": matrix})

    layers = tuple(map(change, spec.layers))
    if layers == spec.layers:
        raise TrainingError(
            f"--class-balance weighs the softmax loss on the input 'label', and net {spec.name!r} has none; "
            "leave it out."
        )
    return replace(spec, layers=layers)
