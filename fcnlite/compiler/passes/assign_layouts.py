"""Assign each value a layout, NCHW or blocked, and insert conversions between them.

    before      a writes x → b reads x → c reads x
    after       a writes x → b reads x → conversion → c reads the copy

    condition   c reads another layout than a writes; all such readers read the same copy

Exact: a conversion copies. Most operations read one layout; the caller gets NCHW. Elementwise layers, sums,
concatenations of channels, interpolations and operations that put a border around a value read either layout, and write
the same one. They read the blocked layout if all inputs have it and a reader of their output reads it. For the first
three, one of the two conditions is enough if at least one input has this layout.
"""

from __future__ import annotations

from fcnlite.compiler.ir import Graph, Layout, Operation, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.conversion import FromBlocked, ToBlocked


def assign_layouts(graph: Graph, machine: Machine) -> list[str]:
    converted: dict[Value, Value] = {}
    operations: list[Operation] = []
    done = []
    layouts = _Layouts(graph)
    for operation in graph.operations:
        blocked = layouts.reads_blocked(operation)
        for i, value in enumerate(operation.inputs):
            if value.blocked == blocked:
                continue
            if value not in converted:
                converted[value] = Value(value.name, value.shape, blocked)
                conversion = (ToBlocked if blocked else FromBlocked)([value], [converted[value]], ())
                operations.append(conversion)
                reader = operation.layers[0] if operation.layers else operation.kind
                done.append(f"{value.name}, {conversion.kind}, for {reader}")
            operation.inputs[i] = converted[value]
        if blocked and graph.training:
            # The operation that wrote the input may read it again in its backward pass.
            operation.keep_inputs()
        for value in operation.outputs:
            value.blocked = operation.writes is Layout.BLOCKED or (operation.writes is Layout.EITHER and blocked)
        operations.append(operation)
    graph.operations = operations
    for name, value in graph.outputs.items():
        if value.blocked:
            if value not in converted:
                converted[value] = Value(value.name, value.shape)
                graph.operations.append(FromBlocked([value], [converted[value]], ()))
                done.append(f"{value.name}, from blocked, for the caller")
            graph.outputs[name] = converted[value]
            graph.lasting.add(converted[value])
            if not graph.training:
                graph.lasting.discard(value)
    return done


class _Layouts:
    """The layouts that operations read."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._read_blocked: dict[Value, bool] = {}

    def reads_blocked(self, operation: Operation) -> bool:
        """Whether an operation reads blocked values. Its inputs have their layouts by now."""
        if not _takes_either(operation):
            return operation.reads is Layout.BLOCKED
        blocked = [each.blocked for each in operation.inputs]
        if operation.enlarges:
            return all(blocked) and self._is_read_blocked(operation.outputs[0])
        return all(blocked) or (any(blocked) and self._is_read_blocked(operation.outputs[0]))

    def _is_read_blocked(self, value: Value) -> bool:
        """Whether some operation reads the value blocked, directly or through operations that read either layout."""
        if value not in self._read_blocked:
            self._read_blocked[value] = any(
                self._is_read_blocked(each.outputs[0]) if _takes_either(each) else each.reads is Layout.BLOCKED
                for each in self._graph.readers(value)
            )
        return self._read_blocked[value]


def _takes_either(operation: Operation) -> bool:
    """Whether an operation reads its inputs in either layout; only values of four axes can be blocked."""
    return operation.reads is Layout.EITHER and all(len(each.shape) == 4 for each in operation.inputs)
