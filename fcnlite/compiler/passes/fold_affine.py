"""Fold BatchNorm, Scale and Bias into the weights of a convolution.

    before      x → convolution → BatchNorm | Scale | Bias → y           x → Scale → convolution → y
    after       x → convolution → y                                      x → convolution → y

    condition   inference; no other operation reads the value between; before a BatchNorm, Scale or Bias, also a
                deconvolution by sub-pixels (lower_deconvolution)
                BatchNorm: global statistics
                Scale, Bias: one factor or shift for each channel, from its own parameter
                Scale before the convolution: without a bias

Equal but for rounding. Such a layer multiplies each channel by a factor f and adds a shift s, so that with the weight W
and the bias b

    f (W x + b) + s = (f W) x + (f b + s)
    W (f x)         = (W f) x                    a pad of zeros stays 0, since f · 0 = 0

A Scale folds into the convolution after it only where none comes before it, as after a pooling.
"""

from __future__ import annotations

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.convolution.deconvolution import DeconvolutionOperation
from fcnlite.compiler.convolution.operation import ConvolutionOperation, Weights
from fcnlite.compiler.ir import Graph
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.operations.affine import Coefficients
from fcnlite.compiler.operations.layer import LayerOperation
from fcnlite.layers.base import Layer
from fcnlite.layers.batch_norm import BatchNorm, averages
from fcnlite.layers.bias import Bias
from fcnlite.layers.scale import Scale


def fold_affine(graph: Graph, machine: Machine) -> list[str]:
    done = []
    for operation in graph.operations[:]:
        if isinstance(operation, (ConvolutionOperation, DeconvolutionOperation)):
            done += _fold_readers(graph, operation)
    for operation in graph.operations[:]:
        if isinstance(operation, LayerOperation) and type(operation.layer) is Scale:
            done += _fold_into_reader(graph, operation, operation.layer)
    return done


def _fold_readers(graph: Graph, convolution: ConvolutionOperation | DeconvolutionOperation) -> list[str]:
    """Fold the layers that follow a convolution into it, as many as can be."""
    done = []
    while isinstance(reader := graph.only_reader(convolution.outputs[0]), LayerOperation):
        affine = affine_of(reader.layer)
        if affine is None:
            break
        convolution.weights = _scaled_outputs(convolution.weights, affine)
        done.append(f"{reader.layers[0]} into {convolution.layers[0]}")
        graph.absorb(convolution, reader)
    return done


def _fold_into_reader(graph: Graph, operation: LayerOperation, scale: Scale) -> list[str]:
    """Fold a Scale into the convolution that follows it, if it can be."""
    affine, reader = affine_of(scale), graph.only_reader(operation.outputs[0])
    if affine is None or scale.options.bias_term or not isinstance(reader, ConvolutionOperation):
        return []
    reader.weights = _scaled_inputs(reader.weights, affine, reader.problem.group)
    reader.layers += operation.layers
    reader.inputs = operation.inputs[:]
    graph.operations.remove(operation)
    return [f"{operation.layers[0]} into {reader.layers[0]}"]


def _scaled_outputs(weights: Weights, affine: Coefficients) -> Weights:
    """f W and f b + s."""

    def give(machine: Machine) -> tuple[Array, Array]:
        weight, bias = weights(machine)
        factor, shift = affine(machine)
        folded = shift if bias is None else factor * bias + shift
        return (factor[:, None, None, None] * weight).astype(np.float32), folded.astype(np.float32)

    return give


def _scaled_inputs(weights: Weights, affine: Coefficients, group: int) -> Weights:
    """W f and b. The weight of a group spans that group's channels only."""

    def give(machine: Machine) -> tuple[Array, Array | None]:
        weight, bias = weights(machine)
        factor = affine(machine)[0].reshape(group, -1).repeat(len(weight) // group, axis=0)
        return (factor[:, :, None, None] * weight).astype(np.float32), bias

    return give


def affine_of(layer: Layer) -> Coefficients | None:
    """The factors and shifts that a layer applies to its channels; None for a layer that does something else."""
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
