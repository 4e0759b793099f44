"""Measures how well a net segments a data set."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TypeAlias

import numpy as np

from fcnlite.data import VOID, Dataset, epoch
from fcnlite.data.problems import Progress, raise_if_any
from fcnlite.data.sample import Sample
from fcnlite.errors import DataError, FcnliteError
from fcnlite.net import Net
from fcnlite.ranks.communicator import ALONE, Communicator
from fcnlite.segmentation.boundaries import Boundaries
from fcnlite.segmentation.calibration import Calibration
from fcnlite.segmentation.class_matching import ClassMatch, match_classes
from fcnlite.segmentation.compatibility import check_compatible
from fcnlite.segmentation.metrics import Metrics
from fcnlite.segmentation.metrics import confusion as confusion_of
from fcnlite.segmentation.segmenter import Segmenter

OnPicture: TypeAlias = Callable[[str, np.ndarray], None]
"""Called with the name of each picture and the confusion matrix of its first label map, in the data set's order.

Each rank calls it for its own pictures: picture i is that of rank i modulo the number of ranks."""

BY_NUMBER = "if classes with equal numbers mean the same, give --classes-by-number (in Python: classes_by_number=True)"
"""The remedy for class names that do not match."""


def evaluate(
    net: Net | Segmenter, dataset: Dataset, progress: Progress | None = None, *, classes_by_number: bool = False
) -> Metrics:
    """Compute the four metrics of the FCN paper over all pictures of `dataset`, each at its own size.

    If net and data set have the same class names in another order, classes are matched by name, with a warning;
    `classes_by_number` ignores names. Raises `DataError` if net and data set differ in pictures, labels or classes, and
    the errors of `Segmenter`.
    """
    return Metrics.from_matrix(confusion(net, dataset, progress, classes_by_number=classes_by_number))


def confusion(
    net: Net | Segmenter,
    dataset: Dataset,
    progress: Progress | None = None,
    each: OnPicture | None = None,
    *,
    classes_by_number: bool = False,
    ranks: Communicator = ALONE,
) -> np.ndarray:
    """Count the pixels of the first label map by true class (row) and predicted class (column), without void.

    The (classes, classes) matrix has the class numbers of the data set. Classes are matched, and errors raised, as in
    `evaluate`. Several `ranks` share out the pictures, and all get the whole matrix.
    """
    found = confusions(net, dataset, progress, each, classes_by_number=classes_by_number, ranks=ranks)
    return next(iter(found.values()))


def confusions(
    net: Net | Segmenter,
    dataset: Dataset,
    progress: Progress | None = None,
    each: OnPicture | None = None,
    *,
    calibration: Calibration | None = None,
    boundaries: Boundaries | None = None,
    classes_by_number: bool = False,
    ranks: Communicator = ALONE,
) -> dict[str, np.ndarray]:
    """The confusion matrix of each label map, by blob; see `confusion`.

    `calibration` and `boundaries` count the first label map.

    A rank that meets an error ends its part; the others finish theirs, then all raise the errors.
    """
    segmenter = net if isinstance(net, Segmenter) else Segmenter(net)
    net_bands = segmenter.net.info.preprocessing.bands
    if dataset.bands and dataset.bands != net_bands:
        raise DataError(
            f"the net was trained on bands {', '.join(map(str, net_bands)) or 'of photographs'}, but the data set has "
            f"the option bands={','.join(map(str, dataset.bands))}; leave it out."
        )
    found = matches(segmenter, dataset, classes_by_number)
    for match in found:
        if match.remark:
            warnings.warn(match.remark, stacklevel=2)
    orders = [None if match.order is None else np.array(match.order, np.uint8) for match in found]
    matrices = {name: np.zeros((len(labels.classes),) * 2, np.int64) for name, labels in dataset.labels.items()}

    def count(samples: Iterable[Sample]) -> None:
        for done, sample in enumerate(samples, start=1):
            segmented = None if calibration is None else [*segmenter.segmented(sample.images).values()]
            if segmented is None:
                predicted = [*segmenter.label_maps(sample.images).values()]
            else:
                predicted = [part.labels for part in segmented]
            # The net may have another name for a single label map.
            compared = zip(sample.labels.items(), predicted, orders, strict=True)
            for i, ((name, truth), prediction, order) in enumerate(compared):
                numbers = prediction if order is None else order[prediction]
                if calibration is not None and segmented is not None and i == 0:
                    sure = segmented[0].probabilities
                    assert sure is not None
                    calibration.add(sure, numbers, truth)
                if boundaries is not None and i == 0:
                    boundaries.add(numbers, truth)
                matrix = confusion_of(truth, numbers, len(matrices[name]), VOID)
                matrices[name] += matrix
                if each is not None and i == 0:
                    each(sample.name, matrix)
            if progress is not None:
                progress(min(done * ranks.size, len(dataset)), len(dataset))

    with closing(epoch(dataset, range(ranks.rank, len(dataset), ranks.size))) as mine:
        together(ranks, lambda: count(mine))
    if calibration is not None:
        calibration.gather(ranks)
    if boundaries is not None:
        boundaries.gather(ranks)
    return {name: ranks.sum(matrix) for name, matrix in matrices.items()}


def together(ranks: Communicator, work: Callable[[], None]) -> None:
    """Call `work` on every rank; when all have ended, raise the errors that it raised on some, on all ranks.

    With one rank, its error is raised as it is; else a `DataError` lists the messages.
    """
    problem: FcnliteError | None = None
    try:
        work()
    except FcnliteError as error:
        problem = error
    problems = [each for each in ranks.gather(problem and str(problem)) if each is not None]
    if problem is not None and ranks.size == 1:
        raise problem
    if len(problems) == 1:
        raise DataError(problems[0])
    raise_if_any(f"{len(problems)} of {ranks.size} ranks did not finish", problems)


def matches(segmenter: Segmenter, dataset: Dataset, by_number: bool) -> list[ClassMatch]:
    """Match the classes of the net to those of each label map of the data set."""
    check_compatible(segmenter.heads, segmenter.inputs, dataset)
    data = f"data set {dataset.name!r}"
    return [
        match_classes(head, labels, whose="the net", other=data, remedy=BY_NUMBER, by_number=by_number)
        for head, labels in zip(segmenter.heads.values(), dataset.labels.values(), strict=True)
    ]
