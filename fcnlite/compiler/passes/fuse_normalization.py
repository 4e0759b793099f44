"""Normalize in the blocked layout, and fuse the Scale and ReLU that follow.

    before      convolution → BatchNorm → Scale → ReLU → y
    after       convolution → Normalization → y

    condition   BatchNorm: reads a convolution's output, and fold_affine has not folded it
                Scale: one factor for each channel, from its own parameter
                ReLU: no negative slope
                Scale and ReLU, each of which may be missing: propagates gradients and is the only reader of its input

Equal but for rounding: the same formulas, but forward reads the values once and backward twice, so that sums are taken
in another order.
"""

from __future__ import annotations

from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.ir import Graph, Operation
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.batch_normalization import BatchNormalization
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers.batch_norm import BatchNorm
from fcnlite.layers.relu import ReLU
from fcnlite.layers.scale import Scale


def fuse_normalization(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if type(operation) is not LayerOperation or type(operation.layer) is not BatchNorm:
            continue
        # The kernels read the blocked layout, in which convolutions write. Other values would have to be converted.
        if not isinstance(graph.producer(operation.inputs[0]), ConvolutionOperation):
            continue
        fast = BatchNormalization(operation.layer, operation.inputs, operation.outputs)
        fast.no_gradient = operation.no_gradient
        graph.replace([operation], [fast])
        done.append(fast.layers[0])
        for reader in _fusible_readers(graph, fast):
            done.append(f"{reader.layers[0]} into {fast.layers[0]}")
            graph.absorb(fast, reader)
    return done


def _fusible_readers(graph: Graph, fast: BatchNormalization) -> list[LayerOperation]:
    """The Scale and the ReLU that follow, which `fast` is set to compute."""
    found = []
    reader = _layer_with_gradient(graph.only_reader(fast.outputs[0]))
    if reader is not None and type(reader.layer) is Scale and len(reader.inputs) == 1:
        options = reader.layer.options
        if (options.axis, options.num_axes) == (1, 1):
            fast.scale = reader.layer
            found.append(reader)
            reader = _layer_with_gradient(graph.only_reader(reader.outputs[0]))
    if reader is not None and type(reader.layer) is ReLU and reader.layer.options.negative_slope == 0:
        fast.relu = True
        found.append(reader)
    return found


def _layer_with_gradient(reader: Operation | None) -> LayerOperation | None:
    """The operation, if it computes one layer on the reference path and lets gradients through."""
    return reader if type(reader) is LayerOperation and not reader.no_gradient else None
