"""Batches for training, read and augmented ahead in threads; and samples in order for evaluation."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np

from fcnlite.data.dataset import Dataset, Sample
from fcnlite.data.seeding import generator
from fcnlite.data.transforms import Augment, augment, label_to_blob, mean_color, to_blob
from fcnlite.errors import DataError, FcnliteError
from fcnlite.spec import Preprocessing


class Loader:
    """Endless shuffled batches of `dataset`.

    Each epoch goes through all samples in an order of its own; batches run on over the end of an epoch. The
    order is a function of (seed, epoch), what augmentation draws one of (seed, epoch, sample): what a batch holds
    depends on where it begins, not on what came before it, nor on how many `threads` read. `ahead` batches are
    held ready or in work.
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
    ) -> None:
        if min(batch_size, threads, ahead) < 1:
            raise DataError(
                f"loader: batch_size {batch_size}, threads {threads}, ahead {ahead}: expected 1 or more."
            )
        if len(dataset) == 0:
            raise DataError(
                f"data set {dataset.name!r} ({dataset.split}): is empty; there is nothing to train on."
            )
        self.waited = 0.0
        """Seconds that the consumer has waited for batches: near 0 if reading keeps up."""
        self._dataset = dataset
        self._batch_size = batch_size
        self._preprocessing = preprocessing
        self._augment = augment or Augment()
        self._fill = mean_color(preprocessing)
        self._seed = seed
        self._threads = threads
        self._ahead = ahead

    def batches(self, start: int = 0) -> Generator[dict[str, np.ndarray], None, None]:
        """Batches of "data" N×C×H×W float32 and "label" N×1×H×W uint8.

        The first begins with sample `start` of the endless row of epochs: `start=k * batch_size` goes on after k
        batches, with another batch size too. The threads end when the iterator is closed or an error leaves it;
        errors name the file. Pictures that differ in size, with a batch size above 1 and no crop, are a `DataError`.
        """
        places = self._places(start)
        batches: deque[list[Future[Sample]]] = deque()
        with ThreadPoolExecutor(self._threads, "fcnlite-loader") as pool:
            try:
                while True:
                    while len(batches) < self._ahead:
                        batch = islice(places, self._batch_size)
                        batches.append([pool.submit(self._load, *place) for place in batch])
                    began = time.perf_counter()
                    samples = [future.result() for future in batches.popleft()]
                    self.waited += time.perf_counter() - began
                    yield self._stack(samples)
            finally:
                pool.shutdown(cancel_futures=True)

    def _places(self, position: int) -> Iterator[tuple[int, int]]:
        """(epoch, index) of the samples from `position` in the endless row of epochs on."""
        epoch, offset = divmod(position, len(self._dataset))
        while True:
            order = generator("order", self._seed, epoch).permutation(len(self._dataset))
            yield from ((epoch, int(index)) for index in order[offset:])
            epoch, offset = epoch + 1, 0

    def _load(self, epoch: int, index: int) -> Sample:
        """Sample `index` as `epoch` sees it; runs in the background."""
        try:
            sample = self._dataset[index]
            rng = generator("augment", self._seed, epoch, index)
            return augment(sample, self._augment, rng, self._fill)
        except FcnliteError:
            raise
        except Exception as error:
            where = f"data set {self._dataset.name!r} ({self._dataset.split}), sample {index}"
            raise DataError(f"{where}: cannot be loaded ({type(error).__name__}: {error}).") from error

    def _stack(self, samples: list[Sample]) -> dict[str, np.ndarray]:
        first = samples[0]
        for other in samples:
            if other.label.shape != first.label.shape:
                raise DataError(
                    f"{first.name} is {_size(first)} and {other.name} {_size(other)}, but pictures of one "
                    "batch must have one size; set crop, or use a batch size of 1."
                )
        return {
            "data": np.stack([to_blob(sample.image, self._preprocessing) for sample in samples]),
            "label": np.stack([label_to_blob(sample.label) for sample in samples]),
        }


def epoch(dataset: Dataset, preprocessing: Preprocessing) -> Iterator[tuple[Sample, np.ndarray]]:
    """Every sample once, in order and as it is, with its 1×C×H×W float32 data."""
    for index in range(len(dataset)):
        sample = dataset[index]
        yield sample, to_blob(sample.image, preprocessing)[None]


def _size(sample: Sample) -> str:
    height, width = sample.label.shape
    return f"{width}×{height}"
