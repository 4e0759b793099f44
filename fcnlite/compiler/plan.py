"""A plan: the compiled form of a schedule for given shapes, for inference or for training."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fcnlite import config
from fcnlite.arrays import Array, Shape
from fcnlite.compiler.arena import Buffer, Part, place
from fcnlite.compiler.ir import BackwardStep, ForwardStep, Graph, Operation, SetUp, Value
from fcnlite.compiler.layouts import from_nchw, sum_repeats, to_nchw
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.sum import added
from fcnlite.engine.backprop import Node, Pass
from fcnlite.errors import ShapeError
from fcnlite.graph.schedule import Schedule
from fcnlite.threads import blas_alone

SMALL_SECONDS = 20e-6
"""The predicted time on one thread below which an operation uses only that: waking another takes about as long."""


@dataclass(frozen=True, eq=False)
class PlanStep:
    """One operation of a plan, with what it needs to run."""

    operation: Operation
    machine: Machine
    """The plan's machine; for a small operation, with one thread."""
    set_up: SetUp
    scratch: Buffer
    """The memory that forward uses while it runs."""
    kept: Buffer
    """The memory in which forward leaves arrays for backward."""
    release: list[Value]
    """Values whose arrays are not needed after this step."""


@dataclass(frozen=True, eq=False)
class BoundStep:
    """A step of a plan with its arrays in the arena."""

    step: PlanStep
    scratch: Array
    kept: Array
    top: list[tuple[Value, Array | None]]
    """The values that it writes, with their arrays; None for one that each call makes for its caller."""


class Plan:
    """Operations in order, and the place of each value in memory."""

    def __init__(self, graph: Graph, schedule: Schedule, machine: Machine, notes: dict[str, list[str]]) -> None:
        self.graph = graph
        self.schedule = schedule
        self.machine = machine
        self.notes = notes
        """What each compiler pass did, by its name: a line for each change."""
        last = _last_steps(graph)
        self.steps: list[PlanStep] = []
        buffers: dict[Value, Buffer] = {}
        end = len(graph.operations)
        callers: set[Value] = set() if graph.training else graph.outs
        alone = machine.alone()
        for i, operation in enumerate(graph.operations):
            own = alone if operation.cost(1).seconds(1) < SMALL_SECONDS else machine
            set_up = operation.set_up(own)
            scratch = Buffer(set_up.scratch, i, i)
            kept = Buffer(set_up.kept, i, end if graph.training else i)
            self.steps.append(PlanStep(operation, own, set_up, scratch, kept, []))
            for value in operation.outputs:
                if not operation.aliases and value not in callers:
                    buffers[value] = Buffer(value.floats, i, last.get(value, i))
        for i, operation in enumerate(graph.operations):
            for value in operation.outputs:
                dies = last.get(value, i)
                if dies < end:
                    self.steps[dies].release.append(value)
        for value in graph.inputs.values():
            if last.get(value, end) < end:
                self.steps[last[value]].release.append(value)
        scratches, kepts = ([getattr(each, name) for each in self.steps] for name in ("scratch", "kept"))
        parts = {value: value.part_of for value in buffers if value.part_of is not None}
        self._buffers: dict[Value, Buffer | Part] = {**buffers}
        for value, (whole, start) in parts.items():
            part, owner = buffers.pop(value), buffers[whole]
            owner.first, owner.last = min(owner.first, part.first), max(owner.last, part.last)
            self._buffers[value] = Part(owner, start, part.floats)
        self.arena_floats = place([*buffers.values(), *scratches, *kepts])
        if excess := config.excess(4 * self.arena_floats):
            raise ShapeError(f"the net's blobs {excess}: make the picture or the batch smaller.")
        self._calls_blas = any(each.calls_blas for each in graph.operations)
        self.outputs = self._outputs()
        """For each output by name, its value, and whether callers get a copy of the array."""

    def forward(self, feeds: Mapping[str, Array], clock: list[float] | None = None) -> PlanPass:
        """Run all operations on the inputs `feeds`. Append to `clock` the time before each, and after the last."""
        values = {value: feeds[name] for name, value in self.graph.inputs.items()}
        saved = []
        with blas_alone() if self._calls_blas else nullcontext():
            for bound in self.machine.arena.bound(self, self.arena_floats, self._bind):
                if clock is not None:
                    clock.append(time.perf_counter())
                step, operation = bound.step, bound.step.operation
                bottom = [values[value] for value in operation.inputs]
                top = [self._lend(value) if array is None else array for value, array in bound.top]
                run = ForwardStep(step.set_up.work, bound.scratch, bound.kept)
                values.update(zip(operation.outputs, operation.forward(bottom, top, run, step.machine), strict=True))
                if self.graph.training:
                    saved.append(run.saved)
                for value in step.release:
                    values.pop(value, None)
        if clock is not None:
            clock.append(time.perf_counter())
        self.machine.derived.first_pass = False
        return PlanPass(self, values, saved)

    def _bind(self, memory: Array) -> list[BoundStep]:
        """The steps, with their arrays in the arena's `memory`."""
        bound = []
        for step in self.steps:
            written = [] if step.operation.aliases else step.operation.outputs
            arrays = [self._buffers[each].of(memory) if each in self._buffers else None for each in written]
            top = [
                (value, None if array is None else array.reshape(value.memory_shape))
                for value, array in zip(written, arrays, strict=True)
            ]
            bound.append(BoundStep(step, step.scratch.of(memory), step.kept.of(memory), top))
        return bound

    def _lend(self, value: Value) -> Array:
        """An array for the caller."""
        return self.machine.outputs.lend(value.memory_shape, keep=not self.machine.low_memory)

    def _outputs(self) -> dict[str, tuple[Value, bool]]:
        shared = set(self.graph.inputs.values())
        found = {}
        for name, value in self.graph.outputs.items():
            producer = self.graph.producer(value)
            own = value not in shared and producer is not None and not producer.aliases and not self.graph.training
            found[name] = value, not own
            shared.add(value)
        return found


def _last_steps(graph: Graph) -> dict[Value, int]:
    """The number of the last step that reads each value, or a value that may share its memory.

    For values that are read after the last step, it is the number of steps.
    """
    end = len(graph.operations)
    lasting = graph.versions.values() if graph.training else graph.lasting
    last = dict.fromkeys(lasting, end)
    for i, operation in reversed(list(enumerate(graph.operations))):
        sharing = [last[each] for each in operation.outputs if operation.aliases and each in last]
        for value in operation.inputs:
            last[value] = max([last.get(value, i), *sharing])
    if graph.training:
        last.update((value, end) for operation in graph.operations for value in operation.outputs)
    return last


class PlanPass(Pass[Value]):
    """A forward pass of a plan: its values, and, in training, what each operation left for backward."""

    def __init__(self, plan: Plan, values: dict[Value, Array], saved: Sequence[Any]) -> None:
        super().__init__(plan.schedule, Blobs(plan, values))
        self._plan = plan
        self._values = values
        self._saved = saved

    def outputs(self) -> dict[str, Array]:
        """The output blobs, each in an array of its own."""
        found = {}
        for name, (value, copied) in self._plan.outputs.items():
            array = self._values[value]
            found[name] = array.copy() if copied else array
        return found

    def key(self, version: int) -> Value:
        return self._plan.graph.versions[version]

    def in_full(self, version: int) -> bool:
        return self.key(version).repeats is None

    def nodes(self) -> Iterator[Node[Value]]:
        for step, saved in zip(self._plan.steps, self._saved, strict=True):
            operation = step.operation
            yield Node(
                operation.inputs,
                operation.outputs,
                [i not in operation.no_gradient for i in range(len(operation.inputs))],
                operation.layers,
                operation.learns,
                [each.memory_shape for each in operation.outputs],
                partial(_backward, step, saved),
            )

    def in_layout(self, key: Value, gradient: Array) -> Array:
        if key.repeats:
            gradient = sum_repeats(gradient, key.repeats, (key.shape[2], key.shape[3]), self._plan.machine)
        return from_nchw(gradient, key, self._plan.machine)

    def nchw(self, key: Value, gradient: Array) -> Array:
        return to_nchw(gradient, key, self._plan.machine)

    def memory(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        return self._plan.machine.buffer(shape)

    def add(self, gradient: Array, other: Array) -> Array:
        machine = self._plan.machine
        return added(gradient, other, machine.buffer(gradient.shape), machine)


def _backward(
    step: PlanStep,
    saved: Any,
    dtop: list[Array],
    needs: Sequence[bool],
    dparams: Sequence[Array | None],
) -> list[Array | None]:
    return step.operation.backward(dtop, BackwardStep(step.set_up.work, saved, needs, dparams), step.machine)


class Blobs(Mapping[int, Array]):
    """A plan's values by version of the schedule, in NCHW layout, with all rows. Each access makes a new array."""

    def __init__(self, plan: Plan, values: Mapping[Value, Array]) -> None:
        self._plan = plan
        self._values = values

    def __getitem__(self, version: int) -> Array:
        value = self._plan.graph.versions[version]
        array = to_nchw(self._values[value], value, self._plan.machine).copy()
        if value.repeats:
            rows, columns = value.repeats
            array = array.take(rows, axis=2).take(columns, axis=3)
        return array

    def __contains__(self, version: object) -> bool:
        return isinstance(version, int) and self._plan.graph.versions.get(version) in self._values

    def __iter__(self) -> Iterator[int]:
        return (version for version in self._plan.graph.versions if version in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
