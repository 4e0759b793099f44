"""Patches against whole pictures: the same losses and gradients at another cost (paper, sections 3 and 3.1).

A loss that is a sum over the positions of the last layer, l(x; θ) = Σ_ij l'(x_ij; θ), has as its gradient the sum of
the gradients of its terms. So a step on the whole picture equals a step on a batch of all receptive fields of the last
layer. Receptive fields overlap, and the whole picture computes what they share once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fcnlite.analysis.receptive_fields import place, pruned
from fcnlite.arrays import Array, Shape
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import ShapeError
from fcnlite.net import Net


@dataclass(frozen=True)
class Gradients:
    """The loss and its gradients with respect to all parameters and the picture."""

    loss: float
    parameters: dict[str, Array]
    """By layer and index, such as "conv1[0]"."""
    picture: Array

    def difference(self, other: Gradients) -> float:
        """The largest difference of a gradient, relative to the largest value of that gradient."""
        pairs = [(each, other.parameters[name]) for name, each in self.parameters.items()]
        pairs.append((self.picture, other.picture))
        return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


def with_loss(spec: NetSpec, score: str) -> NetSpec:
    """The layers up to `score`, with a softmax loss that is a sum over positions."""
    layers = (
        *pruned(spec, score),
        LayerSpec("label", "Input", top=("label",)),
        LayerSpec("loss", "SoftmaxWithLoss", (score, "label"), ("loss",), {"normalization": "NONE"}),
    )
    return replace(spec, layers=layers)


def receptive_fields(spec: NetSpec, blob: str, picture: Array, positions: tuple[int, int]) -> Array:
    """P×C×h×w: the receptive fields of all positions of `blob`, in row-major order. `picture` is 1×C×H×W.

    Raises as `place` does, and `ShapeError` if a field is not inside the picture: with padding, or a stride that is not
    whole, a field has no equal among the crops of the picture.
    """
    found = place(spec, blob)
    strides = found.whole_stride(blob)
    windows = []
    for axis, placement in enumerate((found.rows, found.columns)):
        first = placement.offset - (placement.field - 1) / 2
        last = first + strides[axis] * (positions[axis] - 1) + placement.field
        if first != 0 or last > picture.shape[2 + axis]:
            raise ShapeError(
                f"the receptive fields of blob {blob!r} span pixels {first} to {last - 1} of "
                f"{picture.shape[2 + axis]}, so padding takes part in them; use a net without pads."
            )
        windows.append((strides[axis], int(placement.field)))
    (down, height), (right, width) = windows
    return np.concatenate(
        [
            picture[:, :, y * down : y * down + height, x * right : x * right + width]
            for y in range(positions[0])
            for x in range(positions[1])
        ]
    )


def whole_gradients(net: Net, picture: Array, label: Array) -> Gradients:
    """Loss and gradients for a whole picture, or a batch: `label` is N×1×h×w, one class for each position."""
    net.forward(data=picture, label=label, keep=True)
    loss = net.loss
    net.backward(wrt=["data"])
    parameters = {name: parameter.grad.copy() for name, parameter in net.learnable()}
    return Gradients(loss, parameters, net.grads["data"])


def patch_gradients(net: Net, score: str, picture: Array, label: Array) -> Gradients:
    """The same, as the sum over the receptive fields of the label's positions.

    The gradients of the picture add where fields overlap. Raises as `receptive_fields` does.
    """
    positions = label.shape[2], label.shape[3]
    batch = receptive_fields(net.spec, score, picture, positions)
    found = whole_gradients(net, batch, label.reshape(-1, 1, 1, 1))
    down, right = place(net.spec, score).whole_stride(score)
    height, width = batch.shape[2:]
    total = np.zeros_like(picture)
    for i, each in enumerate(found.picture):
        y, x = i // positions[1] * down, i % positions[1] * right
        total[0, :, y : y + height, x : x + width] += each
    return replace(found, picture=total)


def macs(net: Net, fed: Mapping[str, Shape]) -> int:
    """Multiply-accumulates of a forward pass on inputs of these shapes."""
    return sum(layer.macs(bottoms, tops) for layer, bottoms, tops in net.shapes(fed))


def seconds(call: Callable[[], object], repeats: int = 3) -> float:
    """The shortest time of `repeats` calls, after one that is not timed."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
