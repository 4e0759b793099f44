"""The fields of Caffe's forks that change no result, and the remedies for those that do.

Fields that this package reads with their meaning are in `fork_schema`; these are the others.
"""

from __future__ import annotations

WITHOUT_EFFECT = {
    # NVIDIA's Caffe: number types, and the search for cuDNN's algorithms. DeepLab's: whether weights of another shape
    # and the same size are an error.
    "LayerParameter": "forward_type backward_type forward_math backward_math cudnn_math_override debug strict_dim",
    "ConvolutionParameter": "cudnn_convolution_algo_seeker conv_algos_override cudnn_convolution_algo",
    # Intel's Caffe: how a net is compiled.
    "NetParameter": "compile_net_state",
}
"""By message: fields that choose how a fork computes, not what."""

REMEDIES = {
    "ConvolutionParameter.relu": "it adds a ReLU: write a layer of type ReLU after this one",
    "ConvolutionParameter.pad_type": "it pads as TensorFlow's SAME: write pad_h and pad_w",
    "PoolingParameter.pad_type": "it pads as TensorFlow's SAME: write pad_l, pad_r, pad_t and pad_b",
    "PoolingParameter.output_shift_instead_division": "it computes in integers, which fcnlite does not",
    "ReLUParameter.relu6": "it bounds the values by 6: write type ReLU6",
    "LossParameter.class_weight": "its meaning differs between forks: write weight_by_label_freqs: true and "
    "class_weighting",
    "ReshapeParameter.num": "write shape { dim: ... }",
}
"""By MESSAGE.field: why a field of a fork changes the result, and what to write instead."""


def without_effect(message: str, name: str) -> bool:
    """Whether a field of a fork changes no result."""
    return name in WITHOUT_EFFECT.get(message, "").split()


def remedy(message: str, name: str) -> str:
    """What to write instead of an unknown field, as the end of a sentence; empty if nothing is known of it."""
    found = REMEDIES.get(f"{message}.{name}")
    return f" A fork of Caffe has it, and {found}." if found else ""
