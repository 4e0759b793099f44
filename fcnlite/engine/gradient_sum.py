"""Sums the gradients of all ranks while backward still computes those of the layers below.

The parameters, from the last layer to the first, fill *buckets* of equal size; a large parameter fills several. As soon
as all gradients of a bucket are complete, a thread sums it over the ranks, one bucket after the other. All ranks have
the same buckets in the same order, whatever the order in which their own gradients become complete.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from fcnlite.arrays import Array
from fcnlite.engine.parameter import Parameter
from fcnlite.ranks.communicator import Communicator

BUCKET = 4 << 20
"""The size of a bucket in numbers (16 MB): large enough for the speed of the network, small enough to begin early."""


@dataclass
class _Bucket:
    """Parts of gradients that are summed together: flattened parameters, each from one number to another."""

    parts: list[tuple[Parameter, int, int]] = field(default_factory=list)

    def arrays(self) -> list[Array]:
        return [parameter.grad.reshape(-1)[start:stop] for parameter, start, stop in self.parts]

    def sum_over(self, ranks: Communicator) -> None:
        arrays = self.arrays()
        if len(arrays) == 1:
            ranks.sum_in_place(arrays[0])
            return
        packed = np.concatenate(arrays)
        ranks.sum_in_place(packed)
        start = 0
        for each in arrays:
            each[...] = packed[start : start + each.size]
            start += each.size


class GradientSum:
    """Sums the gradients of `parameters`, in the order of the net, over `ranks`.

    For each sum: `begin`, `final` with every parameter as its gradient becomes complete, `finish`. The sums use a
    communicator of their own, so that the net can take other sums at the same time.
    """

    def __init__(self, parameters: Sequence[Parameter], ranks: Communicator) -> None:
        self._ranks = ranks.another()
        self._buckets = list(_buckets(parameters[::-1]))
        self._pool = ThreadPoolExecutor(1, "fcnlite-gradients")
        self._incomplete: set[int] = set()
        self._running: list[Future[None]] = []
        self.waited = 0.0
        """Seconds in which backward was done and sums were not."""

    def begin(self) -> None:
        self._incomplete = {id(parameter) for bucket in self._buckets for parameter, _, _ in bucket.parts}
        self._running = []

    def final(self, parameter: Parameter) -> None:
        """Note that the gradient of `parameter` is complete, and start the sums that have waited for it."""
        self._incomplete.discard(id(parameter))
        for bucket in self._buckets[len(self._running) :]:
            if any(id(each) in self._incomplete for each, _, _ in bucket.parts):
                return
            self._running.append(self._pool.submit(bucket.sum_over, self._ranks))

    def finish(self) -> None:
        """Wait for all sums. Raises `RankError` if another rank has failed."""
        began = time.perf_counter()
        for future in self._running:
            future.result()
        self.waited += time.perf_counter() - began


def _buckets(parameters: Sequence[Parameter]) -> Iterator[_Bucket]:
    """The parameters in buckets of `BUCKET` numbers, of which the last may be smaller. All have one dtype."""
    bucket, room = _Bucket(), BUCKET
    for parameter in parameters:
        start, size = 0, parameter.array.size
        while start < size:
            stop = min(size, start + room)
            bucket.parts.append((parameter, start, stop))
            room -= stop - start
            start = stop
            if room == 0:
                yield bucket
                bucket, room = _Bucket(), BUCKET
    if bucket.parts:
        yield bucket
