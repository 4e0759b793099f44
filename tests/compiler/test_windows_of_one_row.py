"""Units of windows of one row and of one column, as in ERFNet, beside the reference path."""

from __future__ import annotations

from typing import Any

import pytest

from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.convolution.winograd import Winograd
from fcnlite.description.spec import LayerSpec
from tests.compiler.path_comparison import (
    assert_same_gradients,
    assert_same_outputs,
    does,
    filled,
    in_place,
    layer,
    normal,
    spec_of,
)


def line(name: str, bottom: str, num_output: int, *kernel_size: int, **options: Any) -> LayerSpec:
    return layer(name, "Convolution", bottom, num_output=num_output, kernel_size=list(kernel_size), **options)


def unit(dilation: int) -> list[LayerSpec]:
    return [
        line("a", "data", 64, 3, 1, pad=[1, 0]),
        in_place("ReLU", "a"),
        line("b", "a", 64, 1, 3, pad=[0, 1]),
        line("c", "b", 64, 3, 1, pad=[dilation, 0], dilation=[dilation, 1]),
        in_place("ReLU", "c"),
        line("d", "c", 64, 1, 3, pad=[0, dilation], dilation=[dilation]),
        layer("sum", "Eltwise", ("a", "d")),
        in_place("ReLU", "sum"),
        line("e", "sum", 40, 1, 7, pad=[0, 3]),
    ]


@pytest.mark.parametrize("dilation", [1, 2, 5])
def test_a_unit_in_inference(dilation: int) -> None:
    plan = assert_same_outputs(filled(spec_of((2, 20, 33, 47), *unit(dilation))), {"data": normal(0, 2, 20, 33, 47)})
    for name in "bcde":
        operation = does(plan, name)
        assert isinstance(operation, ConvolutionOperation) and isinstance(operation.algorithm, Winograd)
    assert does(plan, "sum").layers[0] == "d"


@pytest.mark.parametrize("dilation", [1, 2, 5])
def test_a_unit_in_training(dilation: int) -> None:
    net = filled(spec_of((2, 20, 33, 47), *unit(dilation)), phase="TRAIN")
    assert_same_gradients(net, {"data": normal(0, 2, 20, 33, 47)})
