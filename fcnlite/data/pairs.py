"""Data sets that consist of pairs of files: a picture and its label PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fcnlite.data.dataset import VOID, Dataset, Sample
from fcnlite.data.pictures import read_image, read_label
from fcnlite.errors import DataError


class Pair(NamedTuple):
    """Where one sample lies."""

    name: str
    image: Path
    label: Path


class PairDataset(Dataset):
    """Samples read from `pairs`.

    `values` maps every number that a label file may hold to its class or to `VOID`; other numbers are errors.
    """

    def __init__(
        self,
        name: str,
        split: str,
        classes: tuple[str, ...],
        colors: tuple[tuple[int, int, int], ...],
        pairs: Sequence[Pair],
        values: Mapping[int, int],
    ) -> None:
        super().__init__(name, split, classes, colors)
        self._pairs = pairs
        self._values = values
        self._table = np.full(256, VOID, np.uint8)
        self._table[list(values)] = list(values.values())

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`. Raises `FileError` or `DataError`, naming the file, if it cannot be used."""
        pair = self._pairs[index]
        found = read_label(pair.label)
        unknown = np.setdiff1d(found, list(self._values))
        if unknown.size:
            raise DataError(
                f"{pair.label}: holds {_listed(unknown.tolist())}; expected {_listed(self._values)} "
                f"({len(self.classes)} classes); correct the label or the number of classes."
            )
        height, width = found.shape
        image = read_image(pair.image, label_size=(width, height))
        if image.shape[:2] != found.shape:
            raise DataError(
                f"{pair.image}: is {image.shape[1]}×{image.shape[0]} pixels, but its label {pair.label} "
                f"is {width}×{height}; a pair must agree in size."
            )
        return Sample(image, self._table[found], pair.name)


def plain_values(classes: int) -> dict[int, int]:
    """The usual meaning of label numbers: each class is its own number, 255 is void."""
    return {**{number: number for number in range(classes)}, VOID: VOID}


def _listed(numbers: Sequence[int] | Mapping[int, int]) -> str:
    """Numbers as text, runs of three and more as "a to b": "0 to 10, 255"; many runs are cut short."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs[:8]]
    return ", ".join(shown) + (", ..." if len(runs) > 8 else "")
