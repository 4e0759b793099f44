"""A plan: the compiled form of a net for certain inputs, outputs and shapes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from fcnlite.compiler.arena import Buffer, place
from fcnlite.compiler.ir import Graph, Machine, Operation, Run, Value, as_plain, in_layout, sum_repeats
from fcnlite.engine.backprop import Node, Pass
from fcnlite.graph.schedule import Schedule
from fcnlite.layers.base import Array, Shape


class Plan:
    """Operations in order, and where their values lie."""

    def __init__(self, graph: Graph, schedule: Schedule, machine: Machine, notes: dict[str, list[str]]) -> None:
        self.graph = graph
        self.schedule = schedule
        self.machine = machine
        self.notes = notes
        """What each pass did."""
        last = _last_steps(graph)
        self._release: list[list[Value]] = [[] for _ in graph.operations]
        self._buffers: dict[Value, Buffer] = {}
        self._scratch: list[Buffer] = []
        self._kept: list[Buffer] = []
        end = len(graph.operations)
        callers: set[Value] = set() if graph.training else graph.outs
        for i, operation in enumerate(graph.operations):
            for value in operation.outputs:
                dies = last.get(value, i)
                if dies < end:
                    self._release[dies].append(value)
                if not operation.aliases and value not in callers:
                    self._buffers[value] = Buffer(value.floats, i, dies)
            self._scratch.append(Buffer(operation.scratch_floats(machine), i, i))
            self._kept.append(Buffer(operation.kept_floats(), i, end if graph.training else i))
        for value in graph.inputs.values():
            if last.get(value, end) < end:
                self._release[last[value]].append(value)
        self.arena_floats = place([*self._buffers.values(), *self._scratch, *self._kept])

    def forward(self, feeds: Mapping[str, Array], clock: list[float] | None = None) -> PlanPass:
        """Run all operations on the fed inputs. `clock` gets the time before each, and after the last."""
        memory = self.machine.arena.of(self.arena_floats)
        values = {value: feeds[name] for name, value in self.graph.inputs.items()}
        runs = []
        for i, operation in enumerate(self.graph.operations):
            if clock is not None:
                clock.append(time.perf_counter())
            bottom = [values[value] for value in operation.inputs]
            top = [self._room(memory, value) for value in operation.outputs if not operation.aliases]
            self.machine.scratch, self.machine.kept = self._scratch[i].of(memory), self._kept[i].of(memory)
            run = Run()
            values.update(zip(operation.outputs, operation.forward(bottom, top, run, self.machine), strict=True))
            if self.graph.training:
                runs.append(run)
            for value in self._release[i]:
                values.pop(value, None)
        if clock is not None:
            clock.append(time.perf_counter())
        return PlanPass(self, values, runs)

    def _room(self, memory: Array, value: Value) -> Array:
        """The array that a value is written into; an output's is the caller's for as long as anybody holds it."""
        if value not in self._buffers:
            return self.machine.outputs.lend(value.memory_shape, keep=not self.machine.low_memory)
        return self._buffers[value].of(memory).reshape(value.memory_shape)


def _last_steps(graph: Graph) -> dict[Value, int]:
    """The step after which nobody reads a value, nor another that may share its memory; the end for what lasts."""
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
    """What a plan's forward left: the values, and in training what backward needs."""

    def __init__(self, plan: Plan, values: dict[Value, Array], runs: list[Run]) -> None:
        super().__init__(plan.schedule, Blobs(plan, values))
        self._plan = plan
        self._values = values
        self._runs = runs

    def outputs(self) -> dict[str, Array]:
        """The output blobs, each an array of its own."""
        plan = self._plan
        borrowed = set(plan.graph.inputs.values())
        found = {}
        for name, value in plan.graph.outputs.items():
            producer = plan.graph.producer(value)
            own = value not in borrowed and producer is not None and not producer.aliases and not plan.graph.training
            found[name] = self._values[value] if own else self._values[value].copy()
            borrowed.add(value)
        return found

    def key(self, version: int) -> Value:
        return self._plan.graph.versions[version]

    def in_full(self, version: int) -> bool:
        return self.key(version).repeats is None

    def nodes(self) -> Iterator[Node[Value]]:
        for operation, run in zip(self._plan.graph.operations, self._runs, strict=True):
            yield Node(
                operation.inputs,
                operation.outputs,
                [i not in operation.no_gradient for i in range(len(operation.inputs))],
                operation.layers,
                operation.learns,
                [each.memory_shape for each in operation.outputs],
                partial(_backward, operation, run, self._plan.machine),
            )

    def in_layout(self, key: Value, gradient: Array) -> Array:
        if key.repeats:
            gradient = sum_repeats(gradient, key.repeats, (key.shape[2], key.shape[3]), self._plan.machine)
        return in_layout(gradient, key, self._plan.machine)

    def nchw(self, key: Value, gradient: Array) -> Array:
        return as_plain(gradient, key, self._plan.machine)

    def memory(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        return self._plan.machine.buffer(shape)

    def add(self, gradient: Array, other: Array) -> Array:
        return np.add(gradient, other, out=self._plan.machine.buffer(gradient.shape))


def _backward(
    operation: Operation,
    run: Run,
    machine: Machine,
    dtop: list[Array],
    needs: Sequence[bool],
    dparams: Sequence[Array | None],
) -> list[Array | None]:
    run.needs, run.dparams = needs, dparams
    dbottom = operation.backward(dtop, run, machine)
    run.dparams = ()  # frees the buffers that are added to the gradients
    return dbottom


class Blobs(Mapping[int, Array]):
    """A plan's values by the schedule's versions, N×C×H×W; each an array of its own, made when it is looked at."""

    def __init__(self, plan: Plan, values: Mapping[Value, Array]) -> None:
        self._plan = plan
        self._values = values

    def __getitem__(self, version: int) -> Array:
        value = self._plan.graph.versions[version]
        array = as_plain(self._values[value], value, self._plan.machine).copy()
        if value.repeats:
            rows, columns = value.repeats
            array = array.take(rows, axis=2).take(columns, axis=3)
        return array

    def __contains__(self, version: object) -> bool:
        return self._plan.graph.versions.get(version) in self._values  # type: ignore[call-overload]

    def __iter__(self) -> Iterator[int]:
        return (version for version in self._plan.graph.versions if version in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
