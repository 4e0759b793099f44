"""The exponential moving average of a net's weights, which often segments better than the latest weights.

After the update of iteration t, counted from 0, each average a follows its parameter w:

    a ← a + (1 − d) · (w − a),    d = min(decay, (1 + t) / (10 + t))

The smaller d of the first iterations lets the average forget where training began. After its first update, a is w.

BatchNorm's statistics are not averaged: the averages use the latest ones, which are themselves running means over the
last iterations (20 at a moving_average_fraction of 0.95). With averaged statistics, which lag behind by the length of
both means, nets of generated shapes scored slightly less. Polyak and Juditsky, 1992; the schedule of d is that of
TensorFlow's ExponentialMovingAverage.
"""

from __future__ import annotations

from collections.abc import Mapping

from fcnlite.arrays import Array
from fcnlite.engine.parameter import Parameter
from fcnlite.net import Net

_BLOCK = 1 << 16
"""The number of values that are averaged at a time: few enough for the processor's cache."""


class WeightAverage:
    """The averages of the parameters that `net` learns."""

    def __init__(self, net: Net, decay: float) -> None:
        self._net = net
        self._decay = decay
        self._averages: dict[str, Parameter] = {}

    def update(self, iteration: int) -> None:
        """Follow the parameters after the update of `iteration`."""
        share = 1 - min(self._decay, (1 + iteration) / (10 + iteration))
        for name, parameter in self._net.learnable():
            if name in self._averages:
                _approach(self._averages[name].data, parameter.array, share)
            else:
                self._averages[name] = Parameter(parameter.array.copy())

    def arrays(self) -> dict[str, Array]:
        """The averages, by names such as `conv1_1[0]`; before the first update copies of the parameters."""
        return {
            name: self._averages[name].data if name in self._averages else each.array.copy()
            for name, each in self._net.learnable()
        }

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Continue from these averages; without any, from the parameters after the next update."""
        self._averages = {name: Parameter(each.copy()) for name, each in arrays.items()}

    def averaged_net(self) -> Net:
        """A net in phase TEST that has the averages in place of the parameters, and shares all others."""
        averages = {id(parameter): self._averages.get(name, parameter) for name, parameter in self._net.learnable()}
        params = {name: [averages.get(id(each), each) for each in group] for name, group in self._net.params.items()}
        return self._net.share("TEST", params=params)


def _approach(average: Array, values: Array, share: float) -> None:
    """average += share · (values − average)."""
    into, source = average.reshape(-1), values.reshape(-1)
    for start in range(0, into.size, _BLOCK):
        part = into[start : start + _BLOCK]
        part += part.dtype.type(share) * (source[start : start + _BLOCK] - part)
