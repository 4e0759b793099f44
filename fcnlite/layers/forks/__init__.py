"""Layers that only forks of Caffe have. Each file names the fork that defines its layer.

A user's class can be registered under the same type; it then replaces the one here.
"""

from fcnlite.layers.forks import (
    axpy,
    bn,
    data,
    interp,
    mean_field,
    normalize,
    permute,
    permutohedral,
    relu6,
    shuffle_channel,
    uneven_pooling,
    unpooling,
    upsample,
)

__all__ = [
    "axpy",
    "bn",
    "data",
    "interp",
    "mean_field",
    "normalize",
    "permute",
    "permutohedral",
    "relu6",
    "shuffle_channel",
    "uneven_pooling",
    "unpooling",
    "upsample",
]
