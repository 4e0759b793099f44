"""Data sets that lie in files: for every sample one of each kind of picture and of each kind of label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fcnlite.data.dataset import Dataset
from fcnlite.data.number_table import LabelReader
from fcnlite.data.pictures import Orientation, read_image
from fcnlite.data.sample import Sample
from fcnlite.description.spec import Labels, Preprocessing
from fcnlite.errors import DataError


class SampleFiles(NamedTuple):
    """Where one sample lies, by the blobs that its pictures and label maps are fed to."""

    name: str
    images: Mapping[str, Path]
    labels: Mapping[str, Path]


def picture_and_label(name: str, image: Path, label: Path) -> SampleFiles:
    """The usual sample: one picture, one label map."""
    return SampleFiles(name, {"data": image}, {"label": label})


class FileDataset(Dataset):
    """The samples in `files`, at least one; `read` has a reader for each label, `orientation` is `read_image`'s."""

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
        self._files = files
        self._read = read
        self._kinds = preprocessing or Preprocessing()  # how the files are read; the mean does not matter for that

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`. Raises `FileError` or `DataError`, naming the file, if it cannot be used."""
        files = self._files[index]
        labels = {name: self._read[name](path) for name, path in files.labels.items()}
        (_, path), first = next(iter(files.labels.items())), next(iter(labels.values()))
        height, width = first.shape
        kinds = self._kinds
        images = {
            name: read_image(
                each, label_size=(width, height), preprocessing=kinds.of(name), orientation=self._orientation
            )
            for name, each in files.images.items()
        }
        for each, array in (*_both(files.images, images), *_both(files.labels, labels)):
            if array.shape[:2] != first.shape:
                raise DataError(
                    f"{each}: is {array.shape[1]}×{array.shape[0]} pixels, but its label {path} is {width}×{height}; "
                    "a pair must agree in size."
                )
        return Sample(images, labels, files.name)


def _both(paths: Mapping[str, Path], arrays: Mapping[str, np.ndarray]) -> list[tuple[Path, np.ndarray]]:
    return [(paths[name], arrays[name]) for name in paths]
