"""The machine that a plan runs on: parameters, kernels, threads, memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fcnlite.arrays import Array, Shape
from fcnlite.compiler.arena import Arena, Outputs
from fcnlite.engine.parameter import Parameter
from fcnlite.engine.reference import run_layer
from fcnlite.engine.state import State
from fcnlite.layers.base import BackwardRun, Layer


@dataclass
class Machine:
    """The resources of operations: the net's state, kernels, threads and memory."""

    state: State
    kernels: Any
    threads: int
    derived: dict[Any, tuple[tuple[int, ...], Any]]
    """Objects derived from parameters, with the versions of these; all plans of the net share them."""
    arena: Arena
    outputs: Outputs
    """Lends the arrays that callers get."""
    low_memory: bool = False
    """Whether derived weights should take little more memory than the weights themselves."""
    used: set[Any] = field(default_factory=set)
    """The keys in `derived` that this machine has requested."""

    def params(self, layer: str) -> Sequence[Parameter]:
        """The parameters of a layer."""
        return self.state.of(layer)

    def run_layer(self, layer: Layer, bottom: list[Array], outs: Sequence[Array]) -> tuple[list[Array], BackwardRun]:
        """A layer's forward on the reference path: the tops, in `outs` if it writes there, and what backward gets."""
        return run_layer(layer, bottom, outs, self.state)

    def buffer(self, shape: Shape) -> Array:
        """Memory for a value that no plan has a place for."""
        return self.arena.lend(shape)

    def derive(self, key: Any, layers: Sequence[str], make: Callable[[Any], Any]) -> Any:
        """`make(old)`, called again only after a parameter of `layers` changed; `old` is its previous result."""
        self.used.add(key)
        versions = tuple(each.version for layer in layers for each in self.params(layer))
        old = self.derived.get(key)
        if old is None or old[0] != versions:
            self.derived[key] = versions, make(old and old[1])
        return self.derived[key][1]
