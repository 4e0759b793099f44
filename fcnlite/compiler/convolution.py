"""Convolution on blocked arrays, with what follows it at once: bias, ReLU, 2×2 pooling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from fcnlite.compiler.cost import Cost
from fcnlite.compiler.direct import THIN, Direct
from fcnlite.compiler.ir import Machine, Operation, Value
from fcnlite.compiler.problem import Problem, padded_bias
from fcnlite.compiler.winograd import Winograd
from fcnlite.layers import convolution
from fcnlite.layers.base import Array, Run, Shape
from fcnlite.layers.columns import convolve_backward_data, convolve_backward_weight

Weights = Callable[[Machine], tuple[Array, Array | None]]
"""Gives the kernels, O×C×KH×KW, and the biases, as far as there are any."""


class Work(Protocol):
    """How an algorithm goes about a problem: maps, and the pieces that it is done in."""

    scratch: int
    """Floats of `Machine.scratch` that it wants."""


class Algorithm(Protocol):
    """A way to compute a convolution."""

    @property
    def name(self) -> str: ...

    def cost(self, p: Problem) -> Cost: ...

    def prepare(self, weight: Array, p: Problem, machine: Machine) -> Array: ...

    def plan(self, p: Problem, machine: Machine) -> Work: ...

    def forward(self, x: Array, y: Array, u: Array, bias: Array, p: Problem, work: Any, machine: Machine) -> None: ...


def candidates(p: Problem) -> list[Algorithm]:
    """The algorithms that can compute `p`."""
    found: list[Algorithm] = []
    if not p.pool and Direct.suits(p):
        found.append(Direct(thin=p.channels <= THIN and p.group == 1))
    found += [each for each in (Winograd(6), Winograd(8)) if each.suits(p)]
    return found


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
    into_arena = True

    def __init__(self, layer: convolution.Convolution, inputs: list[Value], outputs: list[Value]) -> None:
        super().__init__(inputs, outputs, [layer.spec.name])
        self.layer = layer
        self.problem = problem_of(layer, inputs[0].shape)
        self.algorithm: Algorithm = candidates(self.problem)[0]
        self.weights: Weights = self._own_weights
        self._work: Any = None

    def change(self, **what: Any) -> None:
        """Change the problem."""
        self.problem = replace(self.problem, **what)

    def _own_weights(self, machine: Machine) -> tuple[Array, Array | None]:
        weight, *bias = (each.array for each in machine.params(self.layers[0]))
        return weight, bias[0] if bias else None

    @property
    def thin(self) -> bool:
        """Whether it reads N×C×H×W."""
        return isinstance(self.algorithm, Direct) and self.algorithm.thin

    @property
    def learns(self) -> str | None:
        return self.layers[0]

    def cost(self, threads: int) -> Cost:
        memory = super().cost(threads).memory
        own = self.algorithm.cost(self.problem)
        return replace(own, memory=own.memory + memory)

    def describe(self) -> str:
        p = self.problem
        after = [word for word, there in (("ReLU", p.relu), ("pool", p.pool)) if there]
        return ", ".join([f"convolution ({self.algorithm.name})", *after])

    def scratch_floats(self, machine: Machine) -> int:
        self._work = self.algorithm.plan(self.problem, machine)
        return self._work.scratch

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        p = self.problem
        if p.relu or self.learns:
            run.bottom, run.top = bottom, top
        u, bias = self.prepared(machine)
        self.algorithm.forward(bottom[0], top[0], u, bias, p, self._work, machine)
        return top

    def prepared(self, machine: Machine) -> tuple[Array, Array]:
        """Kernels and biases as the algorithm wants them."""

        def make() -> tuple[Array, Array]:
            weight, bias = self.weights(machine)
            return self.algorithm.prepare(weight, self.problem, machine), padded_bias(bias, self.problem)

        return machine.prepare((self.layers, self.algorithm), self.layers, make)
