"""The ways to compute a convolution: what they have in common, which of them can compute one, and which is fastest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from fcnlite.arrays import Array
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.direct import THIN, Direct, Streamed
from fcnlite.compiler.im2col import Im2col
from fcnlite.compiler.ir import Machine
from fcnlite.compiler.problem import Prepared, Problem
from fcnlite.compiler.winograd import Winograd

LOW_MEMORY = 32 << 20
"""Where memory is low, bytes by which a layer's prepared weights may exceed its own."""
STREAMED = 64 << 20
"""Where memory is low, bytes of a layer's weights above which they are made ready portion by portion at every pass."""


class Work(Protocol):
    """How an algorithm goes about a problem: maps, and the pieces that it is done in."""

    @property
    def scratch(self) -> int:
        """Floats of `Machine.scratch` that it wants."""
        ...


class Algorithm(Protocol):
    """A way to compute a convolution.

    x and y are a problem's bottom and top, blocked or N×C×H×W as the algorithm reads and writes them; dy lies as y. u
    are the kernels as it wants them, any number of floats in any order.
    """

    def name(self, p: Problem) -> str:
        """What people call it."""
        ...

    def suits(self, p: Problem) -> bool:
        """Whether it can compute `p`."""
        ...

    @property
    def reads_blocked(self) -> bool: ...

    @property
    def writes_blocked(self) -> bool: ...

    def weights(self, p: Problem) -> int:
        """Floats of the kernels when they are prepared."""
        ...

    def cost(self, p: Problem) -> Cost:
        """Of forward, beside reading x and writing y."""
        ...

    def prepare(
        self, weight: Array, p: Problem, machine: Machine, *, turned: bool = False, into: Array | None = None
    ) -> Array:
        """u, made of a layer's kernels O×C×KH×KW and written `into` an earlier one where there is one.

        `turned`: for `Problem.turned`, the convolution of gradients, whose outputs are the layer's channels; `p` is it.
        """
        ...

    def plan(self, p: Problem, machine: Machine) -> Work:
        """What is worked out once."""
        ...

    def forward(self, x: Array, y: Array, weights: Prepared, p: Problem, work: Any, machine: Machine) -> None:
        """Write all of y but its margins (`Problem.margins`), which it may leave as they are."""
        ...

    def weight_scratch(self, p: Problem, machine: Machine) -> int:
        """Floats of `Machine.scratch` that `backward_weight` wants."""
        ...

    def backward_weight(self, x: Array, dy: Array, dweight: Array, p: Problem, work: Any, machine: Machine) -> None:
        """Write the kernels' gradient, O×C×KH×KW."""
        ...


def candidates(p: Problem) -> list[Algorithm]:
    """The algorithms that can compute `p`: at least one, unless pooling is asked for."""
    found: list[Algorithm] = []
    if not p.pool and Direct.suits(p):
        found.append(Direct(thin=p.channels <= THIN and p.group == 1 and not p.gradients))
    found += [each for each in (Winograd(6), Winograd(8)) if each.suits(p)]
    if p.training and Winograd(6) in found:
        found = [each for each in found if each != Winograd(8)]
    return [*found, Im2col()] if Im2col.suits(p) else found


def cheapest(p: Problem, machine: Machine, found: Sequence[Algorithm], traffic: float = 1) -> Algorithm:
    """Of the algorithms found, the one predicted to be fastest; where memory is low, of those that need little.

    `traffic`: how often prepared weights go to or from memory.
    """
    if machine.low_memory:
        own = p.outputs * (p.channels // p.group) * p.taps
        if 4 * own > STREAMED and p.group == 1 and not p.pool:
            return Streamed()
        small = [each for each in found if 4 * (each.weights(p) - own) <= LOW_MEMORY]
        found = small or [min(found, key=lambda each: each.weights(p))]
    return min(found, key=lambda each: seconds_of(each, p, machine, traffic))


def seconds_of(algorithm: Algorithm, p: Problem, machine: Machine, traffic: float) -> float:
    """The predicted time; `traffic` as of `cheapest`."""
    cost = algorithm.cost(p)
    return replace(cost, memory=cost.memory * traffic).seconds(machine.threads)
