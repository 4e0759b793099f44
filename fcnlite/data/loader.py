"""Reads and augments batches for training ahead of time in threads, and reads samples in order for evaluation."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count, islice
from typing import NamedTuple

import numpy as np

from fcnlite.data.augmentation import Augment, Streams, augmented
from fcnlite.data.dataset import Dataset, cannot_load, read_sample
from fcnlite.data.sample import Sample
from fcnlite.data.seeding import generator
from fcnlite.data.transforms import label_to_blob, to_blob
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import DataError, FcnliteError
from fcnlite.ranks.team import Team


class Loader:
    """Endless shuffled batches of `dataset`.

    Each epoch visits all samples in its own order, and a batch may span the end of an epoch. The order is a function of
    (seed, epoch), the random numbers of augmentation are a function of (seed, epoch, sample). The contents of a batch
    therefore depend only on its first position, not on earlier batches or the number of `threads`. `ahead` is the
    number of batches that are ready or being read.

    Where several ranks train together, each reads only its part of the batches: of every `iter_size` batches those of
    its group in `team`, and of these its own pictures.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch_size: int,
        preprocessing: Preprocessing,
        augment: Augment | None = None,
        seed: int = 0,
        threads: int = 2,
        ahead: int = 4,
        team: Team | None = None,
        iter_size: int = 1,
    ) -> None:
        if min(batch_size, threads, ahead) < 1:
            raise DataError(f"loader: batch_size {batch_size}, threads {threads}, ahead {ahead}: expected 1 or more.")
        if len(dataset) == 0:
            raise DataError(f"data set {dataset.name!r} ({dataset.split}): is empty; training needs samples.")
        self.waited = 0.0
        """Seconds that the consumer has waited for batches: near 0 if reading is fast enough."""
        self._dataset = dataset
        self._batch_size = batch_size
        self._preprocessing = preprocessing
        self._augment = augment or Augment()
        self._seed = seed
        self._threads = threads
        self._ahead = ahead
        self._team = team or Team()
        self._iter_size = iter_size

    def batches(self, start: int = 0) -> Generator[dict[str, np.ndarray], None, None]:
        """Batches as arrays by blob: pictures N×C×H×W float32 ("data"), labels N×1×H×W uint8 ("label").

        The first batch begins with sample `start` of the endless sequence of epochs: `start=k * batch_size` continues
        after k batches, even of another batch size. The threads end when the iterator is closed or raises an error.
        Errors name the file. Raises `DataError` if pictures of one batch differ in size, because no crop is set.
        """
        parts = self._parts(start)
        batches: deque[list[Future[_Blobs]]] = deque()
        with ThreadPoolExecutor(self._threads, "fcnlite-loader") as pool:
            try:
                while True:
                    while len(batches) < self._ahead:
                        batches.append([pool.submit(self._load, *place) for place in next(parts)])
                    began = time.perf_counter()
                    samples = [future.result() for future in batches.popleft()]
                    self.waited += time.perf_counter() - began
                    yield _stack(samples)
            finally:
                pool.shutdown(cancel_futures=True)

    def _parts(self, position: int) -> Iterator[list[tuple[int, int]]]:
        """The samples of each batch that this rank reads, from `position` on; see `_places`."""
        places = self._places(position)
        mine = self._team.passes(self._iter_size)
        for number in count():
            batch = [*islice(places, self._batch_size)]
            if number % self._iter_size in mine:
                yield batch[self._team.pictures(self._batch_size)]

    def _places(self, position: int) -> Iterator[tuple[int, int]]:
        """(epoch, index) of each sample from `position` on in the endless sequence of epochs."""
        epoch, offset = divmod(position, len(self._dataset))
        while True:
            order = generator("order", self._seed, epoch).permutation(len(self._dataset))
            yield from ((epoch, int(index)) for index in order[offset:])
            epoch, offset = epoch + 1, 0

    def _load(self, epoch: int, index: int) -> _Blobs:
        """Read and augment sample `index` for `epoch`; runs in the background."""
        try:
            streams, read = Streams(self._seed, epoch, index), partial(read_sample, self._dataset)
            sample = augmented(read, len(self._dataset), self._augment, streams, self._preprocessing)
            return _Blobs(sample.name, blobs(sample, self._preprocessing))
        except FcnliteError:
            raise
        except (Exception, SystemExit) as error:
            raise cannot_load(self._dataset, index, error) from error


def epoch(dataset: Dataset, chosen: Sequence[int] | None = None) -> Generator[Sample, None, None]:
    """Every sample, or the `chosen` ones, in order and without augmentation; a background thread reads ahead."""
    chosen = range(len(dataset)) if chosen is None else chosen
    with ThreadPoolExecutor(1, "fcnlite-loader") as pool:
        waiting: deque[Future[Sample]] = deque()
        indices = iter(chosen)
        try:
            for _ in chosen:
                waiting.extend(pool.submit(read_sample, dataset, index) for index in islice(indices, 3 - len(waiting)))
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def blobs(sample: Sample, preprocessing: Preprocessing) -> dict[str, np.ndarray]:
    """The inputs of a net by name: each picture C×H×W float32, each label map 1×H×W uint8."""
    return {
        **{name: to_blob(image, preprocessing.of(name)) for name, image in sample.images.items()},
        **{name: label_to_blob(label) for name, label in sample.labels.items()},
    }


class _Blobs(NamedTuple):
    """The name of a sample and its blobs."""

    name: str
    blobs: dict[str, np.ndarray]

    @property
    def size(self) -> tuple[int, int]:
        height, width = next(iter(self.blobs.values())).shape[1:]
        return height, width


def check_sizes(sizes: Mapping[tuple[int, int], str]) -> None:
    """Raise `DataError` for more than one size; `sizes` has (height, width), each with the name of a picture."""
    if len(sizes) > 1:
        shown = [f"{name} is {width}×{height}" for (height, width), name in islice(sizes.items(), 2)]
        raise DataError(
            f"{' and '.join(shown)}, but the pictures of a batch must have one size; set crop or a batch size of 1."
        )


def _stack(samples: list[_Blobs]) -> dict[str, np.ndarray]:
    """The blobs of a batch."""
    check_sizes({sample.size: sample.name for sample in reversed(samples)})
    return {name: np.stack([sample.blobs[name] for sample in samples]) for name in samples[0].blobs}
