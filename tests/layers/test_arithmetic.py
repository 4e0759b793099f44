"""Eltwise, Scale, Bias and Reduction, against NumPy and loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from fcnlite.errors import ShapeError, SpecError
from tests.layers.examples import EXAMPLES, Example
from tests.layers.single import compute, gradients, normal, one


def test_eltwise_maximum_breaks_ties_like_caffe() -> None:
    """Caffe compares the first two with `>`, so the second wins a tie; later ones must be greater."""
    net = one("Eltwise", [(4,)] * 3, {"operation": "MAX"})
    net.forward(x0=[1.0, 1, 0, 0], x1=[1.0, 0, 1, 1], x2=[1.0, 1, 1, 2], keep=True)
    net.backward(y0=[1.0, 2, 3, 4], wrt=["x0", "x1", "x2"])
    np.testing.assert_array_equal(net.grads["x0"], [0, 2, 0, 0])
    np.testing.assert_array_equal(net.grads["x1"], [1, 0, 3, 0])
    np.testing.assert_array_equal(net.grads["x2"], [0, 0, 0, 4])


@pytest.mark.parametrize("options", [{}, {"stable_prod_grad": False}])
def test_eltwise_product_gradient_at_zero(options: dict[str, Any]) -> None:
    """dy/dx_i is the product of the others, computed without dividing by x_i, which may be 0."""
    net = one("Eltwise", [(3,)] * 3, {"operation": "PROD", **options})
    net.forward(x0=[0.0, 2, 0], x1=[3.0, 0, 0], x2=[4.0, 5, 6], keep=True)
    net.backward(y0=[1.0, 1, 1], wrt=["x0", "x1", "x2"])
    np.testing.assert_array_equal(net.grads["x0"], [12, 0, 0])
    np.testing.assert_array_equal(net.grads["x1"], [0, 10, 0])
    np.testing.assert_array_equal(net.grads["x2"], [0, 0, 0])


def test_eltwise_names_what_does_not_fit() -> None:
    with pytest.raises(SpecError, match=r"'layer'.*coeff"):
        one("Eltwise", [(3,)] * 3, {"coeff": [1.0, 2.0]})
    with pytest.raises(SpecError, match=r"'layer'.*coeff"):
        one("Eltwise", [(3,)] * 2, {"coeff": [1.0, 2.0], "operation": "PROD"})
    with pytest.raises(ShapeError, match=r"'layer'.*x0 1×2×5×5.*x1 1×2×5×6"):
        one("Eltwise", [(1, 2, 5, 5), (1, 2, 5, 6)])


@settings(max_examples=30)
@given(example=EXAMPLES["Scale"])
def test_scale_repeats_its_factor(example: Example) -> None:
    net, inputs = example.net("float64"), example.inputs()
    params = [parameter.array for parameter in net.params.get("layer", [])]
    factor = inputs["x1"] if "x1" in inputs else params.pop(0)
    rank = inputs["x0"].ndim
    axis = example.options.get("axis", 1) % rank
    if "x1" not in inputs:
        axes = example.options.get("num_axes", 1)
        assert factor.shape == example.shapes[0][axis : rank if axes == -1 else axis + axes]
    wide = (..., *[None] * (rank - axis - factor.ndim))
    expected = inputs["x0"] * factor[wide]
    if params:
        assert params[0].shape == factor.shape
        expected = expected + params[0][wide]
    assert bool(params) == example.options.get("bias_term", False)
    np.testing.assert_allclose(net.forward(inputs)["y0"], expected, atol=1e-12)


def test_scale_starts_as_the_identity() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_array_equal(compute("Scale", [x], {"bias_term": True})[0], x)


# Bias


@settings(max_examples=30)
@given(example=EXAMPLES["Bias"])
def test_bias_is_added_along_its_axes(example: Example) -> None:
    net, inputs = example.net("float64"), example.inputs()
    x, axis = inputs["x0"], example.options.get("axis", 1) % inputs["x0"].ndim
    bias = inputs["x1"] if "x1" in inputs else net.params["layer"][0].array
    top = net.forward(inputs)["y0"]
    assert top.shape == x.shape
    for index in np.ndindex(*x.shape):
        assert top[index] == x[index] + bias[index[axis : axis + bias.ndim]]


def test_bias_starts_at_zero_or_with_its_filler() -> None:
    x = normal(2, 3, 4)
    np.testing.assert_array_equal(compute("Bias", [x])[0], x)
    np.testing.assert_array_equal(compute("Bias", [x], {"filler": {"value": 2.0}})[0], x + 2)


def test_a_bias_or_factor_without_axes_is_one_number_for_all() -> None:
    x = normal(2, 3, 4)
    np.testing.assert_array_equal(compute("Bias", [x, 5.0])[0], x + 5)
    np.testing.assert_array_equal(compute("Scale", [x, 5.0])[0], x * 5)
    net = one("Scale", [x.shape], {"num_axes": 0, "bias_term": True})
    assert [each.shape for each in net.params["layer"]] == [(), ()]
    doubled = {"num_axes": 0, "filler": {"value": 2.0}}
    np.testing.assert_array_equal(compute("Scale", [x[0, 0]], doubled)[0], 2 * x[0, 0])


@pytest.mark.parametrize("type_", ["Scale", "Bias"])
def test_scale_and_bias_name_what_does_not_fit(type_: str) -> None:
    with pytest.raises(SpecError, match=r"'layer'.*num_axes is -2"):
        one(type_, [(2, 3, 4)], {"num_axes": -2})
    with pytest.raises(ShapeError, match=r"'layer'.*axis 1 and num_axes 3.*x0 2×3×4"):
        one(type_, [(2, 3, 4)], {"num_axes": 3})
    with pytest.raises(ShapeError, match=r"'layer'.*axis 3.*x0 2×3×4"):
        one(type_, [(2, 3, 4)], {"axis": 3})
    with pytest.raises(ShapeError, match=r"'layer'.*second bottom.*x0 2×3×4, x1 4"):
        one(type_, [(2, 3, 4), (4,)])
    with pytest.raises(ShapeError, match=r"'layer'.*second bottom.*x0 2×3×4, x1 3×4×1"):
        one(type_, [(2, 3, 4), (3, 4, 1)])


# Reduction


@pytest.mark.parametrize("shape", [(6,), (3, 4), (2, 3, 4), (2, 3, 4, 5), (2, 1, 3, 4, 2)])
@pytest.mark.parametrize("operation", ["SUM", "ASUM", "SUMSQ", "MEAN"])
def test_reduction_sums_over_the_axis_and_those_after_it(operation: str, shape: tuple[int, ...]) -> None:
    x = normal(*shape)
    for axis in range(-len(shape), len(shape)):
        kept = shape[: axis % len(shape)]
        (top,) = compute("Reduction", [x], {"operation": operation, "axis": axis, "coeff": -1.5})
        assert top.shape == kept
        for index in np.ndindex(*kept):
            part = x[index].ravel()
            expected: dict[str, float] = {
                "SUM": sum(part),
                "ASUM": float(np.linalg.norm(part, 1)),
                "SUMSQ": float(np.linalg.norm(part)) ** 2,
                "MEAN": sum(part) / len(part),
            }
            assert top[index] == pytest.approx(-1.5 * expected[operation], rel=1e-12, abs=1e-14)


def test_reduction_is_the_sum_of_everything_by_default() -> None:
    (top,) = compute("Reduction", [[[1.0, 2], [3, 4]]])
    assert top.shape == () and top == 10


def test_reduction_of_absolute_values_has_no_slope_at_zero() -> None:
    (dx,) = gradients(one("Reduction", [(3,)], {"operation": "ASUM", "coeff": 2.0}), [[-1.0, 0, 4]], {"y0": 1.0})
    np.testing.assert_array_equal(dx, [-2, 0, 2])


def test_reduction_names_what_does_not_fit() -> None:
    with pytest.raises(SpecError, match=r"'layer'.*operation: 'MAX'.*SUM, ASUM, SUMSQ, MEAN"):
        one("Reduction", [(2, 3)], {"operation": "MAX"})
    for axis in (2, -3):
        with pytest.raises(ShapeError, match=rf"'layer'.*axis {axis}.*x0 2×3"):
            one("Reduction", [(2, 3)], {"axis": axis})


# Eltwise


@settings(max_examples=30)
@given(example=EXAMPLES["Eltwise"])
def test_eltwise_is_numpys(example: Example) -> None:
    stack, o = np.stack(list(example.inputs().values())), example.options
    weighted = np.tensordot(np.array(o.get("coeff", [1.0] * len(stack))), stack, 1)
    expected = {"SUM": weighted, "PROD": stack.prod(0), "MAX": stack.max(0)}[o.get("operation", "SUM")]
    np.testing.assert_allclose(compute("Eltwise", list(stack), o)[0], expected, rtol=1e-12, atol=1e-14)
