"""Channels of all groups mixed (ShuffleChannel of ShuffleNet: farmingyard/ShuffleNet).

    y[n, j · group + i] = x[n, i · C/group + j] for channel j of group i        dx by the opposite order

bottom and top N×C×…. Option: group 1, a divisor of C.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class ShuffleChannelOptions:
    group: int = 1


@register
class ShuffleChannel(Layer):
    type = "ShuffleChannel"
    messages = ("shuffle_channel_param",)
    Options = ShuffleChannelOptions

    def check(self) -> None:
        if self.options.group < 1:
            raise SpecError(f"group is {self.options.group}; expected at least 1.")

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        (x,), group = bottom, self.options.group
        if len(x) < 2 or x[1] % group:
            raise ShapeError(f"{x[1] if len(x) > 1 else 1} channels cannot be split into {group} groups")
        return [x]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        return [_mixed(bottom[0], self.options.group)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        return [_mixed(dtop[0], dtop[0].shape[1] // self.options.group)]


def _mixed(x: Array, groups: int) -> Array:
    """x, with the first channel of every group, then the second of every group, and so on."""
    n, channels, *rest = x.shape
    return np.array(x.reshape(n, groups, channels // groups, *rest).swapaxes(1, 2), order="C").reshape(x.shape)
