"""The intermediate representation: a graph of operations on values.

A value is made once: it is an input, or the output of one operation. Its layout is NCHW (N×C×H×W) or blocked
(N×C/16×H×W×16, where channels beyond C are 0); only conversions change it. At first every layer of the schedule is one
operation; each pass (passes/) replaces some operations with others that compute the same.

Each kind of operation is one class in one file (operations/, convolution/). It declares its layouts, how its windows
slide and whether its outputs share memory with inputs, so that passes can treat it without knowing its class.
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
"""The number of channels that are adjacent in a blocked array."""


@dataclass(eq=False)
class Value:
    """An array that operations read: an input of the graph, or made by one operation."""

    name: str
    """The blob's name."""
    shape: Shape
    """The shape in NCHW layout, N×C×H×W or with fewer axes, also if the array is blocked."""
    blocked: bool = False
    repeats: tuple[Array, Array] | None = None
    """None if the array has all rows and columns of the blob. Else it has only one of several equal ones; `repeats` is
    the row of the array for each row of the blob, and the same for columns."""
    part_of: tuple[Value, int] | None = None
    """None if it has an array of its own. Else the value in whose array it is, and its first float there."""

    @property
    def memory_shape(self) -> Shape:
        """The shape of the array, in its layout."""
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
    """The layout that an operation reads its inputs in, or writes its outputs in."""

    NCHW = "NCHW"
    BLOCKED = "blocked"
    EITHER = "either"
    """For inputs: either layout, the same for all inputs. For outputs: the layout of the inputs."""


Axis = int
"""0 for rows, 1 for columns."""


@dataclass(frozen=True)
class SlidingWindow:
    """The window of a convolution or pooling along one axis."""

    window: Window
    round_mode: str | None = None
    """CEIL or FLOOR for a pooling; None for a convolution."""
    clip: bool = False
    """Whether either axis of a pooling has a pad (see `Window.pooled`)."""

    def count(self, size: int) -> int:
        """The number of its positions over `size` rows or columns. Raises `ShapeError` if there is none."""
        if self.round_mode is None:
            return self.window.convolved(size)
        return self.window.pooled(size, self.round_mode, self.clip)

    def unpadded(self) -> SlidingWindow:
        """The same window, without its pad."""
        return replace(self, window=replace(self.window, pad=0))


@dataclass(frozen=True, eq=False)
class SetUp:
    """What an operation needs to run, determined once for a plan."""

    scratch: int = 0
    """The memory that forward uses while it runs, in floats."""
    kept: int = 0
    """The memory in which forward leaves arrays for backward, in floats."""
    work: Any = None
    """Whatever else the operation determines: index maps, tilings, shares of threads, the algorithms of backward."""


@dataclass(eq=False)
class ForwardStep:
    """What one call of an operation's forward gets beside inputs and outputs, and what it leaves for backward."""

    work: Any
    """`SetUp.work`."""
    scratch: Array
    """`SetUp.scratch` floats."""
    kept: Array
    """`SetUp.kept` floats."""
    saved: Any = None
    """Whatever forward leaves for backward, such as its arrays or views of `kept`."""


@dataclass(frozen=True, eq=False)
class BackwardStep:
    """What one call of an operation's backward gets beside the gradients of the outputs."""

    work: Any
    """`SetUp.work`."""
    saved: Any
    """`ForwardStep.saved`."""
    needs: Sequence[bool]
    """Whether the gradient of each input is needed."""
    dparams: Sequence[Array | None]
    """Arrays to write the gradients of the parameters into; None where a gradient is not wanted."""


class Operation:
    """A step of a plan: `forward`, and in training `backward`, on the arrays of its values.

    An operation keeps no state from one forward pass to the next: forward leaves what backward needs in
    `ForwardStep.saved`.
    """

    kind: ClassVar[str]
    """What it does, in words for reports."""
    aliases: bool = False
    """Whether an output may share memory with an input; if not, forward writes its outputs into the arrays `top`."""
    updates_params: bool = False
    """Whether forward changes parameters, as BatchNorm changes its running sums."""
    no_gradient: frozenset[int] = frozenset()
    """The numbers of the inputs that never get a gradient."""

    def __init__(self, inputs: Sequence[Value], outputs: Sequence[Value], layers: Sequence[str]) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.layers = tuple(layers)
        """The names of the layers that it computes, in order."""

    @property
    def calls_blas(self) -> bool:
        """Whether forward may call a BLAS library."""
        return False

    # Declarations for the passes

    @property
    def reads(self) -> Layout:
        """The layout that it reads its inputs in. `EITHER` means NCHW unless all inputs have four axes."""
        return Layout.NCHW

    @property
    def writes(self) -> Layout:
        """The layout that it writes its outputs in."""
        return self.reads

    @property
    def enlarges(self) -> bool:
        """Whether its output is larger than its inputs, which are then cheaper to convert."""
        return False

    def sliding_windows(self, axis: Axis) -> Sequence[SlidingWindow] | None:
        """The windows between its inputs and its output along an axis, in the order in which they apply.

        A convolution with a fused pooling has two. Empty if each output row depends only on the same row of every
        input; None if rows depend on input rows in another way, or on their own position.
        """
        return None

    @property
    def gathers_rows(self) -> bool:
        """Whether it can read any list of rows and columns of its input, some of them several times."""
        return False

    def infer_shape(self) -> None:
        """Set the output's shape after a change of the input's height or width. Only for operations with windows."""
        raise NotImplementedError

    def remove_padding(self) -> None:
        """Set the pad to 0, because the input now contains it. Only for operations with windows."""

    def keep_inputs(self) -> None:
        """Do not write over an input, from now on."""

    # Computation

    @property
    def learns(self) -> str | None:
        """The layer whose parameters, if it has any, get their gradients from backward; None if no parameter does."""
        return None

    def set_up(self, machine: Machine) -> SetUp:
        """Determine what it needs to run. A plan calls this once, after all passes."""
        return SetUp()

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        """Compute and return the outputs: `top`, or arrays of its own if it `aliases`, for which `top` is empty."""
        raise NotImplementedError

    def backward(self, dtop: list[Array], step: BackwardStep, machine: Machine) -> list[Array | None]:
        """Return the gradients of the inputs (`step.needs`); write those of the parameters into `step.dparams`."""
        raise NotImplementedError

    def cost(self, threads: int) -> Cost:
        """The predicted cost of forward."""
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
    """The value of each version of the schedule (schedule.py); after fusions, not every one is computed."""
    lasting: set[Value]
    """The values that are read after the forward pass: outputs; in training, also losses and the last of each blob."""
    training: bool
    in_full: set[Value] = field(default_factory=set)
    """The values that must have all of their rows and columns, because their gradients may be asked for."""

    @property
    def outs(self) -> set[Value]:
        """The values that are outputs."""
        return set(self.outputs.values())

    def readers(self, value: Value) -> list[Operation]:
        return [each for each in self.operations if value in each.inputs]

    def producer(self, value: Value) -> Operation | None:
        return next((each for each in self.operations if value in each.outputs), None)

    def only_reader(self, value: Value) -> Operation | None:
        """The only operation that reads `value`; None if there is no such one, or if the value is `lasting`."""
        readers = self.readers(value)
        return readers[0] if len(readers) == 1 and value not in self.lasting else None

    def replace(self, old: Sequence[Operation], new: Sequence[Operation]) -> None:
        """Remove the operations `old`, and put `new` in the place of the last of them."""
        last = max(old, key=self.operations.index)
        found: list[Operation] = []
        for each in self.operations:
            found += [each] if each not in old else new if each is last else []
        self.operations = found

    def absorb(self, operation: Operation, reader: Operation) -> None:
        """Remove `reader`, the only reader of `operation`, which takes over its layers and outputs.

        `operation` keeps its place, so that two operations that change the same statistics keep their order.
        """
        operation.layers += reader.layers
        operation.outputs = reader.outputs
        self.operations.remove(reader)

    def rename(self, old: Value, new: Value) -> None:
        """Replace `old` with `new` wherever it is read: as input, as output of the graph, as version."""
        for operation in self.operations:
            operation.inputs = [new if each is old else each for each in operation.inputs]
        self.outputs = {name: new if each is old else each for name, each in self.outputs.items()}
        self.versions = {version: new if each is old else each for version, each in self.versions.items()}
        if old in self.lasting:
            self.lasting = self.lasting - {old} | {new}
        if old in self.in_full:
            self.in_full = self.in_full - {old} | {new}

    def drop_unread(self) -> None:
        """Remove operations whose outputs are not read, unless they change parameters."""
        for operation in self.operations[::-1]:
            read = any(each in self.lasting or self.readers(each) for each in operation.outputs)
            if not read and not operation.updates_params:
                self.operations.remove(operation)
