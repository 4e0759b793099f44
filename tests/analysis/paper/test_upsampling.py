"""Upsampling: the filter, linear pictures, the adjoint, and which layers learn."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper import miniature
from fcnlite.analysis.paper.training import shipped_trunk, small_net
from fcnlite.analysis.paper.upsampling import (
    FACTORS,
    WAYS,
    adjoint_error,
    formula,
    ramp_error,
    upsampled,
    ways,
    window,
    with_upsampling,
)
from fcnlite.description.fillers import bilinear_kernel
from tests.net.nets import conv, layer, net_of
from tests.net.nets import data as blob


@pytest.mark.parametrize("factor", FACTORS)
def test_every_factor_has_the_filter_of_the_formula_and_keeps_linear_pictures(factor: int) -> None:
    size, pad = window(factor)
    assert factor + size - 2 * pad == 2 * factor  # one more pixel adds `factor` pixels, and one pixel makes `factor`
    np.testing.assert_array_equal(bilinear_kernel(size), formula(size))
    assert ramp_error(factor, 4, 3) < 1e-12


def test_the_windows_are_those_of_the_published_nets() -> None:
    assert [window(factor)[0] for factor in (2, 8, 16, 32)] == [4, 16, 32, 64]
    assert formula(4)[1].tolist() == [0.1875, 0.5625, 0.5625, 0.1875]
    assert formula(3)[1].tolist() == [0.5, 1, 0.5]


def test_upsampling_by_two_is_worked_out_by_hand() -> None:
    found = upsampled(np.array([[0.0, 4.0]]), 2)
    np.testing.assert_allclose(found, 0.75 * np.array([[0, 1, 3, 3], [0, 1, 3, 3]]))


@pytest.mark.parametrize(("stride", "kernel", "pad"), [(1, 3, 1), (2, 4, 1), (3, 5, 0), (2, 2, 0), (8, 16, 4)])
def test_deconvolution_is_the_adjoint_of_convolution(stride: int, kernel: int, pad: int) -> None:
    assert adjoint_error(stride, kernel, pad) < 1e-14


def test_the_forward_pass_of_one_is_the_backward_pass_of_the_other() -> None:
    rng = np.random.default_rng(0)
    weight, x, dy = rng.normal(size=(2, 3, 4, 4)), rng.normal(size=(1, 3, 10, 12)), rng.normal(size=(1, 2, 5, 6))
    one = net_of(blob(1, 3, 10, 12), conv("conv", "data", 2, 4, stride=[2], pad=[1], bias_term=False))
    other = net_of(
        blob(1, 2, 5, 6),
        layer("up", "Deconvolution", "data", num_output=3, kernel_size=[4], stride=[2], pad=[1], bias_term=False),
    )
    one.params["conv"][0].data = weight
    other.params["up"][0].data = weight
    forward = one.forward(data=x, keep=True)["conv"]
    one.backward({"conv": dy}, wrt=["data"])
    up = other.forward(data=dy, keep=True)["up"]
    np.testing.assert_allclose(one.grads["data"], up, atol=1e-12)
    other.backward({"up": x}, wrt=["data"])
    np.testing.assert_allclose(other.grads["data"], forward, atol=1e-12)


def test_the_paper_fixes_the_last_upsampling_only() -> None:
    spec = with_upsampling(models.describe("lite-fcn8s", classes=2), WAYS["all but the last learned (the paper)"][0])
    rates = {each.name: each.param[0].lr_mult for each in spec if each.type == "Deconvolution"}
    assert rates == {"upscore2": 1, "upscore_pool4": 1, "upscore8": 0}


def test_only_layers_that_learn_change() -> None:
    shapes = data.open("shapes", split="train", size=32, count=8)
    budget = miniature.Budget(shipped_trunk(), 2, 4, range(1), {"base_lr": 0.01, "momentum": 0.9})
    fixed, learned, _, random = (budget.run(way, shapes, shapes).inspected for way in ways(small_net(6, 8), shapes))
    assert fixed == [0] and min(learned) > 0 and min(random) > 0
