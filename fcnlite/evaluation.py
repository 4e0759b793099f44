"""How well a net segments a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fcnlite.data.dataset import VOID, Dataset
from fcnlite.errors import DataError
from fcnlite.metrics import Metrics, confusion_matrix
from fcnlite.net import Net
from fcnlite.segmenter import Segmenter

Progress = Callable[[int, int], None]
"""Called after each picture with the number done and the number of all."""


def evaluate(net: Net | Segmenter, dataset: Dataset, progress: Progress | None = None) -> Metrics:
    """The four metrics of the paper over all pictures of `dataset`, each at its own size.

    Raises `DataError` where net and data set differ in the number of classes, and what `Segmenter` raises.
    """
    return Metrics.from_matrix(confusion(net, dataset, progress))


def confusion(net: Net | Segmenter, dataset: Dataset, progress: Progress | None = None) -> np.ndarray:
    """The (classes, classes) matrix of pixels by true (row) and predicted class (column), void left out.

    Raises as `evaluate` does.
    """
    segmenter = net if isinstance(net, Segmenter) else Segmenter(net)
    count = len(dataset.classes)
    if len(segmenter.classes) != count:
        raise DataError(
            f"the net scores {len(segmenter.classes)} classes, but data set {dataset.name!r} has {count} "
            f"({', '.join(dataset.classes[:4])}{', ...' if count > 4 else ''}); "
            "give the data that the net was trained for."
        )

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for index in range(len(dataset)):
            sample = dataset[index]
            yield sample.label, segmenter(sample.image)
            if progress is not None:
                progress(index + 1, len(dataset))

    return confusion_matrix(pairs(), count, VOID)
