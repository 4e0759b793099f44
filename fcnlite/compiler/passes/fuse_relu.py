"""Make ReLU or PReLU the last step of a convolution.

    before      x → convolution → ReLU | PReLU → y
    after       x → convolution with its rectifier → y

    condition   no other operation reads the value between, and the rectifier propagates gradients
                training: only ReLU without a negative slope

Exact: the same maximum, and the same product below zero, taken while the value is in a register. In training every blob
lasts until the backward pass, so a ReLU is fused only where it is in place, as in the published nets.
"""

from __future__ import annotations

from fcnlite.compiler.convolution.operation import ConvolutionOperation, Slopes
from fcnlite.compiler.ir import Graph
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers.base import Layer
from fcnlite.layers.prelu import PReLU
from fcnlite.layers.relu import ReLU


def fuse_relu(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, ConvolutionOperation):
            continue
        reader = graph.only_reader(operation.outputs[0])
        if not isinstance(reader, LayerOperation) or type(reader.layer) not in (ReLU, PReLU) or reader.no_gradient:
            continue
        slopes = _slopes(reader.layer)
        if slopes is not None and graph.training:
            continue
        operation.change(relu=True)
        operation.slopes = slopes
        done.append(f"{reader.layers[0]} into {operation.layers[0]}")
        graph.absorb(operation, reader)
    return done


def _slopes(layer: Layer) -> Slopes | None:
    """The slopes below zero; None for a ReLU without any."""
    if isinstance(layer, PReLU):
        return Slopes(layer.spec.name)
    return Slopes(None, layer.options.negative_slope) if layer.options.negative_slope else None
