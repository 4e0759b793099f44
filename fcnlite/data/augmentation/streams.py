"""The random numbers of augmentation: functions of (seed, epoch, sample), and of the transform that draws them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fcnlite.data.seeding import generator


@dataclass(frozen=True)
class Streams:
    """The generators for sample `index` in `epoch`.

    Each transform has its own, so that adding or removing one leaves the numbers of the others as they are. Neither
    threads nor the order of reading have an effect.
    """

    seed: int
    epoch: int
    index: int
    second: bool = False
    """Whether the sample is the second one that is mixed into another, whose index is `index`."""

    def of(self, name: str = "") -> np.random.Generator:
        """The generator of the transform `name`; without a name, the one that several transforms share."""
        words = ("augment", "second" * self.second, name)
        return generator(" ".join(each for each in words if each), self.seed, self.epoch, self.index)

    def partner(self, count: int) -> tuple[int, Streams]:
        """Draw the second sample to mix in, uniformly from the `count` − 1 others: its index and its streams."""
        distance = 1 + int(self.of("partner").integers(count - 1))
        return (self.index + distance) % count, replace(self, second=True)
