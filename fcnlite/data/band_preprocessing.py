"""How pictures of bands are fed: which bands, and the mean and deviation of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fcnlite.data.bands import PixelFormat, read_bands
from fcnlite.data.problems import try_all
from fcnlite.description.spec import Preprocessing
from fcnlite.errors import DataError

SPREAD = 58.0
"""Standard deviation that measured channels are given: about that of photographs' bytes, which the recipes' learning
rates are made for."""
MEASURED = 200
"""Training pictures, evenly spread, that mean and deviation are measured on."""


def band_preprocessing(kind: PixelFormat, bands: Sequence[int] = ()) -> Preprocessing | None:
    """How pictures of this kind are read, and which of their bands are fed; their mean is not measured yet.

    `bands` are counted from 1 (default: all; three in the order blue, green, red, as Caffe's nets take colours; one for
    three equal channels). None for pictures of 8 bits, gray or RGB, without `bands`: they need no measuring.
    """
    if not bands:
        if kind.bits == 8 and kind.bands in (1, 3):
            return None
        if kind == PixelFormat(1, 16):
            return Preprocessing(mean=(0.0,) * 3, bits=16)
        bands = {1: (1, 1, 1), 3: (3, 2, 1)}.get(kind.bands, range(1, kind.bands + 1))
    wrong = [band for band in bands if not 1 <= band <= kind.bands]
    if wrong:
        raise DataError(f"bands has {wrong[0]}, but the pictures have {kind}; expected numbers from 1 to {kind.bands}.")
    chosen = tuple(bands)
    return Preprocessing("BANDS", (0.0,) * len(chosen), bits=kind.bits, bands=chosen, picture_bands=kind.bands)


def with_measured_mean(preprocessing: Preprocessing, paths: Sequence[Path]) -> Preprocessing:
    """`preprocessing` with mean and deviation of each band over these pictures (at most `MEASURED`, evenly spread).

    Files that cannot be read, or are of another kind, are passed over: checking the data set tells of them.
    """
    chosen = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, min(MEASURED, len(paths))).astype(int))]

    def sums(path: Path) -> tuple[int, np.ndarray, np.ndarray]:
        values, _ = read_bands(path)
        flat = values.reshape(-1, values.shape[2] if values.ndim == 3 else 1).astype(np.float64)
        return len(flat), flat.sum(axis=0), np.square(flat).sum(axis=0)

    found = [each for each in try_all(sums, chosen)[0] if len(each[1]) == (preprocessing.picture_bands or 1)]
    if not found:
        return preprocessing
    count = sum(each[0] for each in found)
    mean = np.sum([each[1] for each in found], axis=0) / count
    squares = np.sum([each[2] for each in found], axis=0) / count
    std = np.sqrt(np.maximum(squares - mean**2, 0))
    std[std <= 1e-6 * np.maximum(1, abs(mean))] = 1.0  # a band without any variation
    places = [band - 1 for band in preprocessing.bands] or [0] * len(preprocessing.mean)
    return replace(preprocessing, mean=tuple(mean[places].tolist()), std=tuple(std[places].tolist()), scale=SPREAD)
