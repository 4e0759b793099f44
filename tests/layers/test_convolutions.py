"""Convolution, Deconvolution and InnerProduct, against sums over the window and NumPy's matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from fcnlite.errors import ShapeError, SpecError
from tests.layers.examples import EXAMPLES, Example
from tests.layers.single import one


def pair(options: dict[str, Any], stem: str, square: str, default: int) -> tuple[int, int]:
    if f"{stem}_h" in options:
        return options[f"{stem}_h"], options[f"{stem}_w"]
    values = options.get(square, [default])
    return values[0], values[-1]


def window_pairs(
    options: dict[str, Any], small: tuple[int, int], large: tuple[int, int]
) -> list[tuple[int, int, int, int, int, int]]:
    """The pairs of pixels of the large and the small picture, and the element of the window that links them."""
    kernel, stride = pair(options, "kernel", "kernel_size", 0), pair(options, "stride", "stride", 1)
    pad, dilation = pair(options, "pad", "pad", 0), pair(options, "dilation", "dilation", 1)
    found = []
    for y, x, i, j in np.ndindex(*small, *kernel):
        row, column = y * stride[0] - pad[0] + i * dilation[0], x * stride[1] - pad[1] + j * dilation[1]
        if 0 <= row < large[0] and 0 <= column < large[1]:
            found.append((y, x, i, j, row, column))
    return found


@settings(max_examples=40)
@given(example=EXAMPLES["Convolution"])
def test_convolution_is_the_sum_over_the_window(example: Example) -> None:
    net, x = example.net("float64"), example.inputs()["x0"]
    top = net.forward(x0=x)["y0"]
    weight, *bias = (parameter.array for parameter in net.params["layer"])
    group, outputs = example.options["group"], example.options["num_output"]
    expected = np.zeros(top.shape)
    if bias:
        expected += bias[0].reshape(-1, 1, 1)
    places = window_pairs(example.options, top.shape[2:], x.shape[2:])
    per_group = weight.shape[1]
    for n, o, c in np.ndindex(len(x), outputs, per_group):
        channel = o // (outputs // group) * per_group + c
        for y, z, i, j, row, column in places:
            expected[n, o, y, z] += weight[o, c, i, j] * x[n, channel, row, column]
    np.testing.assert_allclose(top, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))
    assert weight.shape[0] == outputs and per_group == x.shape[1] // group
    assert bool(bias) == example.options.get("bias_term", True)


@settings(max_examples=40)
@given(example=EXAMPLES["Deconvolution"])
def test_deconvolution_spreads_each_pixel_by_the_filter(example: Example) -> None:
    net, x = example.net("float64"), example.inputs()["x0"]
    top = net.forward(x0=x)["y0"]
    weight, *bias = (parameter.array for parameter in net.params["layer"])
    group = example.options["group"]
    outputs = weight.shape[1]  # of each group
    expected = np.zeros(top.shape)
    if bias:
        expected += bias[0].reshape(-1, 1, 1)
    places = window_pairs(example.options, x.shape[2:], top.shape[2:])
    for n, c, o in np.ndindex(*x.shape[:2], outputs):
        channel = c // (x.shape[1] // group) * outputs + o
        for y, z, i, j, row, column in places:
            expected[n, channel, row, column] += weight[c, o, i, j] * x[n, c, y, z]
    np.testing.assert_allclose(top, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))
    assert weight.shape[0] == x.shape[1] and outputs * group == example.options["num_output"]


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": [3]},
        {"num_output": 0, "kernel_size": [3]},
        {"num_output": 2},
        {"num_output": 2, "kernel_size": [0]},
        {"num_output": 2, "kernel_size": [3], "stride": [0]},
        {"num_output": 2, "kernel_size": [3], "pad": [-1]},
        {"num_output": 2, "kernel_size": [3], "dilation": [0]},
        {"num_output": 2, "kernel_size": [3, 3, 3]},
        {"num_output": 2, "kernel_h": 3},
        {"num_output": 2, "kernel_size": [3], "kernel_h": 3, "kernel_w": 3},
        {"num_output": 2, "kernel_size": [3], "group": 0},
        {"num_output": 3, "kernel_size": [3], "group": 2},
    ],
)
@pytest.mark.parametrize("type_", ["Convolution", "Deconvolution"])
def test_convolution_refuses_options_that_do_not_fit(type_: str, options: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"'layer'"):
        one(type_, [(1, 4, 9, 9)], options)


@pytest.mark.parametrize("type_", ["Convolution", "Deconvolution"])
def test_convolution_names_shapes_that_do_not_fit(type_: str) -> None:
    with pytest.raises(ShapeError, match=r"'layer'.*x0.*1×3×9×9"):
        one(type_, [(1, 3, 9, 9)], {"num_output": 2, "kernel_size": [3], "group": 2})
    with pytest.raises(ShapeError, match=r"'layer'.*x0.*1×3×9"):
        one(type_, [(1, 3, 9)], {"num_output": 2, "kernel_size": [3]})


def test_convolution_of_a_picture_smaller_than_the_window_is_an_error() -> None:
    with pytest.raises(ShapeError, match=r"'layer'.*x0.*1×3×2×9"):
        one("Convolution", [(1, 3, 2, 9)], {"num_output": 2, "kernel_size": [3]})


@settings(max_examples=30)
@given(example=EXAMPLES["InnerProduct"])
def test_inner_product_is_a_matrix_product(example: Example) -> None:
    net, x = example.net("float64"), example.inputs()["x0"]
    weight, *bias = (parameter.array for parameter in net.params["layer"])
    axis = example.options.get("axis", 1) % x.ndim
    matrix = weight if example.options.get("transpose", False) else weight.T
    expected = x.reshape(*x.shape[:axis], -1) @ matrix + (bias[0] if bias else 0)
    np.testing.assert_allclose(net.forward(x0=x)["y0"], expected, atol=1e-12)


def test_inner_product_names_another_size_at_a_later_call() -> None:
    net = one("InnerProduct", [(1, 3, 4, 4)], {"num_output": 2})
    with pytest.raises(ShapeError, match=r"'layer'.*x0 1×3×5×5"):
        net.forward(x0=np.zeros((1, 3, 5, 5)))
