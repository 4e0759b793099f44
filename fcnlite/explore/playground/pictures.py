"""The pictures of the playground: generated shapes or a folder, and a few held-out ones of one size."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data import Dataset, Folder
from fcnlite.data.sample import VOID, Sample
from fcnlite.data.shapes import Shapes
from fcnlite.errors import DataError

HELD_OUT = 12
"""The most held-out pictures for the mean IU."""


class LabelsOffByOne(Dataset):
    """The samples of `whole` with labels that are one less than the class; those of class 0 become void."""

    def __init__(self, whole: Dataset) -> None:
        super().__init__(whole.name, whole.split, whole.labels, whole.own_preprocessing, whole.pictures)
        self._whole = whole

    def __len__(self) -> int:
        return len(self._whole)

    def __getitem__(self, index: int) -> Sample:
        sample = self._whole[index]
        label = np.where(sample.label == VOID, VOID, sample.label - 1).astype(np.uint8)
        return replace(sample, labels={"label": label})


class HeldOut(NamedTuple):
    """Pictures that are not trained on."""

    pictures: Array
    """N×H×W×3 uint8."""
    truths: Array
    """N×H×W uint8."""


def training_set(folder: str | None, size: int) -> Dataset:
    """The pictures to train on. Raises `DataError` for a folder that the playground cannot use."""
    return _of(folder, size, "train")


def held_out(folder: str | None, size: int) -> HeldOut:
    """The first held-out pictures, each of them or its centre with `size`×`size` pixels."""
    found = _of(folder, size, "val")
    samples = [_centre(found[i], size) for i in range(min(HELD_OUT, len(found)))]
    if not samples:
        raise DataError("the folder leaves no pictures for the validation; give it more pictures, or a list val.txt.")
    return HeldOut(
        np.stack([each.images["data"] for each in samples]), np.stack([each.label for each in samples]).astype(np.uint8)
    )


def _of(folder: str | None, size: int, split: str) -> Dataset:
    if folder is None:
        return Shapes(split, size=size)
    made = Folder(split, folder)
    if made.own_preprocessing is not None:
        raise DataError("the folder has pictures of other bands than 8-bit gray or RGB; give one of photographs.")
    if len(made) == 0:
        raise DataError(f"the split {split!r} of the folder is empty; give the folder more pictures.")
    return made


def _centre(sample: Sample, size: int) -> Sample:
    """The middle of a picture; a smaller one gets a margin of zeros, whose labels are void."""
    picture, label = sample.images["data"], sample.label
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    placed = np.zeros((size, size, 3), np.uint8)
    labels = np.full((size, size), VOID, np.uint8)
    (top, at), (left, start) = (_span(side, size) for side in label.shape)
    rows, columns = (min(side, size) for side in label.shape)
    placed[at : at + rows, start : start + columns] = picture[top : top + rows, left : left + columns]
    labels[at : at + rows, start : start + columns] = label[top : top + rows, left : left + columns]
    return Sample({"data": placed}, {"label": labels}, sample.name)


def _span(have: int, want: int) -> tuple[int, int]:
    """The first row to take, and the row to which it goes."""
    return max(0, (have - want) // 2), max(0, (want - have) // 2)
