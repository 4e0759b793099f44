"""Slices of cells and their membranes: generated ones, or those of a data set such as isbi."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.related.common import draws
from fcnlite.analysis.paper.related.drawing import cells
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.errors import DataError, nearest
from fcnlite.net import Net

FIELD, MARGIN = 21, 10
"""The side of a window, and the pixels on each side of its middle."""
WINDOWS = 128
"""The windows of a batch."""
SIDE = 84
"""The side of the pictures of a batch."""
_CLASS = "membrane"

Slice = tuple[Array, Array]
"""H×W values around 0, and H×W labels: 1 on a membrane, 0 elsewhere, or void."""


@dataclass(frozen=True)
class Slices:
    """Slices for training, for the choice of settings, and for the figures."""

    train: list[Slice]
    validation: list[Slice]
    test: list[Slice]
    name: str

    @staticmethod
    def of(settings: Settings) -> Slices:
        """The slices of the data set of the settings, by default generated ones.

        The last fifth of a training split is for validation, and the validation split for the test. Raises `DataError`
        for a data set without a class "membrane", or with too small or too few pictures.
        """
        if settings.train_set is None or settings.val_set is None:
            rng = draws("slices", settings.seed)
            made = [(values - 0.5, label) for values, label in (cells(160, rng) for _ in range(40))]
            return Slices(made[:30], made[30:35], made[35:], "generated slices")
        train, test = list(_read(settings.train_set)), list(_read(settings.val_set))
        held = max(1, len(train) // 5)
        if len(train) < 2:
            raise DataError(f"data set {settings.train_set.name!r} has one picture to train on; expected at least two.")
        return Slices(train[:-held], train[-held:], test, settings.train_set.name)

    def batch(self, rng: np.random.Generator, count: int = 2, side: int = SIDE) -> dict[str, Array]:
        """Random crops, N×1×side×side, and the labels inside their margins."""
        crops = []
        for index in rng.integers(0, len(self.train), count).tolist():
            values, label = self.train[index]
            y, x = (int(rng.integers(0, size - side + 1)) for size in values.shape)
            crops.append((values[y : y + side, x : x + side], inner(label[y : y + side, x : x + side])))
        data, labels = zip(*crops, strict=True)
        return {"data": np.stack(data)[:, None], "label": np.stack(labels)[:, None]}

    def patches(self, rng: np.random.Generator) -> dict[str, Array]:
        """`WINDOWS` random windows as pictures of their own, and the labels of their middles."""
        return self.batch(rng, WINDOWS, FIELD)


def windows(blobs: dict[str, Array]) -> dict[str, Array]:
    """All windows of a batch of pictures as pictures of their own, and their labels."""
    found = np.lib.stride_tricks.sliding_window_view(blobs["data"][:, 0], (FIELD, FIELD), (1, 2))
    return {"data": found.reshape(-1, 1, FIELD, FIELD), "label": blobs["label"].reshape(-1, 1, 1, 1)}


def inner(values: Array) -> Array:
    """`values` without a margin, where the net has no outputs."""
    return values[MARGIN:-MARGIN, MARGIN:-MARGIN]


def predicted(net: Net, values: Array) -> Array:
    """Where the net scores the membrane higher, without the margin."""
    score = net.forward(data=values[None, None])["score"][0]
    found: Array = score[1] > score[0]
    return found


def iu(net: Net, slices: list[Slice]) -> float:
    """The IU of membranes."""
    shared = union = 0
    for values, label in slices:
        found, true, known = predicted(net, values), inner(label) == 1, inner(label) != VOID
        shared += int((found & true & known).sum())
        union += int(((found | true) & known).sum())
    return shared / max(1, union)


def _read(dataset: Dataset) -> Iterable[Slice]:
    if _CLASS not in dataset.classes:
        raise DataError(
            f"data set {dataset.name!r} has no class {_CLASS!r}, whose pixels are to be found; "
            f"{nearest(_CLASS, dataset.classes)}"
        )
    number = dataset.classes.index(_CLASS)
    for i in range(len(dataset)):
        sample = dataset[i]
        values, label = np.asarray(sample.image, float).mean(axis=2) / 255 - 0.5, np.asarray(sample.label)
        if min(values.shape) < SIDE:
            raise DataError(
                f"data set {dataset.name!r}, sample {sample.name!r}: has {values.shape[0]}×{values.shape[1]} pixels; "
                f"expected at least {SIDE}×{SIDE}."
            )
        yield values, np.where(label == VOID, VOID, label == number)
