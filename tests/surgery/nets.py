"""Small nets for the tests of surgery."""

from __future__ import annotations

from typing import Any

from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.net import Net


def net_of(*layers: LayerSpec) -> Net:
    data = LayerSpec("data", "Input", top=("data",), options={"shape": [{"dim": [1, 3, 8, 8]}]})
    return Net(NetSpec(layers=(data, *layers)), path="plain")


def deconvolution(name: str = "up", **options: Any) -> LayerSpec:
    options = {"num_output": 3, "kernel_size": [4], "stride": [2], "bias_term": False, **options}
    return LayerSpec(name, "Deconvolution", ("data",), (name,), options)


def convolution(name: str = "conv", **options: Any) -> LayerSpec:
    options = {"num_output": 3, "kernel_size": [3], "weight_filler": {"type": "xavier"}, **options}
    return LayerSpec(name, "Convolution", ("data",), (name,), options)


def inner_product(name: str = "fc", **options: Any) -> LayerSpec:
    return LayerSpec(name, "InnerProduct", ("data",), (name,), {"num_output": 3, **options})
