"""Make ReLU, PReLU or ReLU6 the last step of a convolution, and in training ReLU that of a sum.

    before      x → convolution | deconvolution | sum → ReLU | PReLU | ReLU6 → y
    after       x → convolution | deconvolution | sum with its rectifier → y

    condition   no other operation reads the value between, and the rectifier propagates gradients
                training: only ReLU without a negative slope
                inference: no sum; fuse_sum and lower_affine come later

Exact: the same maximum, and the same product below zero, taken while the value is in a register. In training every blob
lasts until the backward pass, so a ReLU is fused only where it is in place, as in the published nets.
"""

from __future__ import annotations

import math
from typing import Protocol

from fcnlite.compiler.convolution.deconvolution import DeconvolutionOperation
from fcnlite.compiler.convolution.operation import ConvolutionOperation, Slopes
from fcnlite.compiler.ir import Graph, Value
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.affine import Affine
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.compiler.operations.sum import Sum
from fcnlite.layers.base import Layer
from fcnlite.layers.forks.relu6 import ReLU6
from fcnlite.layers.prelu import PReLU
from fcnlite.layers.relu import ReLU


class Rectifiable(Protocol):
    """An operation that can end in a rectifier."""

    layers: tuple[str, ...]
    outputs: list[Value]

    def rectify(self, slopes: Slopes | None, limit: float) -> None:
        """End in max(x, 0), plus slopes · min(x, 0); then values above `limit` become `limit`."""
        ...


def fuse_relu(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if isinstance(operation, (ConvolutionOperation, DeconvolutionOperation)) or (
            graph.training and isinstance(operation, Sum)
        ):
            done += fuse_rectifier(graph, operation)
    return done


def fuse_rectifier(graph: Graph, operation: ConvolutionOperation | DeconvolutionOperation | Affine | Sum) -> list[str]:
    """Make the rectifier that follows, if there is one, the last step of the operation."""
    reader = graph.only_reader(operation.outputs[0])
    if (
        not isinstance(reader, LayerOperation)
        or reader.no_gradient
        or not rectify(operation, reader.layer, graph.training)
    ):
        return []
    done = [f"{reader.layers[0]} into {operation.layers[0]}"]
    graph.absorb(operation, reader)
    return done


def rectify(operation: Rectifiable, layer: Layer, training: bool = False) -> bool:
    """Let the operation end in the rectifier `layer`. Returns whether it is one that is fused."""
    slopes, limit = None, math.inf
    if type(layer) is PReLU:
        slopes = Slopes(layer.spec.name)
    elif type(layer) is ReLU6:
        limit = 6
    elif type(layer) is not ReLU:
        return False
    elif layer.options.negative_slope:
        slopes = Slopes(None, layer.options.negative_slope)
    if training and (slopes is not None or limit < math.inf):
        return False
    operation.rectify(slopes, limit)
    return True
