"""Interp: bilinear interpolation to another size with aligned corners, in either layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.ir import ForwardStep, Layout, SetUp, Value
from fcnlite.compiler.layouts import planes
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers.base import Layer
from fcnlite.layers.forks.interp import Interp, positions


@dataclass(frozen=True, eq=False)
class ResizingWork:
    """For each output along one axis, the two inputs that it sums and their weights: H'×2 each."""

    places: Array
    weights: Array


class Resizing(LayerOperation):
    """Interp. Only in inference."""

    kind = "interpolation"

    @classmethod
    def lower(cls, operation: LayerOperation, training: bool) -> LayerOperation | None:
        return None if training else super().lower(operation, training)

    @staticmethod
    def suits(layer: Layer, bottom: Value) -> bool:
        return type(layer) is Interp

    @property
    def reads(self) -> Layout:
        return Layout.EITHER

    @property
    def enlarges(self) -> bool:
        return self.outputs[0].floats > self.inputs[0].floats

    def set_up(self, machine: Machine) -> SetUp:
        assert isinstance(self.layer, Interp)
        work = []
        for size, out in zip(self.inputs[0].shape[2:], self.outputs[0].shape[2:], strict=True):
            left = self.layer.cropped(size)
            first, distance = positions(left, out)
            second = np.minimum(first + 1, left - 1)
            # An input of weight 0 is not read: NaN then reaches no output that it would not reach.
            places = np.stack([first, np.where(distance > 0, second, first)], axis=1) - self.layer.options.pad_beg
            weights = np.stack([1 - distance, distance], axis=1)
            work.append(ResizingWork(places.astype(np.int32), weights.astype(np.float32)))
        return SetUp(work=work)

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        rows, columns = step.work
        machine.kernels.interpolate(
            planes(bottom[0], self.outputs[0]), rows.places, rows.weights, columns.places, columns.weights,
            np.empty((0,) * 4, np.float32), 0, 0, planes(top[0], self.outputs[0]), machine.threads,
        )  # fmt: skip
        return top
