"""The machine that a plan runs on: parameters, kernels, threads, memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fcnlite.arrays import Array, Shape
from fcnlite.compiler.arena import Arena, Outputs
from fcnlite.engine.parameter import Parameter
from fcnlite.engine.reference import run_layer
from fcnlite.engine.state import State
from fcnlite.layers.base import BackwardRun, Layer


class Derived:
    """An object derived from parameters, made when it is first needed and again after one of them has changed."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self.value: Any = None
        self._parameters = parameters
        self._versions: list[int] = []
        """The versions of the parameters that `value` was made from."""

    def current(self, make: Callable[[Any], Any]) -> Any:
        """The object, from `make(old)` unless it is current; `old` is the previous one, or None."""
        versions = [each.version for each in self._parameters]
        if self.value is None or versions != self._versions:
            self.value = make(self.value)
            self._versions = versions
        return self.value


class DerivedObjects(dict[Any, Derived]):
    """The objects that a net has derived from its parameters, by key; all plans of the net share them."""

    first_pass = False
    """Whether no forward pass is complete yet: a second one may never come, so the first keeps no large objects."""


@dataclass
class Machine:
    """The resources of operations: the net's state, kernels, threads and memory."""

    state: State
    kernels: Any
    threads: int
    """The number of threads that an operation uses."""
    derived: DerivedObjects
    arena: Arena
    outputs: Outputs
    """Lends the arrays that callers get."""
    low_memory: bool = False
    """Whether derived weights should take little more memory than the weights themselves."""
    used: set[Any] = field(default_factory=set)
    """The keys in `derived` that this machine has requested."""
    whole: Machine | None = None
    """The machine with all threads, if this is its `alone`."""

    def alone(self) -> Machine:
        """The same machine with one thread, for operations so small that waking another takes longer."""
        return replace(self, threads=1, whole=self)

    def params(self, layer: str) -> Sequence[Parameter]:
        """The parameters of a layer."""
        return self.state.of(layer)

    def run_layer(self, layer: Layer, bottom: list[Array], outs: Sequence[Array]) -> tuple[list[Array], BackwardRun]:
        """A layer's forward on the reference path: the tops, in `outs` if it writes there, and what backward gets."""
        return run_layer(layer, bottom, outs, self.state)

    def buffer(self, shape: Shape) -> Array:
        """Memory for a value that no plan has a place for."""
        return self.arena.lend(shape)

    def derived_from(self, layers: Sequence[str], key: Any) -> Derived:
        """What is derived under `key` from the parameters of `layers`."""
        self.used.add(key)
        found = self.derived.get(key)
        if found is None:
            found = self.derived[key] = Derived([each for layer in layers for each in self.params(layer)])
        return found

    def derive(self, key: Any, layers: Sequence[str], make: Callable[[Any], Any]) -> Any:
        """`make(old)`, called again only after a parameter of `layers` changed; `old` is its previous result."""
        return self.derived_from(layers, key).current(make)
