"""Data sets for the experiments: the default ones, those made from others, and the shares of their classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.data.dataset import read_sample
from fcnlite.data.sample import Sample
from fcnlite.description.model_info import Labels, Preprocessing
from fcnlite.errors import DataError

_COUNTED = 200
"""The pictures in which the pixels of the classes are counted."""
_RAREST = 1e-4
"""The least share of a class that `log_shares` and `logit_shares` take."""


def data_sets(
    settings: Settings, size: int = 96, *, train: int = 1000, test: int = 60, hold: bool = False, **options: Any
) -> tuple[Dataset, Dataset]:
    """The data sets that a page learns from and reports, by default generated shapes of `size`×`size` pixels.

    `train` and `test` are the numbers of generated pictures, `options` those of the data set. With `hold`, generated
    pictures are drawn once and stay in memory.
    """

    def generated(split: str, count: int) -> Dataset:
        made = data.open("shapes", split=split, size=size, count=count, **options)
        return Derived(made, lambda sample, index: sample, hold=True) if hold else made

    return settings.train_set or generated("train", train), settings.val_set or generated("test", test)


def scene(size: int, channels: int, seed: int) -> tuple[Array, Array]:
    """A generated picture, H×W×3, and the same as a 1×C×H×W blob around 0."""
    pixels, blob = scenes(size, channels, seed, 1)
    return pixels, blob


def scenes(size: int, channels: int, seed: int, count: int) -> tuple[Array, Array]:
    """The first of `count` generated pictures, H×W×3, and all as an N×C×H×W blob around 0. Colours repeat after 3."""
    made = data.open("shapes", split="test", scene=True, size=max(size, 64), count=count, seed=seed)
    pixels = np.stack([np.asarray(made[i].image)[:size, :size] for i in range(count)])
    blob = pixels.astype(np.float32).transpose(0, 3, 1, 2) - 120
    return pixels[0], np.ascontiguousarray(blob[:, np.arange(channels) % 3])


class Derived(Dataset):
    """The samples of `whole`, each as `change(sample, index)` returns it.

    `labels`, `pictures` and `preprocessing` are those of `whole` unless given. With `hold`, the changed samples stay in
    memory: generated pictures are then drawn once, whatever the number of epochs.
    """

    def __init__(
        self,
        whole: Dataset,
        change: Callable[[Sample, int], Sample],
        *,
        labels: Mapping[str, Labels] | None = None,
        pictures: Sequence[str] | None = None,
        preprocessing: Preprocessing | None = None,
        hold: bool = False,
    ) -> None:
        super().__init__(
            whole.name,
            whole.split,
            labels or whole.labels,
            preprocessing or whole.own_preprocessing,
            pictures or whole.pictures,
        )
        self._whole = whole
        self._change = change
        self._held: list[Sample] | None = None
        if hold:
            self._held = [self._changed(index) for index in range(len(whole))]

    def __len__(self) -> int:
        return len(self._whole)

    def __getitem__(self, index: int) -> Sample:
        return self._changed(index) if self._held is None else self._held[index]

    def _changed(self, index: int) -> Sample:
        return self._change(read_sample(self._whole, index), index)


def check_background(dataset: Dataset, experiment: str) -> None:
    """Raise `DataError` unless class 0 of the data set is the background."""
    if dataset.classes[0] != "background":
        raise DataError(
            f"data set {dataset.name!r} has no background: its first class is {dataset.classes[0]!r}, and {experiment} "
            "needs 'background' there; use a data set such as voc, sbd or shapes."
        )


def shares(dataset: Dataset, count: int = _COUNTED) -> Array:
    """The share of each class in the pixels of the first `count` pictures, void left out."""
    total = np.zeros(256, np.int64)
    for i in range(min(count, len(dataset))):
        total += np.bincount(np.asarray(dataset[i].label).ravel(), minlength=256)
    total[VOID] = 0
    found: Array = total[: len(dataset.classes)] / max(1, total.sum())
    return found


def log_shares(dataset: Dataset) -> Array:
    """The biases of a softmax that give each class its share in the pixels of the first label map."""
    found: Array = np.log(np.maximum(shares(dataset), _RAREST)).astype(np.float32)
    return found


def logit_shares(dataset: Dataset) -> Array:
    """The biases of sigmoids that give each class its share in the pixels of the first label map."""
    found = np.clip(shares(dataset), _RAREST, 1 - _RAREST)
    logits: Array = np.log(found / (1 - found)).astype(np.float32)
    return logits
