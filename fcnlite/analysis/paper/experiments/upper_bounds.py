"""Upper bounds on mean IU for coarse predictions (PAMI, section 6.3; arXiv v2, appendix A).

The truth is downsampled by a factor f: each square of f×f pixels gets the class of most of its pixels. Upsampled again
by repetition, it has the highest pixel accuracy of all predictions that are constant on these squares. Its mean IU is
the paper's upper bound for nets with a stride of f and no finer information.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.figures import class_colors, colored
from fcnlite.analysis.paper.tools.statistics import METRICS, percentages
from fcnlite.arrays import Array
from fcnlite.data import VOID
from fcnlite.segmentation.metrics import Metrics, confusion

FACTORS = (128, 64, 32, 16, 8, 4)
PAPER = (50.9, 73.3, 86.1, 92.8, 96.4, 98.5)
"""Mean IU in percent on a subset of the validation split of VOC 2012, for each factor (arXiv 1411.4038v2)."""
_SHOWN = 16
"""The factor of the picture."""


def coarse(label: Array, factor: int, classes: int) -> Array:
    """H×W label map in which each `factor`×`factor` square has its most frequent class; of equal ones the first.

    Void pixels do not count. A square of void alone gets class 0, which no metric counts.
    """
    height, width = label.shape
    cells = np.arange(height)[:, None] // factor * -(-width // factor) + np.arange(width) // factor
    known = label != VOID
    counts = np.zeros((int(cells.max()) + 1, classes), np.int64)
    np.add.at(counts, (cells[known], label[known]), 1)
    found: Array = counts.argmax(axis=1).astype(np.uint8)[cells]
    return found


def bounds(labels: Iterable[Array], classes: int) -> list[Metrics]:
    """The metrics of the coarse label maps against the label maps, for each of `FACTORS`."""
    matrices = [np.zeros((classes, classes), np.int64) for _ in FACTORS]
    for label in labels:
        for matrix, factor in zip(matrices, FACTORS, strict=True):
            matrix += confusion(label, coarse(label, factor, classes), classes)
    return [Metrics.from_matrix(matrix) for matrix in matrices]


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the bounds for a data set, by default generated scenes of 256×256 pixels."""
    dataset = settings.val_set or data.open("shapes", split="test", scene=True, size=256, count=32)
    labels = [np.asarray(dataset[i].label) for i in range(len(dataset))]
    found = bounds(labels, len(dataset.classes))
    for factor, paper, metrics in zip(FACTORS, PAPER, found, strict=True):
        page.compare(f"mean IU at a factor of {factor}", paper, f"{100 * metrics.mean_iu:.1f}")
    page.text(
        f"Each of {len(labels)} label maps of {dataset.name}, split {dataset.split}, is downsampled by the factor, "
        "upsampled again, and compared with the original; no net is involved. The paper's figures are for a "
        "subset of VOC 2012 val, so only the trend of the two columns can be compared. The bound stays high as long "
        "as the squares are smaller than most objects: mean IU hardly measures detail that is finer than the objects."
        + (
            ""
            if settings.val_set
            else " Generated objects are smaller than most in VOC, so the bound falls at smaller factors."
        )
    )
    page.table(
        ("factor", *METRICS),
        [(factor, *percentages(metrics)) for factor, metrics in zip(FACTORS, found, strict=True)],
    )
    label = labels[0]
    prediction = coarse(label, _SHOWN, len(dataset.classes))
    page.picture("truth", colored(label, dataset.colors), "The first label map.")
    page.picture(
        "coarse",
        colored(prediction, dataset.colors),
        f"The same at a factor of {_SHOWN}.",
    )
    page.legend(class_colors(dataset.classes, dataset.colors))
