"""Replace layers with fast operations.

    before      x → a layer on the reference path → y
    after       x → one of `FAST_OPERATIONS` → y

    condition   the kernels cover the layer's options and shapes (the operation's `lower`)

Equal but for rounding: the same formula, with its sums taken in another order.
"""

from __future__ import annotations

from typing import Protocol

from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.ir import Graph, Operation
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.concatenation import Concatenation
from fcnlite.compiler.operations.inner_product import SmallBatchInnerProduct
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.compiler.operations.lrn import LocalResponseNormalization
from fcnlite.compiler.operations.pooling import AveragePooling, MaxPooling
from fcnlite.compiler.operations.resizing import Resizing
from fcnlite.compiler.operations.softmax_loss import SoftmaxLoss
from fcnlite.compiler.operations.sum import Sum
from fcnlite.compiler.operations.unpooling import MaxUnpooling


class Lowered(Protocol):
    """A class of operations that replace layers."""

    @classmethod
    def lower(cls, operation: LayerOperation, training: bool) -> Operation | None:
        """The operation that computes the same as the layer, if this class has one."""
        ...


FAST_OPERATIONS: tuple[type[Lowered], ...] = (
    ConvolutionOperation,
    MaxPooling,
    AveragePooling,
    LocalResponseNormalization,
    SmallBatchInnerProduct,
    SoftmaxLoss,
    Concatenation,
    Sum,
    MaxUnpooling,
    Resizing,
)


def lower_layers(graph: Graph, machine: Machine) -> list[str]:
    done: dict[str, list[str]] = {}
    for operation in graph.operations[:]:
        if type(operation) is not LayerOperation:
            continue
        fast = _fast_operation(operation, graph.training)
        if fast is not None:
            fast.no_gradient = operation.no_gradient
            graph.replace([operation], [fast])
            done.setdefault(fast.kind, []).append(operation.layers[0])
    return [f"{kind}: {', '.join(names)}" for kind, names in done.items()]


def _fast_operation(operation: LayerOperation, training: bool) -> Operation | None:
    """The fast operation for a layer, if there is one."""
    found = (each.lower(operation, training) for each in FAST_OPERATIONS)
    return next((each for each in found if each is not None), None)
