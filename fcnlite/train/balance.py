"""Class balancing: rare classes get larger weights in the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fcnlite.data import Dataset
from fcnlite.data.dataset import Progress
from fcnlite.data.problems import raise_if_any, try_all
from fcnlite.data.statistics import Statistics
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import TrainingError


def balanced(spec: NetSpec, dataset: Dataset, offset: float, progress: Progress | None = None) -> NetSpec:
    """`spec` with losses that weight the classes of each label by their shares of the pixels of `dataset`.

    Raises what `class_shares` and `weighted` raise.
    """
    shares = class_shares(dataset, progress)
    return weighted(spec, {label: class_weights(each, offset) for label, each in shares.items()})


def class_shares(dataset: Dataset, progress: Progress | None = None) -> dict[str, np.ndarray]:
    """The share of each class in the labelled pixels of `dataset`, float64, by label map; void is left out.

    Reads the samples, unless `dataset.statistics` has counted all of them. Raises `DataError` for samples that cannot be
    read, and `TrainingError` where no pixel has a class.
    """
    where = f"data set {dataset.name!r} ({dataset.split})"

    statistics = dataset.statistics
    if not statistics.covers(range(len(dataset))):
        statistics = Statistics()
        _, problems = try_all(lambda index: statistics.add(index, dataset[index]), range(len(dataset)), progress)
        raise_if_any(where, problems)
    shares = {}
    for name, labels in dataset.labels.items():
        total = statistics.counts(name)[: len(labels.classes)].astype(np.float64)
        if not total.any():
            raise TrainingError(f"{where}: no pixel of {name!r} has a class; check its labels.")
        shares[name] = total / total.sum()
    return shares


def class_weights(shares: np.ndarray, offset: float) -> list[float]:
    """1 / ln(offset + share) of each class (Paszke et al., ENet, 2016), scaled to a mean of 1 over the pixels.

    The scaling keeps the magnitude of the loss, and so the suitable learning rate, of a loss without weights.
    """
    weights = 1 / np.log(offset + shares)
    return (weights / (weights @ shares)).tolist()


def weighted(spec: NetSpec, weights: Mapping[str, Sequence[float]]) -> NetSpec:
    """`spec` with each softmax loss on a label in `weights` replaced by an InfogainLoss.

    The weights are the diagonal of its matrix. Raises `TrainingError` where a label has no softmax loss.
    """
    found: set[str] = set()

    def change(layer: LayerSpec) -> LayerSpec:
        if layer.type != "SoftmaxWithLoss" or layer.bottom[1] not in weights:
            return layer
        found.add(layer.bottom[1])
        options = {name: value for name, value in layer.options.items() if name != "engine"}
        matrix = np.diag(weights[layer.bottom[1]]).ravel().tolist()
        return replace(layer, type="InfogainLoss", options={**options, "matrix": matrix})

    layers = tuple(map(change, spec.layers))
    for label in weights:
        if label not in found:
            raise TrainingError(
                f"--class-balance weights softmax losses, and net {spec.name!r} has none on the label {label!r}; "
                "leave it out."
            )
    return replace(spec, layers=layers)
