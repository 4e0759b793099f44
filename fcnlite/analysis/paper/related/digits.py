"""Scikit-learn's handwritten digits."""

from __future__ import annotations

from fcnlite.arrays import Array
from fcnlite.errors import DataError

SPLITS = {"train": slice(1000), "validation": slice(1000, 1400), "test": slice(1400, None)}


def handwritten(split: str) -> tuple[Array, Array]:
    """The digits of a split: N×8×8 values from 0 to 16, and their classes.

    Raises `DataError` if scikit-learn, which brings them, is missing.
    """
    try:
        from sklearn.datasets import load_digits  # type: ignore[import-not-found, unused-ignore]  # optional
    except ImportError as error:
        raise DataError(
            "the handwritten digits come with scikit-learn, which is missing; run `pip install 'fcnlite[digits]'`."
        ) from error
    found = load_digits()
    return found.images[SPLITS[split]], found.target[SPLITS[split]]
