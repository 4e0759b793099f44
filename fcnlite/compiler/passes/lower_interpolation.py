"""Compute bilinear deconvolutions, with the Crop and the sum that follow, as interpolations.

    before      x → Deconvolution → slice → y              x → Deconvolution → slice → sum with (a slice of) a skip → y
    after       x → Interpolation → y                      x, skip → Interpolation → y

    condition   Deconvolution: as many outputs as inputs, one group or a group for each channel, no dilation, no stride
                beyond the window
                slice and sum, each of which may be missing: inference; no other operation reads the values between
                slice: cuts rows and columns only; sum: two inputs, without coefficients
                training: only a Deconvolution whose weight does not learn and that has no bias

Equal but for rounding: each channel's filter is a column times a row, and is summed along one, then the other. Products
with zeros and outputs that Crop discards are left out. The operation checks the weights' values whenever they have
changed; for other weights it computes the layers as they are.
"""

from __future__ import annotations

from fcnlite.compiler.ir import Graph, Operation
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.interpolation import Interpolation
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.compiler.operations.static_slice import StaticSlice
from fcnlite.compiler.operations.sum import Sum
from fcnlite.description.shapes import Window
from fcnlite.layers.deconvolution import Deconvolution


def lower_interpolation(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, LayerOperation) or not _suits(operation, machine, graph.training):
            continue
        assert isinstance(operation.layer, Deconvolution)
        new = Interpolation(operation.layer, operation.inputs, operation.outputs)
        new.no_gradient = operation.no_gradient
        graph.replace([operation], [new])
        if not graph.training:
            _fuse_slice(graph, new)
            _fuse_sum(graph, new)
        done.append(f"{', '.join(new.layers)}: {new.describe()}")
    return done


def _suits(operation: LayerOperation, machine: Machine, training: bool) -> bool:
    layer = operation.layer
    if type(layer) is not Deconvolution:
        return False
    channels = operation.inputs[0].shape[1]
    windows = (layer.geometry.rows, layer.geometry.columns)
    # With a stride beyond the window some outputs have no input.
    dense = all(each == Window(each.size, each.stride, each.pad) and each.stride <= each.size for each in windows)
    own = layer.options.num_output == channels and layer.options.group in (1, channels)
    learns = training and any(each.lr_mult for each in machine.params(layer.spec.name))
    biased = training and layer.options.bias_term
    return dense and own and not learns and not biased


def _fuse_slice(graph: Graph, new: Interpolation) -> None:
    reader = graph.only_reader(new.outputs[0])
    offset = _offset(reader)
    if offset is not None and reader is not None:
        new.offset = offset
        graph.absorb(new, reader)


def _fuse_sum(graph: Graph, new: Interpolation) -> None:
    """Add the other input of a sum of two; if that is a slice, add the slice of its source."""
    reader = graph.only_reader(new.outputs[0])
    if not isinstance(reader, Sum) or len(reader.inputs) != 2 or reader.coefficients:
        return
    skip = next((each for each in reader.inputs if each is not new.outputs[0]), None)
    if skip is None:
        return
    maker = graph.producer(skip)
    offset = _offset(maker)
    if offset is not None and maker is not None and graph.only_reader(skip) is reader:
        skip, new.skip_offset = maker.inputs[0], offset
        new.layers += maker.layers
        graph.operations.remove(maker)
    new.inputs.append(skip)
    graph.replace([new, reader], [new, reader])  # after the operation that makes the other input
    graph.absorb(new, reader)


def _offset(operation: Operation | None) -> tuple[int, int] | None:
    """The first row and column that an operation copies; None unless it slices rows and columns only."""
    return operation.offset if isinstance(operation, StaticSlice) else None
