"""How well a net segments a data set."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import closing
from typing import TypeAlias

import numpy as np

from fcnlite.data import VOID, Dataset, epoch
from fcnlite.data.problems import Progress
from fcnlite.errors import DataError
from fcnlite.net import Net
from fcnlite.segmentation.class_matching import ClassMatch, match_classes
from fcnlite.segmentation.compatibility import check_compatible
from fcnlite.segmentation.metrics import Metrics
from fcnlite.segmentation.metrics import confusion as confusion_of
from fcnlite.segmentation.segmenter import Segmenter

Each: TypeAlias = Callable[[str, np.ndarray], None]
"""Is told the name of every picture and the confusion matrix of its first label map, in the order of the data set."""

BY_NUMBER = "if class 0 of both means the same, and so on, give --classes-by-number (in Python: classes_by_number=True)"
"""The way out where class names do not match."""


def evaluate(
    net: Net | Segmenter, dataset: Dataset, progress: Progress | None = None, *, classes_by_number: bool = False
) -> Metrics:
    """The four metrics of the paper over all pictures of `dataset`, each at its own size.

    Classes are matched by name where net and data set have the same names in another order, and a warning says so;
    `classes_by_number` compares no names. Raises `DataError` where net and data set differ in pictures, labels or
    classes, and what `Segmenter` raises.
    """
    return Metrics.from_matrix(confusion(net, dataset, progress, classes_by_number=classes_by_number))


def confusion(
    net: Net | Segmenter,
    dataset: Dataset,
    progress: Progress | None = None,
    each: Each | None = None,
    *,
    classes_by_number: bool = False,
) -> np.ndarray:
    """The (classes, classes) matrix of pixels by true (row) and predicted class (column), void left out.

    The classes have the data set's numbers. Of the first label map, where there are several. Matches classes and
    raises as `evaluate` does.
    """
    return next(iter(confusions(net, dataset, progress, each, classes_by_number=classes_by_number).values()))


def confusions(
    net: Net | Segmenter,
    dataset: Dataset,
    progress: Progress | None = None,
    each: Each | None = None,
    *,
    classes_by_number: bool = False,
) -> dict[str, np.ndarray]:
    """The confusion matrix of each label map, by the blob of the label. Matches classes and raises as `evaluate`."""
    segmenter = net if isinstance(net, Segmenter) else Segmenter(net)
    fed = segmenter.net.info.preprocessing.bands
    if dataset.bands and dataset.bands != fed:
        raise DataError(
            f"the net was trained on bands {', '.join(map(str, fed)) or 'of photographs'}, and the data set is asked "
            f"for bands={','.join(map(str, dataset.bands))}; leave bands out."
        )
    matches = _matches(segmenter, dataset, classes_by_number)
    for match in matches:
        if match.remark:
            warnings.warn(match.remark, stacklevel=2)
    orders = [None if match.order is None else np.array(match.order, np.uint8) for match in matches]
    matrices = {name: np.zeros((len(labels.classes),) * 2, np.int64) for name, labels in dataset.labels.items()}
    with closing(epoch(dataset)) as samples:
        for done, sample in enumerate(samples, start=1):
            predicted = segmenter.label_maps(sample.images).values()
            # One label alone may be called otherwise by the net.
            compared = zip(sample.labels.items(), predicted, orders, strict=True)
            for i, ((name, truth), prediction, order) in enumerate(compared):
                numbers = prediction if order is None else order[prediction]
                matrix = confusion_of(truth, numbers, len(matrices[name]), VOID)
                matrices[name] += matrix
                if each is not None and i == 0:
                    each(sample.name, matrix)
            if progress is not None:
                progress(done, len(dataset))
    return matrices


def _matches(segmenter: Segmenter, dataset: Dataset, by_number: bool) -> list[ClassMatch]:
    """How the net's classes correspond to those of each label of the data set."""
    check_compatible(segmenter.heads, segmenter.inputs, dataset)
    data = f"data set {dataset.name!r}"
    return [
        match_classes(head, labels, whose="the net", other=data, remedy=BY_NUMBER, by_number=by_number)
        for head, labels in zip(segmenter.heads.values(), dataset.labels.values(), strict=True)
    ]
