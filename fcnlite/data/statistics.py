"""What is found where every sample is read once: the pixels of each class, where it is seen, a hash of the bytes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fcnlite.data.sample import Sample

_DIGEST = 8
"""Bytes: two samples that differ are told apart by chance of 1 in 2⁶⁴."""


class SampleRecord(NamedTuple):
    """One sample."""

    name: str
    height: int
    width: int
    pictures: str
    """A hash of the pixels of its pictures."""
    labels: str
    """A hash of its label maps."""


class Statistics:
    """Filled by several threads at a time; what it tells does not depend on their order."""

    def __init__(self) -> None:
        self.samples: dict[int, SampleRecord] = {}
        """By index."""
        self._counts: dict[str, np.ndarray] = {}
        self._most: dict[str, dict[int, tuple[int, int, str]]] = {}
        self._lock = threading.Lock()

    def add(self, index: int, sample: Sample) -> None:
        """Count a sample, once; not one whose labels are no whole numbers from 0 to 255."""
        if not all(_countable(label) for label in sample.labels.values()):
            return
        counts = {name: np.bincount(label.ravel(), minlength=256) for name, label in sample.labels.items()}
        height, width = sample.image.shape[:2]
        seen = SampleRecord(sample.name, height, width, _digest(sample.images), _digest(sample.labels))
        with self._lock:
            if index in self.samples:
                return
            self.samples[index] = seen
            for name, count in counts.items():
                self._counts[name] = self._counts.get(name, 0) + count
                most = self._most.setdefault(name, {})
                for label in np.flatnonzero(count).tolist():
                    # The most pixels; among equals the first sample.
                    most[label] = max(most.get(label, (0, 0, "")), (int(count[label]), -index, sample.name))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def covers(self, indices: Sequence[int]) -> bool:
        """Whether these samples, and no others, are counted."""
        return len(self.samples) == len(indices) and self.samples.keys() == set(indices)

    def renumbered(self, indices: Sequence[int]) -> Statistics:
        """The same census of a set whose sample i is sample `indices[i]` here."""
        other = Statistics()
        other.samples = {i: self.samples[index] for i, index in enumerate(indices)}
        other._counts, other._most = self._counts, self._most
        return other

    def counts(self, label: str) -> np.ndarray:
        """Pixels of each number from 0 to 255 in the label maps `label`."""
        return self._counts.get(label, np.zeros(256, np.int64))

    def examples(self, label: str) -> dict[int, str]:
        """For each number that occurs the name of the sample with the most pixels of it."""
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
