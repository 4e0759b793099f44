"""Do deconvolutions that may be interpolations as such, with the Crop and the sum that follow (interpolation.py).

Exact: only products with zeros are left out, and outputs that Crop throws away; a kernel that is the product of a
column and a row is summed along one, then the other. In training each stays by itself, and only where its weight does
not learn.
"""

from __future__ import annotations

from fcnlite.compiler.interpolation import Interpolation
from fcnlite.compiler.ir import Graph, Machine, Operation
from fcnlite.compiler.operations import Cut, LayerOperation, Sum
from fcnlite.description.shapes import Window
from fcnlite.layers.deconvolution import Deconvolution


def interpolate(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, LayerOperation) or not _suits(operation, machine, graph.training):
            continue
        assert isinstance(operation.layer, Deconvolution)
        new = Interpolation(operation.layer, operation.inputs, operation.outputs)
        new.no_gradient = operation.no_gradient
        graph.replace([operation], [new])
        if not graph.training:
            _take_crop(graph, new)
            _take_sum(graph, new)
        done.append(f"{', '.join(new.layers)}: {new.describe()}")
    return done


def _suits(operation: LayerOperation, machine: Machine, training: bool) -> bool:
    layer = operation.layer
    if type(layer) is not Deconvolution:
        return False
    channels = operation.inputs[0].shape[1]
    windows = (layer.geometry.rows, layer.geometry.columns)
    # With a stride beyond the kernel there are outputs that no input reaches.
    plain = all(each == Window(each.kernel, each.stride, each.pad) and each.stride <= each.kernel for each in windows)
    own = layer.options.num_output == channels and layer.options.group in (1, channels)
    learns = training and any(each.lr_mult for each in machine.params(layer.spec.name))
    biased = training and layer.options.bias_term
    return plain and own and not learns and not biased


def _take_crop(graph: Graph, new: Interpolation) -> None:
    reader = graph.only_reader(new.outputs[0])
    offset = _offset(reader)
    if offset is not None and reader is not None:
        new.offset = offset
        graph.absorb(new, reader)


def _take_sum(graph: Graph, new: Interpolation) -> None:
    """Add the other bottom of a sum of two, or what it is cropped from."""
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
    graph.replace([new, reader], [new, reader])  # behind what makes the other bottom
    graph.absorb(new, reader)


def _offset(operation: Operation | None) -> tuple[int, int] | None:
    """Where in its input an operation's window lies, if it cuts rows and columns."""
    if not isinstance(operation, Cut) or operation.window[:2] != (slice(None), slice(None)):
        return None
    rows, columns = operation.window[2:]
    return rows.start or 0, columns.start or 0  # an axis that is not cut has no start
