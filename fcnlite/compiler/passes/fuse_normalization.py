"""Put a fast batch normalisation behind a convolution, and let it scale and rectify what it makes.

By the batch's statistics, and by the global ones where `fold_affine` has not taken it: in training. Exact: the same
products and sums, each taken once. Scale and ReLU only where nobody looks at the value before them.
"""

from __future__ import annotations

from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.ir import Graph, Operation
from fcnlite.compiler.normalization import Normalization
from fcnlite.compiler.operations import LayerOperation
from fcnlite.layers.batch_norm import BatchNorm
from fcnlite.layers.relu import ReLU
from fcnlite.layers.scale import Scale


def fuse_normalization(graph: Graph) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if type(operation) is not LayerOperation or type(operation.layer) is not BatchNorm:
            continue
        # What a convolution makes is blocked, as these kernels want it; other values would have to be converted.
        if not isinstance(graph.producer(operation.inputs[0]), Convolution):
            continue
        fast = Normalization(operation.layer, operation.inputs, operation.outputs)
        fast.no_gradient = operation.no_gradient
        graph.replace([operation], [fast])
        done.append(fast.layers[0])
        for reader in _followers(graph, fast):
            done.append(f"{reader.layers[0]} into {fast.layers[0]}")
            graph.absorb(fast, reader)
    return done


def _followers(graph: Graph, fast: Normalization) -> list[LayerOperation]:
    """The Scale and the ReLU behind, which `fast` is set to do."""
    found = []
    reader = _plain(graph.only_reader(fast.outputs[0]))
    if reader is not None and type(reader.layer) is Scale and len(reader.inputs) == 1:
        options = reader.layer.options
        if (options.axis, options.num_axes) == (1, 1):
            fast.scale = reader.layer
            found.append(reader)
            reader = _plain(graph.only_reader(reader.outputs[0]))
    if reader is not None and type(reader.layer) is ReLU and reader.layer.options.negative_slope == 0:
        fast.relu = True
        found.append(reader)
    return found


def _plain(reader: Operation | None) -> LayerOperation | None:
    """The operation, if it is a layer's own and passes gradients on."""
    return reader if type(reader) is LayerOperation and not reader.no_gradient else None
