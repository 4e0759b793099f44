"""A data set made from another by changing each sample, for experiments that change pictures or labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fcnlite.data import Dataset
from fcnlite.data.dataset import read_sample
from fcnlite.data.sample import Sample
from fcnlite.description.model_info import Labels, Preprocessing
from fcnlite.errors import DataError


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


def held(dataset: Dataset) -> Derived:
    """`dataset` with its samples in memory."""
    return Derived(dataset, lambda sample, index: sample, hold=True)


def check_background(dataset: Dataset, experiment: str) -> None:
    """Raise `DataError` unless class 0 of the data set is the background."""
    if dataset.classes[0] != "background":
        raise DataError(
            f"data set {dataset.name!r} has no background: its first class is {dataset.classes[0]!r}, and {experiment} "
            "needs 'background' there; use a data set such as voc, sbd or shapes."
        )
