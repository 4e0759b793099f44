"""Convolution on blocked arrays, with what follows it at once: bias, ReLU, 2×2 pooling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fcnlite.compiler.algorithms import Algorithm, candidates, cheapest, seconds_of
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.direct import Direct
from fcnlite.compiler.im2col import Im2col
from fcnlite.compiler.ir import BLOCK, Machine, Operation, Value, as_plain, in_layout, sum_repeats
from fcnlite.compiler.problem import Prepared, Problem, with_biases
from fcnlite.compiler.winograd import Winograd
from fcnlite.files import release
from fcnlite.layers import convolution
from fcnlite.layers.base import Array, Run, Shape
from fcnlite.layers.columns import Kernel, convolve_backward_data

Weights = Callable[[Machine], tuple[Array, Array | None]]
"""Gives the kernels, O×C×KH×KW, and the biases, as far as there are any."""


@dataclass(frozen=True)
class Slopes:
    """What values below zero are multiplied by: a PReLU's parameter, or the number of a ReLU that has one."""

    prelu: str | None
    """The PReLU's name."""
    negative_slope: float = 0
    """The ReLU's."""

    def of_channels(self, channels: int, machine: Machine) -> Array:
        """One for each of so many."""
        if self.prelu is None:
            return np.full(channels, self.negative_slope, np.float32)
        return np.broadcast_to(machine.params(self.prelu)[0].array, channels)  # one number, where they share it


Turned = tuple[Problem, Algorithm, Any]
"""The convolution that carries gradients down, how it is computed, and how that goes about it."""

PREPARED_TRAFFIC = 6
"""How often prepared weights go to or from memory in a step of training, counting what making them costs."""


def problem_of(layer: convolution.Convolution, bottom: Shape) -> Problem:
    """What a layer computes of a bottom of this shape."""
    n, channels, height, width = bottom
    return Problem(
        n,
        channels,
        layer.options.num_output,
        (layer.kernel.rows, layer.kernel.columns),
        (np.arange(height), np.arange(width)),
        (height, width),
        layer.kernel.group,
    )


class Convolution(Operation):
    """A convolution layer; `problem` says what, `algorithm` how."""

    kind = "convolution"

    def __init__(
        self, layer: convolution.Convolution, inputs: list[Value], outputs: list[Value], training: bool
    ) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self.layer = layer
        self.problem = replace(problem_of(layer, inputs[0].shape), training=training)
        self.algorithm: Algorithm = candidates(self.problem)[0]
        self.weights: Weights = self._own_weights
        self.slopes: Slopes | None = None
        """Where `problem.relu` stands for a rectifier that has some."""
        self.beyond: Callable[[Machine], Array] | None = None
        """Gives what stands in the problem's margins: a value for every channel of the blocked top."""
        self._work: Any = None
        self._down: Turned | Winograd | None = None
        """How gradients are carried to the bottom, once it is laid out; None: as the plain path does it."""
        self._sum: tuple[Algorithm, Any] | None = None

    def change(self, **what: Any) -> None:
        """Change the problem."""
        self.problem = replace(self.problem, **what)

    def _own_weights(self, machine: Machine) -> tuple[Array, Array | None]:
        weight, *bias = (each.array for each in machine.params(self.layers[0]))
        return weight, bias[0] if bias else None

    @property
    def thin(self) -> bool:
        """Whether it brings the few channels of a first layer together in each pixel."""
        return isinstance(self.algorithm, Direct) and self.algorithm.thin

    @property
    def learns(self) -> str | None:
        return self.layers[0]

    def cost(self, threads: int) -> Cost:
        return super().cost(threads) + self.algorithm.cost(self.problem)

    def describe(self) -> str:
        p = self.problem
        rectifier = "PReLU" if self.slopes and self.slopes.prelu else "ReLU"
        after = [word for word, there in ((rectifier, p.relu), ("pool", p.pool)) if there]
        dilated = "" if all(each.dilation == 1 for each in p.kernel) else "dilated "
        return ", ".join([f"{dilated}convolution ({self.algorithm.name(p)})", *after])

    def scratch_floats(self, machine: Machine) -> int:
        self._work = self.algorithm.plan(self.problem, machine)
        if self.problem.training:
            self._down = self._way_down(machine)
        return self._work.scratch

    def prepared(self, machine: Machine) -> Prepared:
        """The weights as the algorithm wants them."""

        def make(old: Prepared | None) -> Prepared:
            weight, bias = self.weights(machine)
            u = self.algorithm.prepare(weight, self.problem, machine, into=None if old is None else old.u)
            release(weight)
            slopes = None if self.slopes is None else self.slopes.of_channels(self.problem.outputs, machine)
            return with_biases(u, bias, slopes, self.problem)

        key = self._learned(machine), self.algorithm, self.slopes
        return machine.prepare(key, self.layers, make)

    def _learned(self, machine: Machine) -> tuple[str, ...]:
        """Its layers that have parameters; with or without the others, the prepared weights are the same."""
        return tuple(each for each in self.layers if machine.params(each))

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        run.bottom, run.top = bottom, top
        self.algorithm.forward(bottom[0], top[0], self.prepared(machine), self.problem, self._work, machine)
        self.fill_margins(top[0], machine)
        return top

    @property
    def leaves_margins(self) -> bool:
        return self.beyond is not None and isinstance(self.algorithm, Winograd)

    def fill_margins(self, y: Array, machine: Machine) -> None:
        """Write what the algorithm has left out."""
        if self.leaves_margins:
            assert self.beyond is not None
            machine.kernels.fill_margins(self.beyond(machine), *self.problem.margins, y, machine.threads)

    # Backward

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        weight, _ = self.weights(machine)
        dy = self._behind_relu(dtop[0], run, machine)
        if run.dparams[0] is not None:
            self._backward_weight(run.bottom[0], dy, run.dparams[0], machine)
        return [self._backward_data(dy, weight, machine) if run.needs[0] else None]

    def _behind_relu(self, dy: Array, run: Run, machine: Machine) -> Array:
        """The gradient of what ReLU got, and on the way the biases'."""
        dbias = run.dparams[1] if len(run.dparams) > 1 else None
        if not self.outputs[0].blocked:
            if self.problem.relu:
                dy = np.multiply(dy, run.top[0] > 0, out=machine.buffer(dy.shape))
            if dbias is not None:
                dy.sum(axis=(0, 2, 3), out=dbias)
            return dy
        none = np.empty((0,) * 5, np.float32)
        sums = np.empty((dy.shape[1], BLOCK), np.float32)
        if self.problem.relu:
            gated = machine.buffer(dy.shape)
            machine.kernels.relu_backward(dy, run.top[0], gated, sums, machine.threads)
            dy = gated
        elif dbias is not None:
            machine.kernels.relu_backward(dy, none, none, sums, machine.threads)
        if dbias is not None:
            dbias[...] = sums.reshape(-1)[: dbias.size]
        return dy

    def _backward_weight(self, x: Array, dy: Array, dweight: Array, machine: Machine) -> None:
        algorithm, work = self._summing(machine)
        if isinstance(algorithm, Im2col):
            x, dy = as_plain(x, self.inputs[0], machine), as_plain(dy, self.outputs[0], machine)
        with machine.borrowed(algorithm.weight_scratch(self.problem, machine)):
            algorithm.backward_weight(x, dy, dweight, self.problem, work, machine)

    def _backward_data(self, dy: Array, weight: Array, machine: Machine) -> Array:
        """The bottom's gradient: of the array, where rows stand for several."""
        if isinstance(self._down, Winograd):
            dx = machine.buffer(self.inputs[0].memory_shape)
            with machine.borrowed(self._down.data_scratch(self.problem, machine)):
                self._down.backward_data(dy, dx, self.prepared(machine), self.problem, self._work, machine)
            return dx
        return self._backward_seen(dy, weight, self._down, machine)

    def _backward_seen(self, dy: Array, weight: Array, turned: Turned | None, machine: Machine) -> Array:
        """The gradient of the bottom as the layer sees it; then of the array that it stands for."""
        bottom, p = self.inputs[0], self.problem
        seen = Value(bottom.name, (*bottom.shape[:2], *(len(each) for each in p.sources)), bottom.blocked)
        if turned is None:
            plain = as_plain(dy, self.outputs[0], machine)
            height, width = seen.shape[2:]
            made = convolve_backward_data(plain, weight, self._kernel, height, width, machine.buffer(seen.shape))
            dx = in_layout(made, seen, machine)
        else:
            q, algorithm, work = turned
            u = machine.prepare(
                (self._learned(machine), algorithm, "turned"),
                self.layers,
                lambda old: algorithm.prepare(weight, q, machine, turned=True, into=old),
            )
            dx = machine.buffer(seen.memory_shape)
            with machine.borrowed(work.scratch):
                algorithm.forward(dy, dx, with_biases(u, None, None, q), q, work, machine)
        return dx if self._sources is None else sum_repeats(dx, self._sources, p.size, machine)

    @property
    def _kernel(self) -> Kernel:
        """The kernel over the bottom as it is seen: where rows stand for several, `sources` has its pad."""
        return Kernel(*self.problem.kernel, self.problem.group)

    @property
    def _sources(self) -> tuple[Array, Array] | None:
        """The problem's, unless the bottom is the array itself."""
        return None if self.problem.own_rows else self.problem.sources

    def _summing(self, machine: Machine) -> tuple[Algorithm, Any]:
        """How the kernels' gradients are summed. Larger tiles may serve than in forward: no pooling chooses by the last
        digits of what is summed here.
        """
        if self._sum is None:
            algorithm: Algorithm = Im2col()
            if self.thin:
                algorithm = self.algorithm
            elif isinstance(self.algorithm, Winograd):
                p = replace(self.problem, training=False)
                algorithm = cheapest(p, machine, [each for each in candidates(p) if isinstance(each, Winograd)])
            work = self._work if algorithm == self.algorithm else algorithm.plan(self.problem, machine)
            self._sum = algorithm, work
        return self._sum

    def _way_down(self, machine: Machine) -> Turned | Winograd | None:
        """What is predicted to be fastest: a convolution with turned kernels, which are made anew at every step, or
        Winograd's way backwards, with those of forward. Where there is neither, the plain path's way.
        """
        p = self.problem.turned()
        layouts = self.algorithm.writes_blocked, self.algorithm.reads_blocked
        # None for a thin bottom.
        found = [each for each in candidates(p) if (each.reads_blocked, each.writes_blocked) == layouts]
        if not found or any(each.stride != 1 for each in self.problem.kernel):
            return None
        algorithm = cheapest(p, machine, found, PREPARED_TRAFFIC)
        seconds = seconds_of(algorithm, p, machine, PREPARED_TRAFFIC)
        own = self.algorithm
        if isinstance(own, Winograd) and own.data_cost(self.problem).seconds(machine.threads) < seconds:
            return own
        return p, algorithm, algorithm.plan(p, machine)
