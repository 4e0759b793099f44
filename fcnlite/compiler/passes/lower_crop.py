"""Replace Crop, and in inference Slice, with slices at fixed places.

    before      a, b → Crop → c                        a → Slice → b, c
    after       a → a[:, :, 1:9, 2:7] → c              a → a[:, :3] → b,   a → a[:, 3:] → c

    condition   Crop: always
                Slice: inference, and more than one top

Exact: both copy a window that the shapes and options determine. The new operation reads the shape of Crop's reference b
at compile time only, so that what computes nothing but b can be removed. In training Slice stays: it writes the
gradient of a in one pass, where separate slices would each write a whole gradient, to be summed.
"""

from __future__ import annotations

from fcnlite.compiler.ir import Graph
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.compiler.operations.static_slice import StaticSlice
from fcnlite.layers.crop import Crop
from fcnlite.layers.slice import Slice


def lower_crop(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, LayerOperation):
            continue
        windows = _windows(operation, graph.training)
        if not windows:
            continue
        slices = [
            StaticSlice(operation.inputs[:1], [top], operation.layers, window)
            for top, window in zip(operation.outputs, windows, strict=True)
        ]
        for each in slices:
            each.no_gradient = operation.no_gradient & {0}
        graph.replace([operation], slices)
        done.append(operation.layers[0])
    return done


def _windows(operation: LayerOperation, training: bool) -> list[tuple[slice, ...]]:
    """The part of the first input that each output copies; empty if the layer stays."""
    layer, shapes = operation.layer, [each.shape for each in operation.inputs]
    if type(layer) is Crop:
        return [layer.window(*shapes)]
    if type(layer) is Slice and len(operation.outputs) > 1 and not training:
        return layer.windows(*shapes)
    return []
