"""Insert conversions where an operation reads a value in another layout than the one that it is made in.

Most operations have a layout of their own. Those that go element by element, sums, concatenations, interpolations
and frames take either: blocked where they get blocked values and the values that they make are read so.
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
        wants = layouts.wants_blocked(operation)
        for i, value in enumerate(operation.inputs):
            if value.blocked == wants:
                continue
            if value not in converted:
                converted[value] = Value(value.name, value.shape, wants)
                conversion = (ToBlocked if wants else FromBlocked)([value], [converted[value]], ())
                operations.append(conversion)
                reader = operation.layers[0] if operation.layers else operation.kind
                done.append(f"{value.name}, {conversion.kind}, for {reader}")
            operation.inputs[i] = converted[value]
        if wants and graph.training:
            # The backward of the operation that made an input may read it, where that of its layer does not.
            operation.keep_inputs()
        for value in operation.outputs:
            value.blocked = operation.writes is Layout.BLOCKED or (operation.writes is Layout.EITHER and wants)
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
    """Which layouts operations read."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._asked: dict[Value, bool] = {}

    def wants_blocked(self, operation: Operation) -> bool:
        """Whether an operation reads blocked values; its inputs are laid out."""
        if not _takes_either(operation):
            return operation.reads is Layout.BLOCKED
        blocked = [each.blocked for each in operation.inputs]
        if operation.enlarges:
            return all(blocked) and self._asks_blocked(operation.outputs[0])
        return all(blocked) or (any(blocked) and self._asks_blocked(operation.outputs[0]))

    def _asks_blocked(self, value: Value) -> bool:
        """Whether somebody reads a value blocked, or one that is made of it by operations that take either layout."""
        if value not in self._asked:
            self._asked[value] = any(
                self._asks_blocked(each.outputs[0]) if _takes_either(each) else each.reads is Layout.BLOCKED
                for each in self._graph.readers(value)
            )
        return self._asked[value]


def _takes_either(operation: Operation) -> bool:
    return operation.reads is Layout.EITHER and all(len(each.shape) == 4 for each in operation.inputs)
