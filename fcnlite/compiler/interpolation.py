"""Deconvolution that only interpolates: every channel by itself, by one kernel that is a column times a row.

So it is with the bilinear kernels of the FCNs (paper, section 3.3), whether written with groups or with a full weight
that is zero off the diagonal. Each output is then a weighted sum of few inputs along the rows, and of few of those
along the columns. Crop takes a window of the outputs, and only that is computed; a sum with a skip goes along.

Whether a weight is such a kernel is seen from its values, whenever they have changed; if not, the layers themselves
compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite.compiler.ir import Machine, Operation, Run, Value, as_plain, in_layout, planes
from fcnlite.description.shapes import Shape, Window
from fcnlite.layers.base import Array, BackwardRun, named
from fcnlite.layers.columns import convolve_backward_weight
from fcnlite.layers.deconvolution import Deconvolution


@dataclass(frozen=True, eq=False)
class Taps:
    """Along one axis: which inputs each output sums (H'×T), and with which weights."""

    places: Array
    weights: Array


class Interpolation(Operation):
    """A deconvolution; then a window of its outputs (Crop), plus a window of another value (a skip)."""

    kind = "interpolation"

    def __init__(self, layer: Deconvolution, inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self.layer = layer
        self._whole: Shape = outputs[0].shape
        self.offset = (0, 0)
        """Of the window in what the deconvolution makes."""
        self.skip_offset = (0, 0)
        """Of the window in the second input."""

    @property
    def learns(self) -> str | None:
        return self.layer.spec.name

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        key = "taps", self.layers[0], self.inputs[0].shape[2:], self.outputs[0].shape[2:], self.offset
        taps = machine.prepare(key, self.layers[:1], lambda _: self._taps(machine))
        run.bottom = bottom
        if taps is None:
            self._by_layers(bottom, top[0], run, machine)
            return top
        rows, columns = run.saved = taps
        skip = planes(bottom[1], self.outputs[0]) if len(bottom) > 1 else np.empty((0,) * 4, np.float32)
        machine.kernels.interpolate(
            planes(bottom[0], self.outputs[0]), rows.places, rows.weights, columns.places, columns.weights, skip,
            *self.skip_offset, planes(top[0], self.outputs[0]), machine.threads,
        )  # fmt: skip
        return top

    def _by_layers(self, bottom: list[Array], top: Array, run: Run, machine: Machine) -> None:
        """What the layers compute."""
        x, *skip = (as_plain(each, value, machine) for each, value in zip(bottom, self.inputs, strict=True))
        whole, run.saved = machine.run_layer(self.layer, [x], [machine.buffer(self._whole)])
        y = machine.buffer(self.outputs[0].shape) if self.outputs[0].blocked else top
        y[...] = _window(whole[0], self.offset, self.outputs[0])
        if skip:
            y += _window(skip[0], self.skip_offset, self.outputs[0])
        if self.outputs[0].blocked:
            machine.kernels.to_blocked(y, top, machine.threads)

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        """In training it is the whole deconvolution and nothing else."""
        (dy,), (x,) = dtop, run.bottom
        if isinstance(run.saved, BackwardRun) or run.dparams[0] is not None:
            plain_x, plain_dy = as_plain(x, self.inputs[0], machine), as_plain(dy, self.outputs[0], machine)
        if isinstance(run.saved, BackwardRun):
            run.saved.needs, run.saved.dparams = run.needs, run.dparams
            run.saved.bottom = [plain_x]
            (found,) = named(self.layer, lambda: self.layer.backward([plain_dy], run.saved))
            return [None if found is None else in_layout(found, self.inputs[0], machine)]
        if run.dparams[0] is not None:
            convolve_backward_weight(plain_dy, plain_x, self.layer.kernel, run.dparams[0])
        if not run.needs[0]:
            return [None]
        rows, columns = run.saved
        dx = machine.buffer(x.shape)
        machine.kernels.interpolate_backward(
            planes(dy, self.outputs[0]), rows.places, rows.weights, columns.places, columns.weights,
            planes(dx, self.outputs[0]), machine.threads,
        )  # fmt: skip
        return [dx]

    def describe(self) -> str:
        parts = ["interpolation", *(["crop"] if self.outputs[0].shape != self._whole else [])]
        return ", ".join([*parts, *(["sum"] if len(self.inputs) > 1 else [])])

    def _separable(self, machine: Machine) -> tuple[Array, Array] | None:
        """A column and a row whose product is every channel's kernel; None if there are none such."""
        weight, *bias = (each.array for each in machine.params(self.layers[0]))
        if self.layer.options.group == 1:
            channels = np.arange(len(weight))
            kernels = weight[channels, channels]
            if np.count_nonzero(weight) != np.count_nonzero(kernels):
                return None
        else:
            kernels = weight[:, 0]
        kernel = kernels[0]
        if (kernels != kernel).any() or not kernel.any() or any(each.any() for each in bias):
            return None
        i, j = np.unravel_index(np.abs(kernel).argmax(), kernel.shape)
        column, row = kernel[:, j] / kernel[i, j], kernel[i]
        if not np.allclose(np.outer(column, row), kernel, rtol=0, atol=1e-6 * abs(float(kernel[i, j]))):
            return None
        return column, row

    def _taps(self, machine: Machine) -> tuple[Taps, Taps] | None:
        """Along rows and along columns; None where the layers themselves must compute."""
        kernels = self._separable(machine)
        if kernels is None:
            return None
        sizes, outs = self.inputs[0].shape[2:], self.outputs[0].shape[2:]
        windows = self.layer.kernel.rows, self.layer.kernel.columns
        rows, columns = map(_taps_along, kernels, windows, sizes, outs, self.offset)
        return rows, columns


def _window(array: Array, offset: tuple[int, int], value: Value) -> Array:
    """Of an array N×C×H×W the part of the value's size at a place."""
    (y, x), (height, width) = offset, value.shape[2:]
    return array[:, :, y : y + height, x : x + width]


def _taps_along(kernel: Array, window: Window, size: int, outs: int, offset: int) -> Taps:
    """Output i' = stride · i + k − pad sums input i with weight k (deconvolution.py)."""
    taps = -(-window.kernel // window.stride)
    out = np.arange(offset, offset + outs)[:, None] + window.pad
    places = out // window.stride - np.arange(taps)
    k = out - window.stride * places
    inside = (places >= 0) & (places < size) & (k < window.kernel)
    weights = np.where(inside, kernel[np.minimum(k, window.kernel - 1)], 0)
    # With a weight of 0 stands another input that the output sums, so that NaN reaches nobody whom it would not anyway.
    some = np.take_along_axis(places, inside.argmax(axis=1)[:, None], axis=1)
    return Taps(np.where(inside, places, some).astype(np.int32), weights.astype(np.float32))
