"""Elementwise functions: ReLU, PReLU, AbsVal, ELU, Exp, Log, Power, Sigmoid and TanH."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import special

from fcnlite.arrays import Array
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import ShapeError, SpecError
from fcnlite.net import Net
from tests.layers.examples import EXAMPLES, Example, input_layer
from tests.layers.single import INF, NAN, compute, gradients, normal, one

SHAPES = [(), (7,), (3, 4), (2, 3, 4), (2, 3, 4, 5), (2, 1, 3, 4, 2)]

FORMULAS: list[tuple[str, dict[str, Any], Callable[[Array], Array]]] = [
    ("AbsVal", {}, lambda x: np.maximum(x, -x)),
    ("ELU", {}, lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    ("ELU", {"alpha": 0.3}, lambda x: np.where(x > 0, x, 0.3 * (np.exp(x) - 1))),
    ("Exp", {}, np.exp),
    ("Exp", {"base": -1.0, "scale": -0.5, "shift": 1.5}, lambda x: np.exp(1.5 - x / 2)),
    ("Exp", {"base": 2.0}, np.exp2),
    ("Exp", {"base": 1.0}, np.ones_like),
    ("Exp", {"base": 10.0, "scale": 0.3, "shift": -1.0}, lambda x: 10 ** (0.3 * x - 1)),
    ("Exp", {"base": 0.5, "scale": 2.0}, lambda x: 4.0**-x),
    ("Log", {"shift": 6.0}, lambda x: np.log(6 + x)),
    ("Log", {"base": 2.0, "shift": 6.0}, lambda x: np.log2(6 + x)),
    ("Log", {"base": 10.0, "scale": -0.5, "shift": 6.0}, lambda x: np.log10(6 - x / 2)),
    ("Log", {"base": 0.5, "scale": 2.0, "shift": 12.0}, lambda x: -np.log2(12 + 2 * x)),
    ("Power", {}, lambda x: x),
    ("Power", {"scale": -3.0, "shift": 0.5}, lambda x: 0.5 - 3 * x),
    ("Power", {"power": 0.0, "scale": 2.0}, np.ones_like),
    ("Power", {"power": 2.0, "shift": 1.0}, lambda x: x * x + 2 * x + 1),
    ("Power", {"power": 3.0, "scale": 0.5}, lambda x: x * x * x / 8),
    ("Power", {"power": -1.0, "shift": 6.0}, lambda x: 1 / (6 + x)),
    ("Power", {"power": 0.5, "scale": 2.0, "shift": 12.0}, lambda x: np.sqrt(12 + 2 * x)),
    ("Power", {"power": 1.7, "shift": 6.0}, lambda x: np.exp(1.7 * np.log(6 + x))),
    ("Power", {"power": 1.7, "scale": 0.0, "shift": 6.0}, lambda x: np.full_like(x, 6**1.7)),
    ("ReLU", {}, lambda x: (x + abs(x)) / 2),
    ("ReLU", {"negative_slope": 0.1}, lambda x: np.where(x > 0, x, 0.1 * x)),
    ("ReLU", {"negative_slope": -0.5}, lambda x: np.where(x > 0, x, -0.5 * x)),
    ("Sigmoid", {}, special.expit),
    ("TanH", {}, lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("type_", "options", "formula"), FORMULAS)
def test_the_formula_holds_for_blobs_of_any_axes(
    type_: str, options: dict[str, Any], formula: Callable[[Array], Array], shape: tuple[int, ...]
) -> None:
    x = normal(*shape)
    (top,) = compute(type_, [x], options)
    np.testing.assert_allclose(top, formula(x), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("type_", "options", "x", "slopes"),
    [
        ("AbsVal", {}, [-2.0, 0, 3], [-1, 0, 1]),
        ("ELU", {"alpha": 0.3}, [-1000.0, 0, 3], [0, 0.3, 1]),
        ("Power", {"power": 0.0}, [-2.0, 0, 3], [0, 0, 0]),
        ("Power", {"power": 0.5, "scale": 0.0}, [-2.0, 0, 3], [0, 0, 0]),
        ("Power", {"scale": -3.0, "shift": 6.0}, [-2.0, 0, 2], [-3, -3, -3]),
        ("Power", {"power": 2.0}, [-2.0, 0, 3], [-4, 0, 6]),
        ("ReLU", {"negative_slope": 0.1}, [-2.0, 0, 3], [0.1, 0.1, 1]),
        ("ReLU", {"negative_slope": -0.5}, [-2.0, 0, 3], [-0.5, -0.5, 1]),
        ("Sigmoid", {}, [-1000.0, 0, 1000], [0, 0.25, 0]),
        ("TanH", {}, [-1000.0, 0, 1000], [0, 1, 0]),
    ],
)
def test_slopes_at_kinks_and_for_large_values(
    type_: str, options: dict[str, Any], x: list[float], slopes: list[float]
) -> None:
    (dx,) = gradients(one(type_, [(3,)], options), [x], {"y0": np.ones(3)})
    np.testing.assert_allclose(dx, slopes, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("type_", "low"), [("Sigmoid", 0), ("TanH", -1), ("ELU", -1)])
def test_large_values_have_the_limits(type_: str, low: float, dtype: str) -> None:
    layers = (input_layer("x", (4,)), LayerSpec("layer", type_, ("x",), ("y",)))
    net = Net(NetSpec(layers=layers), path="plain", dtype=dtype)
    top = net.forward(x=[-INF, -1e30, -200.0, 0.0])["y"]
    np.testing.assert_array_equal(top, [low, low, low, 0.5 if type_ == "Sigmoid" else 0])
    if type_ != "ELU":
        np.testing.assert_array_equal(net.forward(x=[200.0, 1e30, INF, NAN])["y"], [1, 1, 1, NAN])


def test_logarithms_and_powers_beyond_their_domain_are_those_of_the_math_library() -> None:
    np.testing.assert_array_equal(compute("Log", [[-1.0, 0, 1]])[0], [NAN, -INF, 0])
    np.testing.assert_array_equal(compute("Power", [[-1.0, 0, 1]], {"power": 0.5})[0], [NAN, 0, 1])
    np.testing.assert_array_equal(compute("Power", [[-1.0, 0, 1]], {"power": -1.0})[0], [-1, INF, 1])


@pytest.mark.parametrize(
    ("type_", "options", "words"),
    [
        ("Exp", {"base": 0.0}, "base is 0"),
        ("Exp", {"base": -2.0}, "base is -2"),
        ("Log", {"base": 0.0}, "base is 0"),
        ("Log", {"base": 1.0}, "base is 1"),
        ("Log", {"base": -0.5}, "base is -0.5"),
        ("ELU", {"alpha": "large"}, "alpha: 'large'"),
        ("Power", {"power": [1.0, 2.0]}, "power"),
        ("ReLU", {"negative_slope": True}, "negative_slope"),
        ("Sigmoid", {"scale": 2.0}, "unknown option 'scale'"),
        ("AbsVal", {"scale": 2.0}, "unknown option 'scale'"),
        ("PReLU", {"channel_shared": 1}, "channel_shared"),
    ],
)
def test_wrong_options_are_named(type_: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=f"'layer' .{type_}.: .*{words}"):
        one(type_, [(2, 3)], options)


# ReLU


def test_relu_keeps_nan() -> None:
    (top,) = compute("ReLU", [[NAN, -1.0, 0.0, 2.0]])
    np.testing.assert_array_equal(top, [NAN, 0, 0, 2])


def test_relu_has_no_gradient_at_zero() -> None:
    net = one("ReLU", [(3,)])
    net.forward(x0=[-1.0, 0.0, 1.0], keep=True)
    net.backward(y0=[1.0, 1.0, 1.0], wrt=["x0"])
    np.testing.assert_array_equal(net.grads["x0"], [0, 0, 1])


@pytest.mark.parametrize("slope", [-0.5, 0.0, 0.1, 1.5])
def test_relu_in_place_has_the_same_top_and_gradient(slope: float) -> None:
    """The bottom is another layer's top, which may be overwritten; backward needs its sign."""
    x, dy = normal(2, 3, 4), normal(2, 3, 4, seed=1)

    def run(top: str) -> tuple[Array, Array]:
        layers = (
            input_layer("x", x.shape),
            LayerSpec("before", "Power", ("x",), ("a",), {"scale": -2.0}),
            LayerSpec("relu", "ReLU", ("a",), (top,), {"negative_slope": slope}),
            LayerSpec("after", "Power", (top,), ("y",), {"power": 2.0}),
        )
        net = Net(NetSpec(layers=layers), path="plain", dtype="float64")
        y = net.forward(x=x, keep=True)["y"]
        net.backward(y=dy, wrt=["x"])
        return y, net.grads["x"]

    in_place, apart = run("a"), run("b")
    np.testing.assert_array_equal(in_place[0], apart[0])
    np.testing.assert_array_equal(in_place[1], apart[1])
    slopes = np.where(x < 0, 1, slope)
    np.testing.assert_allclose(in_place[0], (-2 * x * slopes) ** 2, rtol=1e-12)
    np.testing.assert_allclose(in_place[1], dy * 8 * x * slopes**2, rtol=1e-12)


# PReLU


@settings(max_examples=30)
@given(example=EXAMPLES["PReLU"])
def test_prelu_has_a_slope_for_each_channel_or_one_for_all(example: Example) -> None:
    net, x = example.net("float64"), example.inputs()["x0"]
    top, dy = net.forward(x0=x, keep=True)["y0"], normal(*x.shape, seed=1)
    net.backward(y0=dy)
    (slope,) = net.params["layer"]
    shared = example.options.get("channel_shared", False)
    assert slope.shape == ((1,) if shared else x.shape[1:2])
    expected = np.zeros(slope.shape)
    for index in np.ndindex(*x.shape):
        channel = 0 if shared else index[1]
        assert top[index] == pytest.approx(x[index] if x[index] > 0 else slope.array[channel] * x[index], rel=1e-12)
        expected[channel] += dy[index] * x[index] if x[index] < 0 else 0
    np.testing.assert_allclose(slope.grad, expected, rtol=1e-10, atol=1e-12)


def test_prelu_starts_with_a_quarter() -> None:
    np.testing.assert_array_equal(compute("PReLU", [[[-4.0, 4, -1]]])[0], [[-1, 4, -0.25]])
    shared = {"channel_shared": True, "filler": {"type": "constant", "value": 3.0}}
    np.testing.assert_array_equal(compute("PReLU", [[[-4.0, 4, -1]]], shared)[0], [[-12, 4, -3]])


def test_prelu_needs_channels() -> None:
    with pytest.raises(ShapeError, match=r"'layer'.*two axes.*x0 5"):
        one("PReLU", [(5,)])


@pytest.mark.parametrize("value", [10**400, float("nan"), float("inf"), True, "1"])
def test_an_option_that_is_not_a_number_is_named(value: object) -> None:
    with pytest.raises(SpecError, match=r"'layer'.*power.*a number"):
        one("Power", [(2, 3)], {"power": value})
