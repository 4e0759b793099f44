"""A plan: the compiled form of a net for certain inputs, outputs and shapes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial

from fcnlite.backprop import Node, Pass
from fcnlite.compiler.arena import Arena, Buffer, place
from fcnlite.compiler.ir import Graph, Machine, Operation, Value, as_plain, fold, in_layout
from fcnlite.layers.base import Array, Run
from fcnlite.schedule import Schedule


class Plan:
    """Operations in order, and where their values lie."""

    def __init__(self, graph: Graph, schedule: Schedule, machine: Machine, notes: dict[str, list[str]]) -> None:
        self.graph = graph
        self.schedule = schedule
        self.machine = machine
        self.notes = notes
        """What each pass did."""
        last = {value: i for i, operation in enumerate(graph.operations) for value in operation.inputs}
        self._release: list[list[Value]] = [[] for _ in graph.operations]
        self._buffers: dict[Value, Buffer] = {}
        self._scratch: list[Buffer] = []
        end = len(graph.operations)
        for i, operation in enumerate(graph.operations):
            operation.for_caller = not graph.training and any(each in graph.outs for each in operation.outputs)
            for value in operation.outputs:
                kept = graph.training or value in graph.lasting
                dies = end if kept else last.get(value, i)
                if not kept:
                    self._release[dies].append(value)
                if operation.into_arena:
                    self._buffers[value] = Buffer(value.floats, i, dies)
            self._scratch.append(Buffer(operation.scratch_floats(machine), i, i))
        for value in graph.inputs.values():
            if not graph.training and value not in graph.lasting and value in last:
                self._release[last[value]].append(value)
        self.arena_floats = place([*self._buffers.values(), *self._scratch])

    def forward(self, feeds: Mapping[str, Array], arena: Arena, clock: list[float] | None = None) -> PlanPass:
        """Run all operations on the fed inputs. `clock` gets the time before each, and after the last."""
        memory = arena.of(self.arena_floats)
        values = {value: feeds[name] for name, value in self.graph.inputs.items()}
        runs = []
        for i, operation in enumerate(self.graph.operations):
            if clock is not None:
                clock.append(time.perf_counter())
            bottom = [values[value] for value in operation.inputs]
            top = [self._view(memory, value) for value in operation.outputs if operation.into_arena]
            scratch = self._scratch[i]
            self.machine.scratch = memory[scratch.offset : scratch.offset + scratch.floats]
            run = Run(params=[], top_shapes=[each.memory_shape for each in operation.outputs])
            values.update(zip(operation.outputs, operation.forward(bottom, top, run, self.machine), strict=True))
            if self.graph.training:
                runs.append(run)
            for value in self._release[i]:
                values.pop(value, None)
        if clock is not None:
            clock.append(time.perf_counter())
        return PlanPass(self, values, runs)

    def _view(self, memory: Array, value: Value) -> Array:
        buffer = self._buffers[value]
        return memory[buffer.offset : buffer.offset + buffer.floats].reshape(value.memory_shape)


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

    def is_short(self, version: int) -> bool:
        return self.key(version).repeats is not None

    def nodes(self) -> Iterator[Node[Value]]:
        for operation, run in zip(self._plan.graph.operations, self._runs, strict=True):
            yield Node(
                operation.inputs,
                operation.outputs,
                [i not in operation.no_gradient for i in range(len(operation.inputs))],
                operation.layers,
                operation.learns,
                run,
                partial(_backward, operation, run, self._plan.machine),
            )

    def laid(self, key: Value, gradient: Array) -> Array:
        if key.repeats:
            gradient = fold(gradient, key.repeats, (key.shape[2], key.shape[3]), self._plan.machine)
        return in_layout(gradient, key, self._plan.machine)

    def plain(self, key: Value, gradient: Array) -> Array:
        return as_plain(gradient, key, self._plan.machine)


def _backward(operation: Operation, run: Run, machine: Machine, dtop: list[Array]) -> list[Array | None]:
    return operation.backward(dtop, run, machine)


class Blobs(Mapping[int, Array]):
    """A plan's values by the schedule's versions, N×C×H×W; converted when they are looked at."""

    def __init__(self, plan: Plan, values: Mapping[Value, Array]) -> None:
        self._plan = plan
        self._values = values

    def __getitem__(self, version: int) -> Array:
        value = self._plan.graph.versions[version]
        array = as_plain(self._values[value], value, self._plan.machine)
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
