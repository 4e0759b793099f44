"""Reads all splits of a data set, and says what they hold and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fcnlite.data import Dataset, overview
from fcnlite.data.problems import Progress
from fcnlite.description.model_info import Labels
from fcnlite.text import columns

_LISTED = 100
"""The problems that the text lists; JSON has all."""


@dataclass(frozen=True)
class Split:
    """A split whose files have all been read."""

    dataset: Dataset
    usable: Sequence[int]
    problems: Sequence[str]


def read(dataset: Dataset, progress: Progress | None) -> Split:
    """Read every file of a split."""
    return Split(dataset, *dataset.usable(progress))


def problems(splits: Sequence[Split]) -> list[str]:
    """The problems of all splits, each once: a file without a partner belongs to no split."""
    return [*dict.fromkeys(each for split in splits for each in split.problems)]


def warnings(splits: Sequence[Split]) -> Iterator[str]:
    """What may be wrong though all files can be used: classes without a pixel, pictures in two splits."""
    for split in splits:
        for name, labels in split.dataset.labels.items():
            absent = overview.missing(name, labels, split.dataset.statistics)
            if absent and split.usable:
                yield f"no pixel of {absent} in the split {split.dataset.split}"
    if len(splits) > 1 and (shared := overview.shared(splits[0].dataset, splits[1].dataset)):
        first, second = (split.dataset.split for split in splits[:2])
        yield f"of the split {second}, {overview.counted(shared, 'picture')} can be found in {first} too"


def text(splits: Sequence[Split], noted: Sequence[str]) -> str:
    """The contents in words: a line for each split and each class, then the warnings and the problems."""
    lines = []
    for split in splits:
        size = overview.sizes(split.dataset) if split.usable else "none usable"
        bad = len(split.dataset) - len(split.usable)
        unusable = f", {bad} of them unusable" if bad else ""
        lines.append(
            f"{split.dataset.split:9} {overview.counted(len(split.dataset), 'picture')}{unusable}, {size}, "
            f"fed as {split.dataset.preprocessing.of(split.dataset.pictures[0])}"
        )
    for name, labels in splits[0].dataset.labels.items():
        lines += [
            "",
            f"classes of {name}" if len(splits[0].dataset.labels) > 1 else "classes",
            _table(name, labels, splits),
        ]
    lines += [f"warning: {each}" for each in (*noted, *warnings(splits))]
    found = problems(splits)
    if found:
        lines += ["", f"{overview.counted(len(found), 'problem')}:", *(f"  {each}" for each in found[:_LISTED])]
        lines += [f"  and {len(found) - _LISTED} more"] if len(found) > _LISTED else []
    return "\n".join(lines)


def _table(name: str, labels: Labels, splits: Sequence[Split]) -> str:
    """For each class its share of the labelled pixels and the number of pictures that have it, by split."""
    heading = ["", "class"]
    for split in splits:
        heading += [split.dataset.split, "pictures"]
    rows = [heading]
    for number, title in enumerate(labels.classes):
        row = [str(number), title]
        for split in splits:
            statistics = split.dataset.statistics
            counts = statistics.counts(name)
            total = max(1, int(counts[: len(labels.classes)].sum()))
            row += [overview.percent(int(counts[number]) / total), str(int(statistics.pictures(name)[number]))]
        rows.append(row)
    void = ["", "void (of all pixels)"]
    for split in splits:
        counts = split.dataset.statistics.counts(name)
        void += [
            overview.percent(int(counts[255]) / max(1, int(counts.sum()))),
            str(int(split.dataset.statistics.pictures(name)[255])),
        ]
    return columns([*rows, void], "><" + ">>" * len(splits))


def values(splits: Sequence[Split], noted: Sequence[str]) -> dict[str, Any]:
    """The contents as JSON values."""
    return {
        "splits": {split.dataset.split: _values(split) for split in splits},
        "warnings": [*noted, *warnings(splits)],
        "problems": problems(splits),
    }


def _values(split: Split) -> dict[str, Any]:
    dataset = split.dataset
    return {
        "pictures": len(dataset),
        "usable": len(split.usable),
        "sizes": [{"width": width, "height": height} for height, width in sorted(dataset.sizes)],
        "labels": {name: _label_values(name, labels, dataset) for name, labels in dataset.labels.items()},
    }


def _label_values(name: str, labels: Labels, dataset: Dataset) -> dict[str, Any]:
    counts, pictures = dataset.statistics.counts(name), dataset.statistics.pictures(name)
    classes = len(labels.classes)
    return {
        "classes": list(labels.classes),
        "pixels": counts[:classes].tolist(),
        "pictures": pictures[:classes].tolist(),
        "void_pixels": int(counts[255]),
    }
