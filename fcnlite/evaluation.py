"""How well a net segments a data set."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TypeAlias

import numpy as np

from fcnlite.data import VOID, Dataset, epoch
from fcnlite.data.problems import Progress
from fcnlite.heads import check_fit
from fcnlite.metrics import Metrics
from fcnlite.metrics import confusion as confusion_of
from fcnlite.net import Net
from fcnlite.segmenter import Segmenter

Each: TypeAlias = Callable[[str, np.ndarray], None]
"""Is told the name of every picture and the confusion matrix of its first label map, in the order of the data set."""


def evaluate(net: Net | Segmenter, dataset: Dataset, progress: Progress | None = None) -> Metrics:
    """The four metrics of the paper over all pictures of `dataset`, each at its own size.

    Raises `DataError` where net and data set differ in pictures, labels or classes, and what `Segmenter` raises.
    """
    return Metrics.from_matrix(confusion(net, dataset, progress))


def confusion(
    net: Net | Segmenter, dataset: Dataset, progress: Progress | None = None, each: Each | None = None
) -> np.ndarray:
    """The (classes, classes) matrix of pixels by true (row) and predicted class (column), void left out.

    Of the first label map, where there are several. Raises as `evaluate` does.
    """
    return next(iter(confusions(net, dataset, progress, each).values()))


def confusions(
    net: Net | Segmenter, dataset: Dataset, progress: Progress | None = None, each: Each | None = None
) -> dict[str, np.ndarray]:
    """The confusion matrix of each label map, by the blob of the label. Raises as `evaluate` does."""
    segmenter = net if isinstance(net, Segmenter) else Segmenter(net)
    check_fit(segmenter.heads, segmenter.inputs, dataset)
    matrices = {name: np.zeros((len(labels.classes),) * 2, np.int64) for name, labels in dataset.labels.items()}
    with closing(epoch(dataset)) as samples:
        for done, sample in enumerate(samples, start=1):
            predicted = segmenter.label_maps(sample.images).values()
            # One label alone may be called otherwise by the net.
            for i, ((name, truth), prediction) in enumerate(zip(sample.labels.items(), predicted, strict=True)):
                matrix = confusion_of(truth, prediction, len(matrices[name]), VOID)
                matrices[name] += matrix
                if each is not None and i == 0:
                    each(sample.name, matrix)
            if progress is not None:
                progress(done, len(dataset))
    return matrices
