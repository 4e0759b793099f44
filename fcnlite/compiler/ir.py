"""The intermediate representation: a graph of operations on values.

A value is made once, by one operation, and lies in memory plainly (N×C×H×W) or blocked (N×C/16×H×W×16, channels beyond
C being 0); only the conversions change that. At first every layer of the schedule is an operation of its own; each pass
(passes/) replaces some by others that compute the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar

import numpy as np

from fcnlite.compiler.arena import Arena, Outputs
from fcnlite.compiler.cost import Cost
from fcnlite.engine.parameter import Parameter
from fcnlite.engine.reference import run_layer
from fcnlite.engine.state import State
from fcnlite.layers.base import Array, BackwardRun, Layer, Shape

BLOCK = 16
"""Channels that lie side by side in a blocked array."""


@dataclass(eq=False)
class Value:
    """What one operation makes and others read."""

    name: str
    """Of the blob."""
    shape: Shape
    """N×C×H×W, or fewer axes, however it lies in memory."""
    blocked: bool = False
    repeats: tuple[Array, Array] | None = None
    """For every row, and every column, of the blob which one of the array it is, where one stands for several."""

    @property
    def memory_shape(self) -> Shape:
        """The shape of the array."""
        if not self.blocked:
            return self.shape
        n, channels, height, width = self.shape
        return n, blocks(channels), height, width, BLOCK

    @property
    def floats(self) -> int:
        return prod(self.memory_shape)


def blocks(channels: int) -> int:
    """How many blocks hold so many channels."""
    return -(-channels // BLOCK)


def traffic(values: Iterable[Value]) -> Cost:
    """That of reading or writing each once."""
    return Cost(memory=4.0 * sum(each.floats for each in values))


_NOTHING = np.empty(0, np.float32)


@dataclass
class Run:
    """One pass through one operation: what forward leaves, and what backward gets beside the tops' gradients."""

    saved: Any = None
    """Set by forward for its own backward."""
    bottom: list[Array] = field(default_factory=list)
    top: list[Array] = field(default_factory=list)
    needs: Sequence[bool] = ()
    """For each input whether its gradient is needed."""
    dparams: Sequence[Array | None] = ()
    """Arrays for the parameters' gradients; None where none is needed."""


@dataclass
class Machine:
    """What operations run on: the net's state, kernels, threads and memory."""

    state: State
    kernels: Any
    threads: int
    prepared: dict[Any, tuple[tuple[int, ...], Any]]
    """What was derived from parameters, with the versions that it was derived from; of all plans of the net."""
    arena: Arena
    outputs: Outputs
    """Lends what the caller gets."""
    low_memory: bool = False
    """Whether prepared weights shall take little more memory than the weights themselves."""
    scratch: Array = field(default_factory=lambda: _NOTHING)
    """Memory for the operation that runs; in backward what it has `borrowed`."""
    kept: Array = field(default_factory=lambda: _NOTHING)
    """Memory for what its forward leaves for its backward."""
    used: set[Any] = field(default_factory=set)
    """The keys in `prepared` that have been asked for here."""

    def params(self, layer: str) -> Sequence[Parameter]:
        """A layer's parameters."""
        return self.state.of(layer)

    def run_layer(self, layer: Layer, bottom: list[Array], outs: Sequence[Array]) -> tuple[list[Array], BackwardRun]:
        """A layer's forward on the reference path: the tops, in `outs` if it writes there, and what backward gets."""
        return run_layer(layer, bottom, outs, self.state)

    @contextmanager
    def borrowed(self, floats: int) -> Iterator[None]:
        """So many floats in `scratch` within the block, in backward."""
        self.scratch = self.arena.lend((floats,))
        try:
            yield
        finally:
            self.scratch = _NOTHING

    def buffer(self, shape: Shape) -> Array:
        """Memory for a value that no plan has a place for."""
        return self.arena.lend(shape)

    def prepare(self, key: Any, layers: Sequence[str], make: Callable[[Any], Any]) -> Any:
        """`make(old)`, made anew only when a parameter of `layers` has changed; `old` is what it made before."""
        self.used.add(key)
        versions = tuple(each.version for layer in layers for each in self.params(layer))
        old = self.prepared.get(key)
        if old is None or old[0] != versions:
            self.prepared[key] = versions, make(old and old[1])
        return self.prepared[key][1]


class Operation:
    """What a plan runs: `forward`, and in training `backward`, on the arrays of its values.

    It keeps no state from pass to pass: what forward leaves for backward is its `Run`, of which it sets `saved`. How it
    goes about its work is laid out once, when the plan asks it for `scratch_floats`.
    """

    kind: ClassVar[str]
    """For people: what it does."""
    aliases: bool = False
    """Whether an output may share memory with an input; else it writes all into memory that it is given."""
    updates_params: bool = False
    """Whether forward changes parameters: BatchNorm's running sums."""
    no_gradient: frozenset[int] = frozenset()
    """Inputs that never get a gradient."""

    def __init__(self, inputs: Sequence[Value], outputs: Sequence[Value], layers: Sequence[str]) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.layers = tuple(layers)
        """The layers whose work it does; the first is the one whose parameters it has."""

    @property
    def learns(self) -> str | None:
        """The layer whose parameters get gradients here, if any."""
        return None

    def scratch_floats(self, machine: Machine) -> int:
        """Floats that forward wants of `machine.scratch`; asked for once, before the first forward."""
        return 0

    def kept_floats(self) -> int:
        """Floats that it wants of `machine.kept`, to leave there what backward needs."""
        return 0

    def forward(self, bottom: list[Array], top: list[Array], run: Run, machine: Machine) -> list[Array]:
        """The outputs: `top`, unless the operation `aliases`."""
        raise NotImplementedError

    def backward(self, dtop: list[Array], run: Run, machine: Machine) -> list[Array | None]:
        """The gradients of the inputs where `run.needs` says so; the parameters' into `run.dparams`."""
        raise NotImplementedError

    def cost(self, threads: int) -> Cost:
        """Its predicted work."""
        return traffic((*self.inputs, *self.outputs))

    def describe(self) -> str:
        return self.kind


@dataclass
class Graph:
    """Operations in an order in which they can run."""

    operations: list[Operation]
    inputs: dict[str, Value]
    outputs: dict[str, Value]
    versions: dict[int, Value]
    """The schedule's versions (schedule.py), as far as they are still values."""
    lasting: set[Value]
    """What is looked at after the pass: outputs and, where a backward may follow, every blob."""
    training: bool

    @property
    def outs(self) -> set[Value]:
        """The values of `outputs`."""
        return set(self.outputs.values())

    def readers(self, value: Value) -> list[Operation]:
        return [each for each in self.operations if value in each.inputs]

    def producer(self, value: Value) -> Operation | None:
        return next((each for each in self.operations if value in each.outputs), None)

    def only_reader(self, value: Value) -> Operation | None:
        """The one operation that reads `value`, if nobody else does or looks at it later."""
        readers = self.readers(value)
        return readers[0] if len(readers) == 1 and value not in self.lasting else None

    def replace(self, old: Sequence[Operation], new: Sequence[Operation]) -> None:
        """Put `new` where the last of `old` stands, in place of them all."""
        last = max(old, key=self.operations.index)
        laid: list[Operation] = []
        for each in self.operations:
            laid += [each] if each not in old else new if each is last else []
        self.operations = laid

    def absorb(self, operation: Operation, reader: Operation) -> None:
        """Let `operation` do what its only reader did as well.

        It stays where it is: of two that change the same statistics, say, the first stays the first.
        """
        operation.layers += reader.layers
        operation.outputs = reader.outputs
        self.operations.remove(reader)

    def rename(self, old: Value, new: Value) -> None:
        """Let everybody who reads `old` read `new`."""
        for operation in self.operations:
            operation.inputs = [new if each is old else each for each in operation.inputs]
        self.outputs = {name: new if each is old else each for name, each in self.outputs.items()}
        self.versions = {version: new if each is old else each for version, each in self.versions.items()}
        if old in self.lasting:
            self.lasting = self.lasting - {old} | {new}

    def drop_unread(self) -> None:
        """Take away what nobody reads and what changes no parameters."""
        for operation in self.operations[::-1]:
            read = any(each in self.lasting or self.readers(each) for each in operation.outputs)
            if not read and not operation.updates_params:
                self.operations.remove(operation)


def planes(array: Array, value: Value) -> Array:
    """The array of a value as P×H×W×L, of either layout."""
    height, width = array.shape[2:4]
    return array.reshape(-1, height, width, BLOCK if value.blocked else 1)


def as_plain(array: Array, value: Value, machine: Machine) -> Array:
    """The array of a value, N×C×H×W; as it lies, without repeats."""
    if not value.blocked:
        return array
    plain = machine.buffer(value.shape)
    machine.kernels.from_blocked(array, plain, machine.threads)
    return plain


def in_layout(array: Array, value: Value, machine: Machine) -> Array:
    """An array N×C×H×W as the value lies in memory."""
    if not value.blocked:
        return array
    blocked = machine.buffer(value.memory_shape)
    machine.kernels.to_blocked(array, blocked, machine.threads)
    return blocked


def sum_repeats(array: Array, sources: tuple[Array, Array], size: tuple[int, int], machine: Machine) -> Array:
    """The transpose of repeating: the sums of the rows, and columns, that each one of `size` stands for.

    `sources` says which one each of the array's is; −1 is none. Rows and columns are axes 2 and 3, in either layout.
    """
    lists = [_members(source, count) for source, count in zip(sources, size, strict=True)]
    folded = machine.buffer((*array.shape[:2], *size, *array.shape[4:]))
    x, y = (each.reshape(*each.shape[:4], -1) for each in (array, folded))
    machine.kernels.sum_repeats(x, *lists[0], *lists[1], y, machine.threads)
    return folded


def _members(source: Array, count: int) -> tuple[Array, Array]:
    """Where each one's members begin in the second array, which lists the places in `source` of the first one's
    members, then of the second's, and so on.
    """
    order = np.argsort(source, kind="stable")
    order = order[np.count_nonzero(source < 0) :]
    return np.searchsorted(source[order], np.arange(count + 1)), order
