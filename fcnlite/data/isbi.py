"""ISBI 2012: cell membranes in 30 electron-microscopy slices of 512×512 gray pixels (Arganda-Carreras et al., 2015).

The labels of the test volume are not public, so results come from cross-validation on the 30 labelled slices.
Neighbouring slices look alike; each fold therefore holds out a block of consecutive slices.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fcnlite.data.dataset import Dataset
from fcnlite.data.number_table import NumberTable
from fcnlite.data.pictures import count_pages, read_gray_page
from fcnlite.data.published import find_folder
from fcnlite.data.sample import Sample
from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError
from fcnlite.files import cannot_read

CLASSES = ("membrane", "cell")
VALUES = {0: 0, 255: 1}
"""The class of each value in the label files, which show black membranes between white cells."""

_VOLUMES = ("train-volume.tif", "train-labels.tif")


class ISBI(Dataset):
    """The slices below `root`, as one file per slice or as the two TIFF volumes of the challenge.

    The slices are divided into `folds` blocks. Block `fold`, counted from 0, is the validation split, the others are
    the training split; the split `all` has every slice.
    """

    splits = ("train", "val", "all")
    border = 0
    published = (
        "The ISBI 2012 EM segmentation challenge's data are published at "
        "https://imagej.net/events/isbi-2012-segmentation-challenge; the root must hold train-volume.tif and "
        "train-labels.tif, or their slices as train/image/N.png and train/label/N.png, N from 0 on."
    )

    def __init__(self, split: str, root: str | os.PathLike[str], *, folds: int = 5, fold: int = 0) -> None:
        pages = _pages(root)
        if not 2 <= folds <= len(pages):
            raise DataError(f"data set 'isbi': folds is {folds}; expected 2 to {len(pages)}, the number of slices.")
        if not 0 <= fold < folds:
            raise DataError(f"data set 'isbi': fold is {fold}; expected 0 to {folds - 1}.")
        held_out = set(np.array_split(np.arange(len(pages)), folds)[fold].tolist())
        chosen = {"all": range(len(pages)), "val": sorted(held_out), "train": set(range(len(pages))) - held_out}
        super().__init__("isbi", split, {"label": Labels(CLASSES, ((0, 0, 0), (255, 255, 255)))})
        self._slices = [(index, *pages[index]) for index in sorted(chosen[split])]

    def __len__(self) -> int:
        return len(self._slices)

    def __getitem__(self, index: int) -> Sample:
        """Read slice `index` of the split. Raises `FileError` or `DataError`, which names the file."""
        number, image, label, page = self._slices[index]
        picture = read_gray_page(image, page)
        labels = NumberTable(VALUES, len(CLASSES), lambda path: read_gray_page(path, page))(label)
        if picture.shape != labels.shape:
            sizes = " and ".join(f"{each.shape[1]}×{each.shape[0]}" for each in (picture, labels))
            raise DataError(
                f"{image} and {label}: slice {number} has {sizes} pixels; a picture and its label must have one size."
            )
        return Sample({"data": np.repeat(picture[:, :, None], 3, axis=2)}, {"label": labels}, f"slice {number}")


def _pages(root: str | os.PathLike[str]) -> list[tuple[Path, Path, int]]:
    """For each slice: its file, the file of its label, and the page in both."""
    if all((Path(root) / name).is_file() for name in _VOLUMES):
        volume, labels = (Path(root) / name for name in _VOLUMES)
        counts = count_pages(volume), count_pages(labels)
        if counts[0] != counts[1]:
            raise DataError(f"{volume}: has {counts[0]} slices, but {labels} has {counts[1]}; get the files again.")
        return [(volume, labels, page) for page in range(counts[0])]
    folder = find_folder("isbi", root, ("train",), ("image", "label"), ISBI.published)
    try:
        numbers = sorted(int(path.stem) for path in (folder / "image").glob("*.png") if path.stem.isdecimal())
    except OSError as error:
        raise cannot_read(folder / "image", error) from error
    if not numbers:
        raise DataError(f"data set 'isbi': {folder / 'image'} holds no N.png. {ISBI.published}")
    return [(folder / "image" / f"{number}.png", folder / "label" / f"{number}.png", 0) for number in numbers]
