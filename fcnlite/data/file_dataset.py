"""Data sets of files: each sample has one file for every picture and every label map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fcnlite.data.dataset import Dataset
from fcnlite.data.number_table import LabelReader
from fcnlite.data.pictures import Orientation, read_image
from fcnlite.data.sample import Sample
from fcnlite.description.model_info import Labels, Preprocessing
from fcnlite.errors import DataError


class SampleFiles(NamedTuple):
    """The files of one sample, by the blobs that its pictures and label maps are fed to."""

    name: str
    images: Mapping[str, Path]
    labels: Mapping[str, Path]


def picture_and_label(name: str, image: Path, label: Path) -> SampleFiles:
    """The files of a sample of one picture and one label map."""
    return SampleFiles(name, {"data": image}, {"label": label})


class FileDataset(Dataset):
    """The samples in `files`, at least one. `read` has a reader per label map; `orientation` is for `read_image`."""

    def __init__(
        self,
        name: str,
        split: str,
        labels: Mapping[str, Labels],
        files: Sequence[SampleFiles],
        read: Mapping[str, LabelReader],
        preprocessing: Preprocessing | None = None,
        orientation: Orientation = "auto",
    ) -> None:
        super().__init__(name, split, labels, preprocessing, [*files[0].images])
        self._orientation = orientation
        self.files = files
        self._read = read
        self._reading = preprocessing or Preprocessing()  # how the files are read; its mean is not used

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        """Read sample `index`. Raises `FileError` or `DataError`, which names the file, if it cannot be used."""
        files = self.files[index]
        labels = {name: self._read[name](path) for name, path in files.labels.items()}
        (_, path), first = next(iter(files.labels.items())), next(iter(labels.values()))
        height, width = first.shape
        images = {
            name: read_image(
                each, label_size=(width, height), preprocessing=self._reading.of(name), orientation=self._orientation
            )
            for name, each in files.images.items()
        }
        for each, array in (*_both(files.images, images), *_both(files.labels, labels)):
            if array.shape[:2] != first.shape:
                raise DataError(
                    f"{each}: is {array.shape[1]}×{array.shape[0]} pixels, but its label {path} is {width}×{height}; "
                    "a picture and its label must have one size."
                )
        return Sample(images, labels, files.name)


def _both(paths: Mapping[str, Path], arrays: Mapping[str, np.ndarray]) -> list[tuple[Path, np.ndarray]]:
    return [(paths[name], arrays[name]) for name in paths]
