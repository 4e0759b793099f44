"""Learned deconvolution of blocked arrays by sub-pixels: a convolution for each remainder of the outputs' places.

Input i and weight k of a deconvolution of stride s add to output s·i + k − p. So the outputs i' with (i' + p) mod s = r
see the weights r, r + s, … only: with i' + p = s·m + r,

    y[i'] = Σ_t w[r + s·t] · x[m − t]

which is a convolution of stride 1 with ⌈(K − r)/s⌉ weights. Each one writes every s-th row and column of the top. No
product is with a zero, and nothing is scattered and summed. (Shi et al., 2016, call it sub-pixel convolution.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.convolution.direct import Direct, DirectWork
from fcnlite.compiler.convolution.operation import Slopes, Weights
from fcnlite.compiler.convolution.problem import PreparedWeights, Problem, rows_at, with_biases
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.ir import ForwardStep, Layout, Operation, SetUp, Value
from fcnlite.compiler.machine import Machine
from fcnlite.description.shapes import Window
from fcnlite.layers.deconvolution import Deconvolution


@dataclass(frozen=True, eq=False)
class SubPixels:
    """The outputs of one remainder along one axis."""

    first: int
    """The first of them."""
    taps: slice
    """The weights that they see, backwards."""
    sources: Array
    """The input for each position that the window of these weights passes over; −1 is zero."""


def sub_pixels(window: Window, size: int, out: int) -> list[SubPixels]:
    """Those of each remainder that has outputs, for `size` inputs and `out` outputs."""
    found = []
    for remainder in range(window.stride):
        first = (remainder - window.pad) % window.stride
        if first >= out:
            continue
        count, terms = -(-(out - first) // window.stride), -(-(window.size - remainder) // window.stride)
        places = (first + window.pad) // window.stride + np.arange(1 - terms, count)
        last = remainder + window.stride * (terms - 1)
        taps = slice(last, remainder - window.stride if remainder >= window.stride else None, -window.stride)
        found.append(SubPixels(first, taps, rows_at(np.arange(size), places)))
    return found


class DeconvolutionOperation(Operation):
    """A deconvolution layer. Only in inference."""

    kind = "deconvolution"

    def __init__(self, layer: Deconvolution, inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self.weights: Weights = self._own_weights
        self.slopes: Slopes | None = None
        self._group = layer.geometry.group
        self._windows = layer.geometry.rows, layer.geometry.columns
        (n, channels, *size), (_, count, *out) = inputs[0].shape, outputs[0].shape
        self._parts = list(product(*map(sub_pixels, self._windows, size, out)))
        self.problems = [
            Problem(
                n,
                channels,
                count,
                (Window(_length(rows, out[0], self._windows[0])), Window(_length(columns, out[1], self._windows[1]))),
                (rows.sources, columns.sources),
                (size[0], size[1]),
                self._group,
            )
            for rows, columns in self._parts
        ]
        """A convolution for each pair of remainders."""

    @staticmethod
    def suits(layer: Deconvolution, channels: int) -> bool:
        """Whether each output has an input, and groups, if there are several, consist of whole blocks of channels."""
        rows, columns = layer.geometry.rows, layer.geometry.columns
        dense = all(each.dilation == 1 and each.stride <= each.size for each in (rows, columns))
        window = Window(1), Window(1)
        no = np.arange(1)
        p = Problem(1, channels, layer.options.num_output, window, (no, no), (1, 1), layer.geometry.group)
        return dense and Direct.suits(p)

    def rectify(self, slopes: Slopes | None, limit: float) -> None:
        """End in max(x, 0), plus slopes · min(x, 0); then values above `limit` become `limit`."""
        self.problems = [replace(each, relu=True, limit=limit) for each in self.problems]
        self.slopes = slopes

    def _own_weights(self, machine: Machine) -> tuple[Array, Array | None]:
        """O×C/G×KH×KW and the bias."""
        weight, *bias = (each.array for each in machine.params(self.layers[0]))
        parts = weight.reshape(self._group, -1, *weight.shape[1:]).swapaxes(1, 2)
        return parts.reshape(-1, *parts.shape[2:]), bias[0] if bias else None

    @property
    def reads(self) -> Layout:
        return Layout.BLOCKED

    @property
    def learns(self) -> str | None:
        return self.layers[0]

    def set_up(self, machine: Machine) -> SetUp:
        _, _, *whole = self.outputs[0].shape
        spread = self._windows[0].stride, self._windows[1].stride
        works = [
            Direct().sliding(p, machine, (rows.first, columns.first), spread, (whole[0], whole[1]))
            for p, (rows, columns) in zip(self.problems, self._parts, strict=True)
        ]
        return SetUp(scratch=max(each.scratch for each in works), work=works)

    def _prepared(self, machine: Machine) -> list[PreparedWeights]:
        """The weights of each convolution."""

        def make(old: list[PreparedWeights] | None) -> list[PreparedWeights]:
            weight, bias = self.weights(machine)
            slopes = None if self.slopes is None else self.slopes.of_channels(len(weight), machine)
            found = []
            for i, (p, (rows, columns)) in enumerate(zip(self.problems, self._parts, strict=True)):
                part = np.ascontiguousarray(weight[:, :, rows.taps, columns.taps])
                into = None if old is None else old[i].filters
                found.append(with_biases(Direct().prepare(part, p, machine, into=into), bias, slopes, p))
            return found

        key = "sub-pixels", self.layers, self.slopes, self.inputs[0].shape[2:]
        made: list[PreparedWeights] = machine.derive(key, self.layers, make)
        return made

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        works: list[DirectWork] = step.work
        for p, weights, work in zip(self.problems, self._prepared(machine), works, strict=True):
            Direct().forward(bottom[0], top[0], weights, p, work, step.scratch, machine)
        return top

    def cost(self, threads: int) -> Cost:
        return sum((Direct().cost(p) for p in self.problems), super().cost(threads))

    def describe(self) -> str:
        first = self.problems[0]
        rectifier = "PReLU" if self.slopes and self.slopes.prelu else "ReLU" if first.limit == math.inf else "ReLU6"
        return ", ".join(["deconvolution (sub-pixels)", *([rectifier] if first.relu else [])])


def _length(part: SubPixels, out: int, window: Window) -> int:
    """The number of weights that these outputs see."""
    return len(part.sources) - (-(-(out - part.first) // window.stride)) + 1
