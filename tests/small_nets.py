"""Parts of prototxts: the layers that the small nets of several tests share."""

from __future__ import annotations


def inputs(num: int, height: int, width: int) -> str:
    """Layers that feed `num` pictures of three channels, and their labels."""
    return "".join(
        f'layer {{ name: "{blob}" type: "Input" top: "{blob}"\n'
        f"  input_param {{ shape {{ dim: {num} dim: {channels} dim: {height} dim: {width} }} }} }}\n"
        for blob, channels in (("data", 3), ("label", 1))
    )


def convolution(name: str, bottom: str, num_output: int, kernel_size: int = 1) -> str:
    """A convolution that keeps height and width; `kernel_size` is odd."""
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}"\n'
        f"  convolution_param {{ num_output: {num_output} kernel_size: {kernel_size} pad: {kernel_size // 2}\n"
        '                      weight_filler { type: "msra" } } }\n'
    )


LOSS = """
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param { ignore_label: 255 } }
"""
