"""Statistics of a data set, gathered while every sample is read once: pixels of each class, sizes, hashes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fcnlite.data.sample import Sample

_DIGEST = 8
"""Bytes of a hash: two different samples have equal hashes with probability 2⁻⁶⁴."""


class SampleRecord(NamedTuple):
    """Name, size and hashes of one sample."""

    name: str
    height: int
    width: int
    pictures: str
    """Hash of the pixels of its pictures."""
    labels: str
    """Hash of its label maps."""


class Statistics:
    """Statistics of samples. Several threads may add samples; the result does not depend on their order."""

    def __init__(self) -> None:
        self.samples: dict[int, SampleRecord] = {}
        """The records of the counted samples, by index."""
        self._counts: dict[str, np.ndarray] = {}
        self._pictures: dict[str, np.ndarray] = {}
        self._most: dict[str, dict[int, tuple[int, int, str]]] = {}
        self._lock = threading.Lock()

    def add(self, index: int, sample: Sample) -> None:
        """Count a sample once. Samples whose labels are not integers from 0 to 255 are skipped."""
        if not all(_countable(label) for label in sample.labels.values()):
            return
        counts = {name: np.bincount(label.ravel(), minlength=256) for name, label in sample.labels.items()}
        height, width = sample.image.shape[:2]
        record = SampleRecord(sample.name, height, width, _digest(sample.images), _digest(sample.labels))
        with self._lock:
            if index in self.samples:
                return
            self.samples[index] = record
            for name, count in counts.items():
                self._counts[name] = self._counts.get(name, 0) + count
                self._pictures[name] = self._pictures.get(name, 0) + (count > 0)
                most = self._most.setdefault(name, {})
                for label in np.flatnonzero(count).tolist():
                    # The sample with the most pixels; in a tie, the first one.
                    most[label] = max(most.get(label, (0, 0, "")), (int(count[label]), -index, sample.name))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def covers(self, indices: Sequence[int]) -> bool:
        """Whether exactly these samples are counted."""
        return len(self.samples) == len(indices) and self.samples.keys() == set(indices)

    def renumbered(self, indices: Sequence[int]) -> Statistics:
        """The same statistics for a data set whose sample i is sample `indices[i]` here."""
        other = Statistics()
        other.samples = {i: self.samples[index] for i, index in enumerate(indices)}
        other._counts, other._pictures, other._most = self._counts, self._pictures, self._most
        return other

    def counts(self, label: str) -> np.ndarray:
        """The number of pixels of each value from 0 to 255 in the label maps `label`."""
        return self._counts.get(label, np.zeros(256, np.int64))

    def pictures(self, label: str) -> np.ndarray:
        """The number of label maps `label` that have each value from 0 to 255."""
        return self._pictures.get(label, np.zeros(256, np.int64))

    def examples(self, label: str) -> dict[int, str]:
        """For each value that occurs, the name of the sample with the most pixels of it."""
        return {number: name for number, (_, _, name) in self._most.get(label, {}).items()}


def _countable(label: np.ndarray) -> bool:
    if label.dtype.kind not in "ui" or not label.size:
        return False
    return label.dtype == np.uint8 or bool(0 <= label.min() <= label.max() < 256)


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    hashed = hashlib.blake2b(digest_size=_DIGEST)
    for name, array in arrays.items():
        hashed.update(f"{name} {array.shape} {array.dtype.str} ".encode())
        hashed.update(np.ascontiguousarray(array).data)
    return hashed.hexdigest()
