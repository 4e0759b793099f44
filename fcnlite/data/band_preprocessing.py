"""The preprocessing of pictures that are not 8-bit gray or RGB: which bands are fed, their mean and deviation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fcnlite.data.bands import PixelFormat, read_bands
from fcnlite.data.problems import try_all
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import DataError

SPREAD = 58.0
"""The standard deviation that measured channels are scaled to: about that of photographs as bytes, for which the
learning rates of the recipes are tuned."""
MEASURED = 200
"""The number of training pictures, evenly spaced, that mean and deviation are measured on."""


def band_preprocessing(pixel_format: PixelFormat, bands: Sequence[int] = ()) -> Preprocessing | None:
    """The preprocessing of pictures of this format, with a mean of 0 that is still to be measured.

    `bands` are the bands to feed, counted from 1. By default all are fed: three bands in the order blue, green, red, as
    Caffe's nets take colours; one band as three equal channels. Returns None for 8-bit gray or RGB pictures without
    `bands`, whose mean need not be measured.
    """
    if not bands:
        if pixel_format.bits == 8 and pixel_format.bands in (1, 3):
            return None
        if pixel_format == PixelFormat(1, 16):
            return Preprocessing(mean=(0.0,) * 3, bits=16)
        bands = {1: (1, 1, 1), 3: (3, 2, 1)}.get(pixel_format.bands, range(1, pixel_format.bands + 1))
    wrong = [band for band in bands if not 1 <= band <= pixel_format.bands]
    if wrong:
        raise DataError(
            f"bands has {wrong[0]}, but the pictures have {pixel_format}; expected numbers from 1 to {pixel_format.bands}."
        )
    chosen = tuple(bands)
    mean = (0.0,) * len(chosen)
    return Preprocessing("BANDS", mean, bits=pixel_format.bits, bands=chosen, picture_bands=pixel_format.bands)


def with_measured_mean(preprocessing: Preprocessing, paths: Sequence[Path]) -> Preprocessing:
    """`preprocessing` with the mean and deviation of each band over these pictures (at most `MEASURED`, evenly spaced).

    Files that cannot be read or have another format are skipped; checking the data set reports them.
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
    std[std <= 1e-6 * np.maximum(1, abs(mean))] = 1.0  # a constant band
    places = [band - 1 for band in preprocessing.bands] or [0] * len(preprocessing.mean)
    return replace(preprocessing, mean=tuple(mean[places].tolist()), std=tuple(std[places].tolist()), scale=SPREAD)
