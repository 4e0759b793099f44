"""Convolution of blocked arrays, with what follows it: bias, sum, ReLU, PReLU or ReLU6, 2×2 pooling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.compiler.convolution import first_pass
from fcnlite.compiler.convolution.algorithms import Algorithm, WeightsAlgorithm, candidates, cheapest, seconds_of
from fcnlite.compiler.convolution.depthwise import Depthwise
from fcnlite.compiler.convolution.direct import Direct
from fcnlite.compiler.convolution.im2col import Im2col
from fcnlite.compiler.convolution.problem import PreparedWeights, Problem, with_biases
from fcnlite.compiler.convolution.winograd import Winograd
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.ir import BLOCK, Axis, BackwardStep, ForwardStep, Layout, Operation, SetUp, SlidingWindow, Value
from fcnlite.compiler.layouts import from_nchw, sum_repeats, to_nchw
from fcnlite.compiler.machine import Derived, Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.description.shapes import Window
from fcnlite.files import release
from fcnlite.layers.banding import convolve_backward_data
from fcnlite.layers.columns import Geometry
from fcnlite.layers.convolution import Convolution

Weights = Callable[[Machine], tuple[Array, Array | None]]
"""Gives the weight, O×C×KH×KW, and the bias, if there is one."""

ADDING = Direct, Depthwise, Winograd
"""The algorithms that add a blocked summand to the top."""
LIMITING = Direct, Depthwise
"""The algorithms that apply `Problem.limit`."""
PREPARED_TRAFFIC = 6
"""The number of times that a training step reads or writes prepared weights, including their preparation."""


@dataclass(frozen=True)
class Slopes:
    """The factors of values below zero: a PReLU's parameter, or the number of a ReLU that has one."""

    prelu: str | None
    """The PReLU's name."""
    negative_slope: float = 0
    """The ReLU's."""

    def of_channels(self, channels: int, machine: Machine) -> Array:
        """One factor for each channel."""
        if self.prelu is None:
            return np.full(channels, self.negative_slope, np.float32)
        return np.broadcast_to(machine.params(self.prelu)[0].array, channels)  # the channels may share one number


@dataclass(frozen=True, eq=False)
class BackwardData:
    """The computation of the bottom's gradient as a convolution of the top's."""

    problem: Problem
    algorithm: Algorithm
    work: Any


@dataclass(frozen=True, eq=False)
class BackwardWeights:
    """The computation of the weight's gradient."""

    algorithm: WeightsAlgorithm
    work: Any


@dataclass(frozen=True, eq=False)
class ConvolutionWork:
    """The set-up of the algorithms of forward and backward."""

    forward: Any
    weights: Derived
    """The prepared weights."""
    backward_data: BackwardData | Winograd | None = None
    """A convolution, or Winograd's algorithm in reverse; None to compute as on the reference path."""
    backward_weights: BackwardWeights | None = None
    """None in inference."""


def _ready(
    filters: Array, bias: Array | None, slopes: Array | None, algorithm: Algorithm, p: Problem
) -> PreparedWeights:
    """The filters that an algorithm has prepared, with biases and slopes in its groups; Depthwise has one group."""
    return with_biases(filters, bias, slopes, replace(p, group=1) if isinstance(algorithm, Depthwise) else p)


def problem_of(layer: Convolution, bottom: Shape) -> Problem:
    """The problem of a layer for a bottom of this shape."""
    n, channels, height, width = bottom
    return Problem(
        n,
        channels,
        layer.options.num_output,
        (layer.geometry.rows, layer.geometry.columns),
        (np.arange(height), np.arange(width)),
        (height, width),
        layer.geometry.group,
    )


class ConvolutionOperation(Operation):
    """A convolution layer, whose `problem` is computed by `algorithm`. A second input is added before the rectifier."""

    kind = "convolution"

    def __init__(self, layer: Convolution, inputs: list[Value], outputs: list[Value], training: bool) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self.problem = replace(problem_of(layer, inputs[0].shape), training=training)
        self.algorithm: Algorithm = candidates(self.problem)[0]
        self.weights: Weights = self._own_weights
        self.slopes: Slopes | None = None
        """Factors of values below zero, if `problem.relu` is a rectifier with slopes."""
        self.margin_values: Callable[[Machine], Array] | None = None
        """Returns the values in the problem's margins: one for each channel of the blocked top."""

    @classmethod
    def lower(cls, operation: LayerOperation, training: bool) -> ConvolutionOperation | None:
        layer = operation.layer
        if type(layer) is not Convolution:
            return None
        return cls(layer, operation.inputs, operation.outputs, training)

    def rectify(self, slopes: Slopes | None, limit: float) -> None:
        """End in max(x, 0), plus slopes · min(x, 0); then values above `limit` become `limit`."""
        self.change(relu=True, limit=limit)
        self.slopes = slopes

    def change(self, **what: Any) -> None:
        """Change the problem."""
        self.problem = replace(self.problem, **what)

    def _own_weights(self, machine: Machine) -> tuple[Array, Array | None]:
        weight, *bias = (each.array for each in machine.params(self.layers[0]))
        return weight, bias[0] if bias else None

    @property
    def calls_blas(self) -> bool:
        return isinstance(self.algorithm, Im2col)

    # Declarations for the passes

    @property
    def reads(self) -> Layout:
        return Layout.BLOCKED if self.algorithm.reads_blocked else Layout.NCHW

    @property
    def writes(self) -> Layout:
        return Layout.BLOCKED if self.algorithm.writes_blocked else Layout.NCHW

    def sliding_windows(self, axis: Axis) -> Sequence[SlidingWindow]:
        own = SlidingWindow(self.problem.windows[axis])
        return [own, SlidingWindow(Window(2, 2), "CEIL")] if self.problem.pool else [own]

    @property
    def gathers_rows(self) -> bool:
        return True

    def infer_shape(self) -> None:
        height, width = self.inputs[0].shape[2:]
        if self.problem.size != (height, width):
            self.change(size=(height, width), sources=(np.arange(height), np.arange(width)))
        self.outputs[0].shape = (*self.outputs[0].shape[:2], *self.problem.top_size)

    def remove_padding(self) -> None:
        rows, columns = (replace(each, pad=0) for each in self.problem.windows)
        self.change(windows=(rows, columns))

    @property
    def thin(self) -> bool:
        """Whether it interleaves the few channels of a net's input in each pixel."""
        return isinstance(self.algorithm, Direct) and self.algorithm.thin

    @property
    def learns(self) -> str | None:
        return self.layers[0]

    def cost(self, threads: int) -> Cost:
        return super().cost(threads) + self.algorithm.cost(self.problem)

    def describe(self) -> str:
        p = self.problem
        rectifier = (
            "PReLU" if self.slopes and self.slopes.prelu else "ReLU" if p.limit == math.inf else f"ReLU{p.limit:g}"
        )
        words = ("sum", len(self.inputs) > 1), (rectifier, p.relu), ("pool", p.pool)
        after = [word for word, there in words if there]
        dilated = "" if all(each.dilation == 1 for each in p.windows) else "dilated "
        return ", ".join([f"{dilated}convolution ({self.algorithm.name(p)})", *after])

    # Forward

    def set_up(self, machine: Machine) -> SetUp:
        forward = self.algorithm.set_up(self.problem, machine)
        work = ConvolutionWork(forward, self.weights_in(machine))
        if self.problem.training:
            backward_weights = self._backward_weights_algorithm(forward, machine)
            work = replace(
                work, backward_data=self._backward_data_algorithm(machine), backward_weights=backward_weights
            )
        return SetUp(scratch=forward.scratch, work=work)

    def weights_in(self, machine: Machine) -> Derived:
        """The weights as the algorithm reads them, which all plans share."""
        return machine.derived_from(self.layers, (self._layers_with_params(machine), self.algorithm, self.slopes))

    def prepared(self, weights: Derived, machine: Machine) -> PreparedWeights:
        """The current ones of `weights_in`."""

        def make(old: PreparedWeights | None) -> PreparedWeights:
            weight, bias = self.weights(machine)
            into = None if old is None else old.filters
            filters = self.algorithm.prepare(weight, self.problem, machine, into=into)
            release(weight)
            return self._with_biases(filters, bias, machine)

        found: PreparedWeights = weights.current(make)
        return found

    def _with_biases(self, filters: Array, bias: Array | None, machine: Machine) -> PreparedWeights:
        slopes = None if self.slopes is None else self.slopes.of_channels(self.problem.outputs, machine)
        return _ready(filters, bias, slopes, self.algorithm, self.problem)

    def _layers_with_params(self, machine: Machine) -> tuple[str, ...]:
        """Its layers that have parameters: the prepared weights depend on no others."""
        return tuple(each for each in self.layers if machine.params(each))

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        (x, *add), (y,) = bottom, top
        step.saved = x, y
        work: ConvolutionWork = step.work
        p, algorithm = self.problem, self.algorithm
        once = machine.derived.first_pass and work.weights.value is None and not add
        if once and first_pass.suits(algorithm, p, work.forward):
            weight, bias = self.weights(machine)
            biases = self._with_biases(weight, bias, machine)
            first_pass.forward(algorithm, x, y, weight, biases, p, work.forward, step.scratch, machine)
        elif isinstance(algorithm, ADDING):
            weights = self.prepared(work.weights, machine)
            algorithm.forward(x, y, weights, p, work.forward, step.scratch, machine, *add)
        else:
            weights = self.prepared(work.weights, machine)
            algorithm.forward(x, y, weights, p, work.forward, step.scratch, machine)
        if p.limit < math.inf and not isinstance(algorithm, LIMITING):
            np.minimum(y, np.float32(p.limit), out=y)
        self.fill_margins(y, machine)
        return top

    @property
    def leaves_margins(self) -> bool:
        """Whether the algorithm leaves out the margins."""
        return self.margin_values is not None and isinstance(self.algorithm, Winograd)

    def fill_margins(self, y: Array, machine: Machine) -> None:
        """Write the margins if the algorithm leaves them out."""
        if self.leaves_margins:
            assert self.margin_values is not None
            machine.kernels.fill_margins(self.margin_values(machine), *self.problem.margins, y, machine.threads)

    # Backward

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        weight, _ = self.weights(machine)
        x, y = step.saved
        work: ConvolutionWork = step.work
        dweight, *dbias = step.dparams
        dy = self._backward_relu(dtop[0], y, dbias[0] if dbias else None, machine)
        if dweight is not None:
            assert work.backward_weights is not None
            self._backward_weights(x, dy, dweight, work.backward_weights, machine)
        return [self._backward_data(dy, weight, work, machine) if step.needs[0] else None]

    def _backward_relu(self, dy: Array, y: Array, dbias: Array | None, machine: Machine) -> Array:
        """The gradient of ReLU's input; writes the bias's gradient in the same pass."""
        if not self.outputs[0].blocked:
            if self.problem.relu:
                dy = np.multiply(dy, y > 0, out=machine.buffer(dy.shape))
            if dbias is not None:
                dy.sum(axis=(0, 2, 3), out=dbias)
            return dy
        none = np.empty((0,) * 5, np.float32)
        sums = np.empty((dy.shape[1], BLOCK), np.float32)
        if self.problem.relu:
            gated = machine.buffer(dy.shape)
            machine.kernels.relu_backward(dy, y, gated, sums, machine.threads)
            dy = gated
        elif dbias is not None:
            machine.kernels.relu_backward(dy, none, none, sums, machine.threads)
        if dbias is not None:
            dbias[...] = sums.reshape(-1)[: dbias.size]
        return dy

    def _backward_weights(self, x: Array, dy: Array, dweight: Array, how: BackwardWeights, machine: Machine) -> None:
        if isinstance(how.algorithm, Im2col):
            x, dy = to_nchw(x, self.inputs[0], machine), to_nchw(dy, self.outputs[0], machine)
        scratch = machine.buffer((how.algorithm.backward_weights_scratch(self.problem, machine),))
        how.algorithm.backward_weights(x, dy, dweight, self.problem, how.work, scratch, machine)

    def _backward_data(self, dy: Array, weight: Array, work: ConvolutionWork, machine: Machine) -> Array:
        """The gradient of the bottom's array."""
        how = work.backward_data
        if isinstance(how, Winograd):
            dx = machine.buffer(self.inputs[0].memory_shape)
            scratch = machine.buffer((how.backward_data_scratch(self.problem, machine),))
            how.backward_data(
                dy, dx, self.prepared(work.weights, machine), self.problem, work.forward, scratch, machine
            )
            return dx
        return self._backward_seen(dy, weight, how, machine)

    def _backward_seen(self, dy: Array, weight: Array, how: BackwardData | None, machine: Machine) -> Array:
        """The gradient of the bottom as the layer sees it, then summed over the rows that repeat."""
        bottom, p = self.inputs[0], self.problem
        seen = Value(bottom.name, (*bottom.shape[:2], *(len(each) for each in p.sources)), bottom.blocked)
        if how is None:
            nchw = to_nchw(dy, self.outputs[0], machine)
            height, width = seen.shape[2:]
            made = convolve_backward_data(nchw, weight, self._geometry, height, width, machine.buffer(seen.shape))
            dx = from_nchw(made, seen, machine)
        else:
            filters = machine.derive(
                (self._layers_with_params(machine), how.algorithm, "backward data"),
                self.layers,
                lambda old: how.algorithm.prepare(weight, how.problem, machine, transposed=True, into=old),
            )
            weights = _ready(filters, None, None, how.algorithm, how.problem)
            dx = machine.buffer(seen.memory_shape)
            scratch = machine.buffer((how.work.scratch,))
            how.algorithm.forward(dy, dx, weights, how.problem, how.work, scratch, machine)
        return dx if p.own_rows else sum_repeats(dx, p.sources, p.size, machine)

    @property
    def _geometry(self) -> Geometry:
        """The windows over the bottom as the layer sees it; if rows repeat, `sources` contains the pad."""
        return Geometry(*self.problem.windows, self.problem.group)

    def _backward_weights_algorithm(self, forward: Any, machine: Machine) -> BackwardWeights:
        """How the weight's gradient is computed. The tiles may be larger than in forward: the last digits of these sums
        decide no pooling.
        """
        algorithm: WeightsAlgorithm = Im2col()
        if isinstance(self.algorithm, Direct) and self.algorithm.thin:
            algorithm = self.algorithm
        elif isinstance(self.algorithm, Winograd):
            p = replace(self.problem, training=False)
            larger = cheapest(p, machine, [each for each in candidates(p) if isinstance(each, Winograd)])
            assert isinstance(larger, Winograd)
            algorithm = larger
        work = forward if algorithm == self.algorithm else algorithm.set_up(self.problem, machine)
        return BackwardWeights(algorithm, work)

    def _backward_data_algorithm(self, machine: Machine) -> BackwardData | Winograd | None:
        """The fastest way to the bottom's gradient, as predicted: a convolution with transposed filters, which every
        step prepares, or Winograd's algorithm in reverse, with the filters of forward. None for the reference path's.
        """
        p = self.problem.backward_data()
        layouts = self.algorithm.writes_blocked, self.algorithm.reads_blocked
        # None for a thin bottom.
        found = [each for each in candidates(p) if (each.reads_blocked, each.writes_blocked) == layouts]
        if not found or any(each.stride != 1 for each in self.problem.windows):
            return None
        algorithm = cheapest(p, machine, found, PREPARED_TRAFFIC)
        seconds = seconds_of(algorithm, p, machine, PREPARED_TRAFFIC)
        own = self.algorithm
        if isinstance(own, Winograd) and own.backward_data_cost(self.problem).seconds(machine.threads) < seconds:
            return own
        return BackwardData(p, algorithm, algorithm.set_up(p, machine))
