"""The layers: one file each, forward and backward side by side under the formula that they compute.

How to read them: x is the bottom, y the top, dx and dy the gradients of the net's loss by them; dloss is that of a loss
layer's own top, its loss_weight. N×C×H×W are pictures, channels, rows and columns. [k = l] is 1 where that is so, else
0. Options stand with their defaults. An `engine` is accepted, as Caffe's files have it, and changes nothing.

`base` says what a layer is; `register` adds one, so that nets, formats and the common tests know it; `check_gradients`
compares its backward with its forward. `columns`, `loss`,
`labels`, `repeated` and `options` hold what several layers share.
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
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, ParamShape, Run
from fcnlite.layers.gradients import Gradient, check_gradients
from fcnlite.layers.registry import create, links, register, registered

__all__ = [
    "BackwardRun",
    "ForwardRun",
    "Gradient",
    "Layer",
    "ParamShape",
    "Run",
    "accuracy",
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
