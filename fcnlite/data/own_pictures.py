"""Data sets of the user's own pictures: any bands, any EXIF orientation, files that are skipped when asked."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from fcnlite.data.band_preprocessing import band_preprocessing, with_measured_mean
from fcnlite.data.bands import read_format
from fcnlite.data.file_dataset import FileDataset, SampleFiles
from fcnlite.data.number_table import LabelReader
from fcnlite.data.pictures import Orientation
from fcnlite.data.problems import Progress
from fcnlite.description.model_info import Labels, Preprocessing
from fcnlite.errors import DataError, FcnliteError


class OwnPictures(FileDataset):
    """The samples in `files`, whose labels `read` reads, and the options that all such data sets have.

    `training`: returns the pictures of the training split, on which the bands are measured. `skipped`: the problems of
    files that were left out. `bands`: the bands to feed, counted from 1; empty for all. `white`: for 16-bit pictures,
    the value that is fed like 255. `doubts` become warnings. Raises `DataError` for bands that the pictures lack.
    """

    splits = ("train", "val")

    def __init__(
        self,
        name: str,
        split: str,
        labels: Labels,
        files: Sequence[SampleFiles],
        read: LabelReader,
        *,
        training: Callable[[], Sequence[Path]],
        skipped: Sequence[str] = (),
        orientation: Orientation = "auto",
        bands: Sequence[int] = (),
        white: int | None = None,
        doubts: Sequence[str] = (),
    ) -> None:
        if white is not None and not 1 <= white <= 65535:
            raise DataError(f"data set {name!r}: white is {white}; expected 1 to 65535.")
        preprocessing = _preprocessing_of(name, files, bands)
        super().__init__(name, split, {"label": labels}, files, {"label": read}, preprocessing, orientation)
        self._training = training
        self._skipped_files = skipped
        self._white = white
        self.bands = tuple(bands)
        for doubt in doubts:
            warnings.warn(f"data set {name!r}: {doubt}", stacklevel=4)

    @cached_property
    def own_preprocessing(self) -> Preprocessing | None:
        """None for 8-bit gray or RGB pictures, else with the mean and deviation of each band in the training split."""
        preprocessing = self._reading
        if preprocessing.bits == 8 and not preprocessing.bands:
            return None
        if self._white is not None:  # fed like a byte of 255, around the middle of the range
            mean = (self._white / 2,) * len(preprocessing.mean)
            return replace(preprocessing, mean=mean, scale=255 / self._white)
        return with_measured_mean(preprocessing, self._training())

    def usable(self, progress: Progress | None = None) -> tuple[Sequence[int], list[str]]:
        """As in every data set; the problems begin with those of files that were left out."""
        indices, problems = super().usable(progress)
        return indices, [*self._skipped_files, *problems]


def _preprocessing_of(name: str, files: Sequence[SampleFiles], bands: Sequence[int]) -> Preprocessing | None:
    """The preprocessing for the format of the first readable picture. None for 8-bit gray or RGB."""
    for each in files:
        try:
            pixel_format = read_format(each.images["data"])
        except FcnliteError:
            continue  # check() reports this file
        try:
            return band_preprocessing(pixel_format, bands)
        except DataError as error:
            raise DataError(f"data set {name!r}: {error}") from error
    return None
