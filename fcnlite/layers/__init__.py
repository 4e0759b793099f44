"""The layers: one file each, forward and backward side by side under the formula that they compute.

Notation: x is the bottom and y the top; dx and dy are the gradients of the net's loss with respect to them; dloss is
the gradient with respect to a loss layer's own top, which is its loss_weight. N×C×H×W are pictures, channels, rows and
columns. [k = l] is 1 if k = l, else 0. Options are listed with their defaults. The option `engine`, which Caffe's files
contain, is accepted and has no effect.

`base` defines what a layer is. `register` adds a type, so that nets, formats and the common tests know it. `apply`
applies one layer to arrays; `check_gradients` compares a layer's backward with its forward. `columns`, `loss`,
`labels`, `broadcast` and `options` hold what several layers share.
"""

from fcnlite.layers import (
    accuracy,
    argmax,
    batch_norm,
    bias,
    concat,
    convolution,
    crop,
    data,
    deconvolution,
    dropout,
    elementwise,
    eltwise,
    euclidean_loss,
    infogain_loss,
    inner_product,
    input,
    lrn,
    mvn,
    pooling,
    prelu,
    reduction,
    relu,
    reshape,
    scale,
    sigmoid_loss,
    silence,
    slice,
    softmax,
    softmax_loss,
    split,
    tile,
)
from fcnlite.layers.applied import Applied, apply
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, ParamShape, Run
from fcnlite.layers.gradients import Gradient, check_gradients
from fcnlite.layers.registry import create, links, register, registered

__all__ = [
    "Applied",
    "BackwardRun",
    "ForwardRun",
    "Gradient",
    "Layer",
    "ParamShape",
    "Run",
    "accuracy",
    "apply",
    "argmax",
    "batch_norm",
    "bias",
    "check_gradients",
    "concat",
    "convolution",
    "create",
    "crop",
    "data",
    "deconvolution",
    "dropout",
    "elementwise",
    "eltwise",
    "euclidean_loss",
    "infogain_loss",
    "inner_product",
    "input",
    "links",
    "lrn",
    "mvn",
    "pooling",
    "prelu",
    "reduction",
    "register",
    "registered",
    "relu",
    "reshape",
    "scale",
    "sigmoid_loss",
    "silence",
    "slice",
    "softmax",
    "softmax_loss",
    "split",
    "tile",
]
