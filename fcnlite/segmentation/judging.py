"""All that is measured of one net on a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.data.problems import Progress
from fcnlite.ranks.communicator import Communicator
from fcnlite.segmentation.bootstrap import Figures, drawings
from fcnlite.segmentation.boundaries import Boundaries
from fcnlite.segmentation.calibration import Calibration
from fcnlite.segmentation.evaluation import confusions
from fcnlite.segmentation.objects import ObjectScore, object_scores
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.segmentation.views import Views


class Picture(NamedTuple):
    """The confusion matrix of a picture, of its first label map."""

    name: str
    matrix: Array


@dataclass(frozen=True)
class Judgement:
    """What was measured of one net."""

    weights: str
    """The weight file, as given."""
    views: Views
    matrices: Mapping[str, Array]
    """The confusion matrix of each label map."""
    pictures: Sequence[Picture]
    """In the order of the data set."""
    calibration: Calibration | None
    boundaries: Boundaries | None
    objects: Mapping[str, ObjectScore]
    drawings: Figures | None
    """The figures of the bootstrap; None if intervals were not asked for."""


def judge(
    weights: str,
    segmenter: Segmenter,
    dataset: Dataset,
    progress: Callable[[], AbstractContextManager[Progress]],
    *,
    calibrated: bool,
    with_boundaries: bool,
    intervals: bool,
    classes_by_number: bool,
    ranks: Communicator,
) -> Judgement:
    """Measure a net on all pictures; `progress()` is entered for each pass. Raises the errors of `confusions`."""
    mine: list[Picture] = []
    calibration = Calibration() if calibrated else None
    boundaries = Boundaries(len(dataset.classes)) if with_boundaries else None
    with progress() as shown:
        matrices = confusions(
            segmenter,
            dataset,
            shown,
            lambda name, matrix: mine.append(Picture(name, matrix)),
            calibration=calibration,
            boundaries=boundaries,
            classes_by_number=classes_by_number,
            ranks=ranks,
        )
    parts = ranks.gather(mine)
    pictures = [parts[i % ranks.size][i // ranks.size] for i in range(len(dataset))]
    objects: dict[str, ObjectScore] = {}
    if dataset.border is not None:
        with progress() as shown:
            objects = object_scores(segmenter, dataset, shown, classes_by_number=classes_by_number, ranks=ranks)
    drawn = drawings([each.matrix for each in pictures]) if intervals else None
    return Judgement(weights, segmenter.views, matrices, pictures, calibration, boundaries, objects, drawn)


def short_names(judged: Sequence[Judgement]) -> list[str]:
    """The names of the weight files, with as many folders as tell them apart."""
    paths = [Path(each.weights) for each in judged]
    for parts in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-parts:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{path} ({i})" for i, path in enumerate(paths, start=1)]
