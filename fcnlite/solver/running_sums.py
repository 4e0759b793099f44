"""BatchNorm's running sums, where groups of ranks compute different passes of an iteration at the same time.

With the moving average fraction f, a pass changes a running sum s to f · s + a, and a does not depend on s. So each
group finds the a of its passes, from sums of zero, and all of them are then added in the order of the passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fcnlite.arrays import Array
from fcnlite.layers.batch_norm import BatchNorm
from fcnlite.net import Net


class RunningSums:
    """The running sums of the batch statistics of `net`, and the values that they have now."""

    def __init__(self, net: Net) -> None:
        layers = [each for each in net.layers if isinstance(each, BatchNorm) and each.updates_params]
        found = [(each, layer.options) for layer in layers for each in net.params.get(layer.spec.name, ())]
        self._parameters = [parameter for parameter, _ in found]
        self._fractions = [each.array.dtype.type(options.moving_average_fraction) for each, options in found]
        self._before = self.values()

    def values(self) -> list[Array]:
        """The present values, copied."""
        return [each.array.copy() for each in self._parameters]

    def clear(self) -> None:
        """Set all sums to zero."""
        self._write([0.0 * each for each in self._before])

    def restore(self) -> None:
        """Set all sums to the values that they had when this object was made."""
        self._write(self._before)

    def set(self, added: Iterable[Sequence[Array]]) -> None:
        """Set the sums to those after the passes that added `added` to sums of zero, from the values before."""
        sums = self._before
        for each in added:
            sums = [f * s + a for f, s, a in zip(self._fractions, sums, each, strict=True)]
        self._write(sums)

    def _write(self, values: Sequence[Array]) -> None:
        for parameter, each in zip(self._parameters, values, strict=True):
            parameter.data = each
