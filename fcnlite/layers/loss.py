"""Shared code of the losses: the positions that count, and the divisor of their sum (Caffe's LossParameter).

    loss = Σ_i loss_i / Z        dx = dloss · Σ_i ∂loss_i/∂x / Z

The sums are over the positions i of the whole batch whose label is not ignore_label. `normalization` selects Z: VALID
the number of these positions, FULL the number of all positions, BATCH_SIZE the number of pictures, NONE 1; Z is never
below 1. Without normalization, the older option `normalize` means VALID if true and BATCH_SIZE if false.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.layers.base import Layer
from fcnlite.ranks.shard import Shard

Normalization = Literal["FULL", "VALID", "BATCH_SIZE", "NONE"]


@dataclass(frozen=True)
class LossOptions:
    ignore_label: int | None = None
    normalization: Normalization | None = None
    normalize: bool | None = None


class Loss(Layer):
    """A layer whose bottoms are scores and their targets, and whose first top is the loss, a scalar."""

    Options = LossOptions
    bottoms = (2, 2)
    is_loss = True
    no_gradient = frozenset({1})
    default_normalization: ClassVar[Normalization] = "VALID"
    """The normalization if neither normalization nor normalize is given."""

    def check(self) -> None:
        o = self.options
        older = {True: "VALID", False: "BATCH_SIZE", None: self.default_normalization}[o.normalize]
        self.normalization = o.normalization or older

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        return [()]

    def of_batch(self, losses: float, counted: Array, pictures: int, shard: Shard) -> tuple[float, float]:
        """The loss and Z, given the sum of the losses here and a mask of the positions that count."""
        counts: dict[str, int] = {
            "VALID": int(np.count_nonzero(counted)),
            "FULL": counted.size,
            "BATCH_SIZE": pictures,
            "NONE": 0,
        }
        total, count = shard.totals(losses, counts[self.normalization])
        z = max(1.0, float(count))
        return total / z, z

    def placement(self) -> None:
        return None
