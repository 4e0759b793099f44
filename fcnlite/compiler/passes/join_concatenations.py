"""Compute the inputs of a concatenation in their places of its output.

    before      x → convolution → a;  y → convolution → b;  a, b → concatenation → c
    after       x → convolution → the first blocks of c;  y → convolution → its other blocks;  c

    condition   inference with one sample, blocked layout, so that each input is adjacent in c
                each input has whole blocks of c, so that no other channels come to stand beyond its own, which are 0
                each input is an array in the arena that no operation overwrites, and no part of another value
                the caller does not get c, whose array would not be in the arena

Exact: a copy less.
"""

from __future__ import annotations

from fcnlite.compiler.ir import BLOCK, Graph, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.concatenation import Concatenation


def join_concatenations(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations:
        if not isinstance(operation, Concatenation) or not _adjacent(graph, operation):
            continue
        joined = 0
        channels = operation.outputs[0].shape[1]
        for value, (start, stop) in zip(operation.inputs, operation.parts(), strict=True):
            whole_blocks = start % BLOCK == 0 and (stop % BLOCK == 0 or stop == channels)
            if whole_blocks and _placed_freely(graph, value):
                value.part_of = operation.place(start)
                joined += 1
        if joined:
            done.append(f"{operation.layers[0]}: {joined} of {len(operation.inputs)} inputs")
    return done


def _adjacent(graph: Graph, operation: Concatenation) -> bool:
    """Whether the output is in the arena, and each input adjacent in it."""
    value = operation.outputs[0]
    return value.blocked and value.shape[0] == 1 and _in_arena(graph, value)


def _placed_freely(graph: Graph, value: Value) -> bool:
    """Whether the value may be computed in another place."""
    producer = graph.producer(value)
    computed = producer is not None and not producer.aliases
    return computed and value.part_of is None and not _whole(graph, value) and _in_arena(graph, value)


def _whole(graph: Graph, value: Value) -> bool:
    """Whether other values are parts of it."""
    return any(each.part_of and each.part_of[0] is value for other in graph.operations for each in other.outputs)


def _in_arena(graph: Graph, value: Value) -> bool:
    """Whether the value has memory of its own in the arena, which no operation overwrites or passes on."""
    return value not in graph.lasting and not any(each.aliases for each in graph.readers(value))
