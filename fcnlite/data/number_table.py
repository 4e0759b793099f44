"""Labels that hold numbers, and the table that maps numbers to classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from fcnlite.data.blending import REMEDY, Counts, signs_of_blending
from fcnlite.data.label_files import read_label
from fcnlite.data.sample import VOID
from fcnlite.errors import DataError

LabelReader = Callable[[Path], np.ndarray]
"""Reads the label map in a file, H×W uint8 with `VOID`. Raises `FileError` or `DataError`, which names the file."""


class NumberTable:
    """Reads labels of numbers: `values` maps the numbers that a file may hold to classes or `VOID`.

    `read` returns the H×W integers in a file; the default reads a label PNG. A number that `values` lacks is a
    `DataError`, which recognises blended labels and ends with the `remedy`.
    """

    def __init__(
        self,
        values: Mapping[int, int],
        classes: int,
        read: Callable[[Path], np.ndarray] = read_label,
        remedy: str = "correct the label or the number of classes",
    ) -> None:
        self._values, self._classes, self._read, self._remedy = values, classes, read, remedy
        self._lowest = min(values)
        self._table = np.full(max(values) - self._lowest + 1, -1, np.int16)
        self._table[np.array(list(values)) - self._lowest] = list(values.values())

    def __call__(self, path: Path) -> np.ndarray:
        found = self._read(path)
        places = found.astype(np.int64) - self._lowest
        inside = (places >= 0) & (places < len(self._table))
        meant = np.where(inside, self._table[np.where(inside, places, 0)], np.int16(-1))
        unknown = meant < 0
        if unknown.any():
            numbers = f"holds {format_ranges(np.unique(found[unknown]).tolist())}"
            expected = f"expected {format_ranges(self._values)} ({self._classes} classes)"
            if _looks_blended(found, unknown):
                raise DataError(
                    f"{path}: {numbers}; {expected}; they are found on edges, so the label was anti-aliased or saved "
                    f"with lossy compression (JPEG): {REMEDY}."
                )
            raise DataError(f"{path}: {numbers}; {expected}; {self._remedy}.")
        return meant.astype(np.uint8)


def identity_values(classes: int) -> dict[int, int]:
    """The usual meaning of label numbers: each number is the class of that number, and 255 is void."""
    return {**{number: number for number in range(classes)}, VOID: VOID}


def _looks_blended(found: np.ndarray, unknown: np.ndarray) -> bool:
    """Whether the label, or its unknown numbers alone, show signs of blending."""
    if found.min() < 0 or found.max() > 255:
        return False
    counts = Counts.of(found.astype(np.uint8))
    numbers = np.unique(found[unknown])
    pixels, between = counts.all[numbers].sum(), counts.between[numbers].sum()
    return signs_of_blending(counts) is not None or (len(numbers) > 2 and bool(2 * between > pixels))


def format_ranges(numbers: Iterable[int]) -> str:
    """Numbers as text with runs of three or more as "a to b", such as "0 to 10, 255"; at most eight runs are shown."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs[:8]]
    return ", ".join(shown) + (", ..." if len(runs) > 8 else "")
