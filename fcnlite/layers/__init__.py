"""The layers: one file each, forward and backward side by side under the formula that they compute.

`base` says what a layer is; `register` adds one, so that nets, formats and the common tests know it.
"""

from fcnlite.layers import (
    accuracy,
    argmax,
    batch_norm,
    concat,
    convolution,
    crop,
    deconvolution,
    dropout,
    eltwise,
    inner_product,
    input,
    pooling,
    relu,
    scale,
    softmax,
    softmax_loss,
    split,
)
from fcnlite.layers.base import Layer, ParamShape, Run, create, links, register, registered

__all__ = [
    "Layer",
    "ParamShape",
    "Run",
    "accuracy",
    "argmax",
    "batch_norm",
    "concat",
    "convolution",
    "create",
    "crop",
    "deconvolution",
    "dropout",
    "eltwise",
    "inner_product",
    "input",
    "links",
    "pooling",
    "register",
    "registered",
    "relu",
    "scale",
    "softmax",
    "softmax_loss",
    "split",
]
