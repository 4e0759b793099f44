"""The intermediate representation: a graph of operations on values.

One operation makes each value, once. A value is in NCHW layout (N×C×H×W) or blocked (N×C/16×H×W×16, where channels
beyond C are 0); only conversions change the layout. At first every layer of the schedule is one operation; each pass
(passes/) replaces some operations by others that compute the same.

An operation is one class in one file (operations/, convolution/). It declares its layouts, how its windows slide and
whether its outputs share memory with inputs, so that no pass needs to know it by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from math import prod
from typing import Any, ClassVar

from fcnlite.arrays import Array, Shape
from fcnlite.compiler.cost import Cost
from fcnlite.compiler.machine import Machine
from fcnlite.description.shapes import Window

BLOCK = 16
"""Channels that are adjacent in a blocked array."""


@dataclass(eq=False)
class Value:
    """An array that one operation makes and others read."""

    name: str
    """The blob's name."""
    shape: Shape
    """N×C×H×W, or fewer axes, in either layout."""
    blocked: bool = False
    repeats: tuple[Array, Array] | None = None
    """Where a row or column of the array serves for several of the blob: for each row, and each column, of the blob,
    the array's."""

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
    """The number of blocks that hold these channels."""
    return -(-channels // BLOCK)


def traffic(values: Iterable[Value]) -> Cost:
    """The cost of reading or writing each value once."""
    return Cost(memory=4.0 * sum(each.floats for each in values))


class Layout(Enum):
    """The layout in which an operation reads its inputs, or writes its outputs."""

    NCHW = "NCHW"
    BLOCKED = "blocked"
    EITHER = "either"
    """For inputs: one or the other, the same for all. For outputs: that of the inputs."""


Axis = int
"""0 for rows, 1 for columns."""


@dataclass(frozen=True)
class SlidingWindow:
    """A window that slides along one axis of a convolution or pooling."""

    window: Window
    round_mode: str | None = None
    """A pooling's; None for a convolution."""
    clip: bool = False
    """For a pooling, whether either axis has a pad (`Window.pooled`)."""

    def count(self, size: int) -> int:
        """The number of its positions. Raises `ShapeError` if none fits."""
        if self.round_mode is None:
            return self.window.convolved(size)
        return self.window.pooled(size, self.round_mode, self.clip)

    def unpadded(self) -> SlidingWindow:
        """The same window, without its pad."""
        return replace(self, window=replace(self.window, pad=0))


@dataclass(frozen=True, eq=False)
class SetUp:
    """What an operation needs to run, worked out once."""

    scratch: int = 0
    """Floats of memory that forward uses while it runs."""
    kept: int = 0
    """Floats of memory in which forward leaves something for backward."""
    work: Any = None
    """The operation's own: maps, tilings, portions, the algorithms of backward."""


@dataclass(eq=False)
class ForwardStep:
    """What forward gets beside its arrays, and what it leaves for backward."""

    work: Any
    """The set-up's."""
    scratch: Array
    kept: Array
    saved: Any = None
    """What forward leaves."""


@dataclass(frozen=True, eq=False)
class BackwardStep:
    """What backward gets beside the gradients of the outputs."""

    work: Any
    """The set-up's."""
    saved: Any
    """What forward left."""
    needs: Sequence[bool]
    """Which inputs need a gradient."""
    dparams: Sequence[Array | None]
    """Arrays for the gradients of the parameters; None where none is wanted."""


class Operation:
    """A step of a plan: `forward`, and in training `backward`, on the arrays of its values.

    It keeps no state from pass to pass: forward leaves what backward needs in `ForwardStep.saved`.
    """

    kind: ClassVar[str]
    """What it does, for people."""
    aliases: bool = False
    """Whether an output may share memory with an input; otherwise forward writes its outputs into given memory."""
    updates_params: bool = False
    """Whether forward changes parameters, as BatchNorm its running sums."""
    no_gradient: frozenset[int] = frozenset()
    """Inputs that never get a gradient."""

    def __init__(self, inputs: Sequence[Value], outputs: Sequence[Value], layers: Sequence[str]) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.layers = tuple(layers)
        """The layers whose work it does; the first is the one whose parameters it has."""

    # What it declares to the passes

    @property
    def reads(self) -> Layout:
        """The layout of its inputs. `EITHER` is for inputs of four axes; others are NCHW."""
        return Layout.NCHW

    @property
    def writes(self) -> Layout:
        """The layout of its outputs."""
        return self.reads

    @property
    def enlarges(self) -> bool:
        """Whether its output is larger than its inputs, which are then cheaper to convert."""
        return False

    def sliding_windows(self, axis: Axis) -> Sequence[SlidingWindow] | None:
        """The windows through which its output sees its inputs along an axis, first to last.

        Empty if each row is made of the same row of every input, and nothing else; None if rows depend on others in
        another way, or on their place.
        """
        return None

    @property
    def gathers_rows(self) -> bool:
        """Whether it can read the rows and columns of its input in any number, some several times."""
        return False

    def infer_shape(self) -> None:
        """Follow a change of the input's height and width. Only for operations with sliding windows."""
        raise NotImplementedError

    def remove_padding(self) -> None:
        """Stop padding: the input has its padding in it. Only for operations with sliding windows."""

    def keep_inputs(self) -> None:
        """Never write over an input."""

    # What it computes

    @property
    def learns(self) -> str | None:
        """The layer whose parameters get gradients here, if any."""
        return None

    def set_up(self, machine: Machine) -> SetUp:
        """What it needs to run. A plan calls this once, after all passes."""
        return SetUp()

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        """Return the outputs: `top`, unless the operation `aliases`."""
        raise NotImplementedError

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        """Return the gradients of the inputs that need one; write those of the parameters into `step.dparams`."""
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
    """The schedule's versions (schedule.py) that are still values."""
    lasting: set[Value]
    """The values that are read after the forward pass: outputs and, in training, every blob."""
    training: bool
    in_full: set[Value] = field(default_factory=set)
    """The values that must have all of their rows and columns, because their gradients may be asked for."""

    @property
    def outs(self) -> set[Value]:
        """The values of `outputs`."""
        return set(self.outputs.values())

    def readers(self, value: Value) -> list[Operation]:
        return [each for each in self.operations if value in each.inputs]

    def producer(self, value: Value) -> Operation | None:
        return next((each for each in self.operations if value in each.outputs), None)

    def only_reader(self, value: Value) -> Operation | None:
        """The one operation that reads `value`; None if there are several, or if the value is `lasting`."""
        readers = self.readers(value)
        return readers[0] if len(readers) == 1 and value not in self.lasting else None

    def replace(self, old: Sequence[Operation], new: Sequence[Operation]) -> None:
        """Replace all of `old` by `new`, in the place of the last of them."""
        last = max(old, key=self.operations.index)
        found: list[Operation] = []
        for each in self.operations:
            found += [each] if each not in old else new if each is last else []
        self.operations = found

    def absorb(self, operation: Operation, reader: Operation) -> None:
        """Let `operation` do the work of its only reader too.

        It stays in its place, so that two operations that change the same statistics keep their order.
        """
        operation.layers += reader.layers
        operation.outputs = reader.outputs
        self.operations.remove(reader)

    def rename(self, old: Value, new: Value) -> None:
        """Let all readers of `old` read `new`."""
        for operation in self.operations:
            operation.inputs = [new if each is old else each for each in operation.inputs]
        self.outputs = {name: new if each is old else each for name, each in self.outputs.items()}
        self.versions = {version: new if each is old else each for version, each in self.versions.items()}
        if old in self.lasting:
            self.lasting = self.lasting - {old} | {new}
        if old in self.in_full:
            self.in_full = self.in_full - {old} | {new}

    def drop_unread(self) -> None:
        """Remove operations whose outputs nobody reads, unless they change parameters."""
        for operation in self.operations[::-1]:
            read = any(each in self.lasting or self.readers(each) for each in operation.outputs)
            if not read and not operation.updates_params:
                self.operations.remove(operation)
