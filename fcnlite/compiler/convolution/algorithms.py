"""Algorithms of convolution: what they have in common, which of them can compute a problem, and which is fastest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from fcnlite.arrays import Array
from fcnlite.compiler.convolution.depthwise import Depthwise
from fcnlite.compiler.convolution.direct import THIN, Direct, Streamed
from fcnlite.compiler.convolution.im2col import Im2col
from fcnlite.compiler.convolution.problem import PreparedWeights, Problem
from fcnlite.compiler.convolution.winograd import Winograd
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.machine import Machine

LOW_MEMORY = 32 << 20
"""With low memory, bytes by which a layer's prepared weights may exceed its weights."""
STREAMED = 64 << 20
"""With low memory, bytes of a layer's weights above which they are prepared in portions, at every pass."""


class Work(Protocol):
    """The set-up of an algorithm for a problem: maps, portions."""

    @property
    def scratch(self) -> int:
        """Floats of scratch memory that forward uses."""
        ...


class Algorithm(Protocol):
    """A way to compute a convolution.

    x and y are a problem's bottom and top, in the layouts that the algorithm reads and writes; dy has y's layout.
    `scratch` has the number of floats that the algorithm requested.
    """

    def name(self, p: Problem) -> str:
        """The name to display."""
        ...

    def suits(self, p: Problem) -> bool:
        """Whether the algorithm can compute `p`."""
        ...

    @property
    def reads_blocked(self) -> bool: ...

    @property
    def writes_blocked(self) -> bool: ...

    def prepared_floats(self, p: Problem) -> int:
        """Floats of the prepared filters."""
        ...

    def cost(self, p: Problem) -> Cost:
        """The cost of forward, without reading x and writing y."""
        ...

    def prepare(
        self, weight: Array, p: Problem, machine: Machine, *, transposed: bool = False, into: Array | None = None
    ) -> Array:
        """Convert a layer's weight, O×C×KH×KW, to the filters that the algorithm reads, `into` an old result if given.

        `transposed`: for `p`, made by `Problem.backward_data`, whose output channels are the layer's input channels.
        """
        ...

    def set_up(self, p: Problem, machine: Machine) -> Work:
        """Set up forward for a problem, once."""
        ...

    def forward(
        self,
        x: Array,
        y: Array,
        weights: PreparedWeights,
        p: Problem,
        work: Any,
        scratch: Array,
        machine: Machine,
    ) -> None:
        """Write y, possibly without the margins (`Problem.margins`)."""
        ...


class WeightsAlgorithm(Algorithm, Protocol):
    """An algorithm that also computes the gradient of the weight."""

    def backward_weights_scratch(self, p: Problem, machine: Machine) -> int:
        """Floats of scratch memory that `backward_weights` uses."""
        ...

    def backward_weights(
        self, x: Array, dy: Array, dweight: Array, p: Problem, work: Any, scratch: Array, machine: Machine
    ) -> None:
        """Write the weight's gradient, O×C×KH×KW, into `dweight`."""
        ...


def candidates(p: Problem) -> list[Algorithm]:
    """The algorithms that can compute `p`: at least one, unless it pools."""
    if Depthwise.suits(p):
        return [Depthwise()]
    found: list[Algorithm] = []
    if not p.pool and Direct.suits(p):
        found.append(Direct(thin=p.channels <= THIN and p.group == 1 and not p.blocked))
    found += [each for each in (Winograd(6), Winograd(8)) if each.suits(p)]
    if p.training and Winograd(6) in found:
        found = [each for each in found if each != Winograd(8)]
    converts = bool(found) and p.blocked and not p.training  # it would convert the bottom, and mostly the top
    return [*found, Im2col()] if Im2col.suits(p) and not converts else found


def cheapest(p: Problem, machine: Machine, found: Sequence[Algorithm], traffic: float = 1) -> Algorithm:
    """The algorithm predicted to be fastest; with low memory, among those whose prepared weights are small.

    `traffic`: how many times prepared weights are read or written.
    """
    if machine.low_memory:
        own = p.outputs * (p.channels // p.group) * p.window_area
        if 4 * own > STREAMED and p.group == 1 and not p.pool:
            return Streamed()
        small = [each for each in found if 4 * (each.prepared_floats(p) - own) <= LOW_MEMORY]
        found = small or [min(found, key=lambda each: each.prepared_floats(p))]
    return min(found, key=lambda each: seconds_of(each, p, machine, traffic))


def seconds_of(algorithm: Algorithm, p: Problem, machine: Machine, traffic: float) -> float:
    """The predicted time in seconds; `traffic` as for `cheapest`."""
    cost = algorithm.cost(p)
    return replace(cost, memory=cost.memory * traffic).seconds(machine.threads)
