"""Deconvolution that interpolates: each channel separately, with the same filter, a column times a row.

The bilinear filters of the FCNs (paper, section 3.3) are of this form, whether written with groups or as a full weight
that is zero off the diagonal. Each output is then a weighted sum of a few inputs along the rows, and of a few of those
along the columns. Where a Crop follows, only its part of the outputs is computed; where a sum with a skip follows, it
is computed in the same pass.

The values of a weight determine whether it has this form; they are checked whenever they change. If a weight does not
have this form, the layers compute the outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.compiler.ir import BackwardStep, ForwardStep, Layout, Operation, Value
from fcnlite.compiler.layouts import from_nchw, planes, to_nchw
from fcnlite.compiler.machine import Machine
from fcnlite.description.shapes import Window
from fcnlite.layers.banding import convolve_backward_weight
from fcnlite.layers.base import BackwardRun, named
from fcnlite.layers.deconvolution import Deconvolution


@dataclass(frozen=True, eq=False)
class InterpolationWeights:
    """For each output along one axis, the inputs that it sums and their weights: H'×T each."""

    places: Array
    weights: Array


class Interpolation(Operation):
    """A deconvolution; then a slice of its outputs (Crop), plus a slice of another value (a skip)."""

    kind = "interpolation"

    def __init__(self, layer: Deconvolution, inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self.layer = layer
        self._whole: Shape = outputs[0].shape
        self.offset = (0, 0)
        """The offset of the slice in the outputs of the deconvolution."""
        self.skip_offset = (0, 0)
        """The offset of the slice in the second input."""

    @property
    def reads(self) -> Layout:
        return Layout.EITHER

    @property
    def enlarges(self) -> bool:
        return True

    @property
    def learns(self) -> str | None:
        return self.layer.spec.name

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        key = "interpolation", self.layers[0], self.inputs[0].shape[2:], self.outputs[0].shape[2:], self.offset
        weights = machine.derive(key, self.layers[:1], lambda _: self._weights(machine))
        if weights is None:
            step.saved = bottom[0], self._forward_by_layers(bottom, top[0], machine)
            return top
        step.saved = bottom[0], weights
        rows, columns = weights
        skip = planes(bottom[1], self.outputs[0]) if len(bottom) > 1 else np.empty((0,) * 4, np.float32)
        machine.kernels.interpolate(
            planes(bottom[0], self.outputs[0]), rows.places, rows.weights, columns.places, columns.weights, skip,
            *self.skip_offset, planes(top[0], self.outputs[0]), machine.threads,
        )  # fmt: skip
        return top

    def _forward_by_layers(self, bottom: list[Array], top: Array, machine: Machine) -> BackwardRun:
        """Write the outputs as the layers compute them; returns what the deconvolution's backward needs."""
        x, *skip = (to_nchw(each, value, machine) for each, value in zip(bottom, self.inputs, strict=True))
        whole, run = machine.run_layer(self.layer, [x], [machine.buffer(self._whole)])
        y = machine.buffer(self.outputs[0].shape) if self.outputs[0].blocked else top
        y[...] = _slice(whole[0], self.offset, self.outputs[0])
        if skip:
            y += _slice(skip[0], self.skip_offset, self.outputs[0])
        if self.outputs[0].blocked:
            machine.kernels.to_blocked(y, top, machine.threads)
        return run

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        """In training it is the whole deconvolution and nothing else."""
        (dy,), (x, saved) = dtop, step.saved
        if isinstance(saved, BackwardRun) or step.dparams[0] is not None:
            nchw_x, nchw_dy = to_nchw(x, self.inputs[0], machine), to_nchw(dy, self.outputs[0], machine)
        if isinstance(saved, BackwardRun):
            saved.needs, saved.dparams = step.needs, step.dparams
            saved.bottom = [nchw_x]
            (found,) = named(self.layer, lambda: self.layer.backward([nchw_dy], saved))
            saved.dparams = ()
            return [None if found is None else from_nchw(found, self.inputs[0], machine)]
        if step.dparams[0] is not None:
            convolve_backward_weight(nchw_dy, nchw_x, self.layer.geometry, step.dparams[0])
        if not step.needs[0]:
            return [None]
        rows, columns = saved
        dx = machine.buffer(x.shape)
        machine.kernels.interpolate_backward(
            planes(dy, self.outputs[0]), rows.places, rows.weights, columns.places, columns.weights,
            planes(dx, self.outputs[0]), machine.threads,
        )  # fmt: skip
        return [dx]

    def describe(self) -> str:
        parts = ["interpolation", *(["crop"] if self.outputs[0].shape != self._whole else [])]
        return ", ".join([*parts, *(["sum"] if len(self.inputs) > 1 else [])])

    def _weights(self, machine: Machine) -> tuple[InterpolationWeights, InterpolationWeights] | None:
        """Along rows and along columns; None if the layers must compute."""
        vectors = separable(self.layer, self.inputs[0].shape[1], machine)
        if vectors is None:
            return None
        sizes, outs = self.inputs[0].shape[2:], self.outputs[0].shape[2:]
        windows = self.layer.geometry.rows, self.layer.geometry.columns
        rows, columns = map(_weights_along, vectors, windows, sizes, outs, self.offset)
        return rows, columns


def separable(layer: Deconvolution, channels: int, machine: Machine) -> tuple[Array, Array] | None:
    """A column and a row whose product is every channel's filter; None if there are none."""
    weight, *bias = (each.array for each in machine.params(layer.spec.name))
    if layer.options.num_output != channels or layer.options.group not in (1, channels):
        return None
    if layer.options.group == 1:
        own = np.arange(len(weight))
        filters = weight[own, own]
        if np.count_nonzero(weight) != np.count_nonzero(filters):
            return None
    else:
        filters = weight[:, 0]
    shared = filters[0]
    if (filters != shared).any() or not shared.any() or any(each.any() for each in bias):
        return None
    i, j = np.unravel_index(np.abs(shared).argmax(), shared.shape)
    column, row = shared[:, j] / shared[i, j], shared[i]
    if not np.allclose(np.outer(column, row), shared, rtol=0, atol=1e-6 * abs(float(shared[i, j]))):
        return None
    return column, row


def _slice(array: Array, offset: tuple[int, int], value: Value) -> Array:
    """The part of an N×C×H×W array that begins at `offset` and has the value's height and width."""
    (y, x), (height, width) = offset, value.shape[2:]
    return array[:, :, y : y + height, x : x + width]


def _weights_along(vector: Array, window: Window, size: int, outs: int, offset: int) -> InterpolationWeights:
    """Output i' = stride · i + k − pad sums input i with weight k (deconvolution.py)."""
    terms = -(-window.size // window.stride)
    out = np.arange(offset, offset + outs)[:, None] + window.pad
    places = out // window.stride - np.arange(terms)
    k = out - window.stride * places
    inside = (places >= 0) & (places < size) & (k < window.size)
    weights = np.where(inside, vector[np.minimum(k, window.size - 1)], 0)
    # A weight of 0 gets an input that the output sums anyway: NaN then reaches no output that it would not reach.
    some = np.take_along_axis(places, inside.argmax(axis=1)[:, None], axis=1)
    return InterpolationWeights(np.where(inside, places, some).astype(np.int32), weights.astype(np.float32))
