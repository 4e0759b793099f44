"""What a data set contains, in lines of text: its pictures, their sizes, the shares of its classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fcnlite.data.dataset import Dataset
from fcnlite.data.sample import VOID
from fcnlite.data.statistics import Statistics
from fcnlite.description.model_info import Labels

_COUNTED = 50
"""The number of generated samples whose pixels are counted; generated data sets are not read as a whole."""
_LISTED = 30
"""The number of classes that have a line each."""


def shared(train_set: Dataset, val_set: Dataset) -> int:
    """The number of validation samples that are training samples too: same name, same pixels."""
    trained = {(each.name, each.pictures) for each in train_set.statistics.samples.values()}
    return sum((each.name, each.pictures) in trained for each in val_set.statistics.samples.values())


def count(dataset: Dataset) -> str:
    """The number of pictures, and of the problems that --skip-bad has skipped, in words."""
    skipped = f" ({counted(len(dataset.skipped), 'problem')} skipped)" if dataset.skipped else ""
    return counted(len(dataset), "picture") + skipped


def counted(count: int, what: str) -> str:
    """`3 pictures`, `1 picture`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def sizes(dataset: Dataset, crop: tuple[int, int] | None = None) -> str:
    """The sizes of the pictures as width × height, and of the `crop` (height, width)."""
    found = [*dataset.sizes] or [dataset[0].image.shape[:2]]
    cut = "" if crop is None else f", cropped to {crop[1]}×{crop[0]}"
    if len(found) == 1:
        return f"{found[0][1]}×{found[0][0]}{cut}"
    heights, widths = zip(*found, strict=True)
    return f"{min(widths)} to {max(widths)} wide, {min(heights)} to {max(heights)} high{cut}"


def statistics_of(dataset: Dataset) -> Statistics:
    """The statistics of the whole data set if it was read, else of evenly spread samples."""
    if dataset.statistics.covers(range(len(dataset))):
        return dataset.statistics
    statistics = Statistics()
    for index in np.unique(np.linspace(0, len(dataset) - 1, _COUNTED).astype(int)).tolist():
        statistics.add(index, dataset[index])
    return statistics


def class_lines(name: str, labels: Labels, statistics: Statistics) -> Iterator[str]:
    """Yield a line for each class, from the statistics of the training split."""
    counts = statistics.counts(name)
    classes = len(labels.classes)
    total = max(1, int(counts[:classes].sum()))
    examples = statistics.examples(name)
    width = max(map(len, labels.classes[:_LISTED]))
    for number, title in enumerate(labels.classes[:_LISTED]):
        pixels = int(counts[number])
        line = f"{title:{width}}  {percent(pixels / total):>7}  {examples.get(number, '')}"
        yield line.rstrip() if pixels else f"{title:{width}}  missing"
    if classes > _LISTED:
        yield f"and {classes - _LISTED} more"
    void = int(counts[VOID])
    if void:
        yield f"void, ignored: {percent(void / (void + total))} of all pixels"


def missing(name: str, labels: Labels, statistics: Statistics) -> str:
    """The names of the classes without a pixel."""
    counts = statistics.counts(name)
    absent = [title for number, title in enumerate(labels.classes) if not counts[number]]
    return ", ".join(absent[:_LISTED]) + (", ..." if len(absent) > _LISTED else "")


def percent(share: float) -> str:
    """A share of 1 in percent, small ones with two digits."""
    return f"{100 * share:.2g} %" if 0 < share < 0.01 else f"{100 * share:.1f} %"
