"""Fold BatchNorm with global statistics, Scale and Bias into the convolution before them (inference only).

Each maps channel o to factor[o] · y + shift[o], and y = W x + b, so that factor W x + factor b + shift is a
convolution again. Where there is none before a Scale, as behind a pooling, it goes into the one behind, if it has no
bias: W (factor x) is (W factor) x, and a pad of zeros stays one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.convolution import Convolution, Weights
from fcnlite.compiler.ir import Graph, Machine
from fcnlite.compiler.operations import LayerOperation
from fcnlite.layers.base import Layer
from fcnlite.layers.batch_norm import BatchNorm, averages
from fcnlite.layers.bias import Bias
from fcnlite.layers.scale import Scale

Affine = Callable[[Machine], tuple[Array, Array]]
"""Gives factor and shift of every channel."""


def fold(graph: Graph) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if not isinstance(operation, Convolution):
            continue
        while isinstance(reader := graph.only_reader(operation.outputs[0]), LayerOperation):
            affine = _affine(reader.layer)
            if affine is None:
                break
            operation.weights = _folded(operation.weights, affine)
            done.append(f"{reader.layers[0]} into {operation.layers[0]}")
            graph.absorb(operation, reader)
    for operation in graph.operations[:]:
        if not isinstance(operation, LayerOperation) or type(operation.layer) is not Scale:
            continue
        affine, reader = _affine(operation.layer), graph.only_reader(operation.outputs[0])
        if affine is not None and not operation.layer.options.bias_term and isinstance(reader, Convolution):
            reader.weights = _multiplied(reader.weights, affine, reader.problem.group)
            reader.layers += operation.layers
            reader.inputs = operation.inputs[:]
            graph.operations.remove(operation)
            done.append(f"{operation.layers[0]} into {reader.layers[0]}")
    return done


def _multiplied(weights: Weights, affine: Affine, group: int) -> Weights:
    """The kernels over channels that are multiplied by the factors."""

    def give(machine: Machine) -> tuple[Array, Array | None]:
        weight, bias = weights(machine)
        factor = affine(machine)[0].reshape(group, -1).repeat(len(weight) // group, axis=0)
        return (factor[:, :, None, None] * weight).astype(np.float32), bias

    return give


def _folded(weights: Weights, affine: Affine) -> Weights:
    def give(machine: Machine) -> tuple[Array, Array]:
        weight, bias = weights(machine)
        factor, shift = affine(machine)
        folded = shift if bias is None else factor * bias + shift
        return (factor[:, None, None, None] * weight).astype(np.float32), folded.astype(np.float32)

    return give


def _affine(layer: Layer) -> Affine | None:
    """Factor and shift that a layer applies to channels, in float64; None where it does something else."""
    o, name = layer.options, layer.spec.name
    if type(layer) is BatchNorm and layer.use_global_stats:

        def normalize(machine: Machine) -> tuple[Array, Array]:
            mean, variance = averages(*(each.array.astype(np.float64) for each in machine.params(name)))
            factor = 1 / np.sqrt(variance + o.eps)
            return factor, -mean * factor

        return normalize
    if type(layer) not in (Scale, Bias) or len(layer.spec.bottom) > 1 or (o.axis, o.num_axes) != (1, 1):
        return None

    def apply(machine: Machine) -> tuple[Array, Array]:
        parameters = [each.array.astype(np.float64) for each in machine.params(name)]
        if isinstance(layer, Bias):
            return np.ones_like(parameters[0]), parameters[0]
        return parameters[0], parameters[1] if o.bias_term else np.zeros_like(parameters[0])

    return apply
