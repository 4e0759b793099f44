"""Compute learned deconvolutions by sub-pixels.

    before      x → Deconvolution → y
    after       x → a convolution for each remainder of the places in y → y

    condition   inference; no dilation, no stride beyond the window; one group, or groups of whole blocks of channels
                the weights do not interpolate (lower_interpolation)

Equal but for rounding: the same products, without those with zeros, in sums of another order.
"""

from __future__ import annotations

from fcnlite.compiler.convolution.deconvolution import DeconvolutionOperation
from fcnlite.compiler.ir import Graph
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.interpolation import separable
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers.deconvolution import Deconvolution


def lower_deconvolution(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        layer = operation.layer if type(operation) is LayerOperation else None
        if type(layer) is not Deconvolution:
            continue
        channels = operation.inputs[0].shape[1]
        if DeconvolutionOperation.suits(layer, channels) and separable(layer, channels, machine) is None:
            graph.replace([operation], [DeconvolutionOperation(layer, operation.inputs, operation.outputs)])
            done.append(operation.layers[0])
    return done
