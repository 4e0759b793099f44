"""Learned deconvolutions by sub-pixels, on both paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fcnlite.compiler.convolution.deconvolution import DeconvolutionOperation
from fcnlite.compiler.operations.interpolation import Interpolation
from fcnlite.compiler.operations.layer import LayerOperation
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
from tests.random_nets import FLAG, Draw

SHAPE = (2, 18, 6, 20)


@st.composite
def options(draw: Draw) -> dict[str, Any]:
    stride = [draw(st.integers(1, 3)) for _ in range(2)]
    size = [each + draw(st.integers(0, 4)) for each in stride]
    return {
        "num_output": draw(st.integers(1, 40)),
        "kernel_size": size,
        "stride": stride,
        "pad": [draw(st.integers(0, each)) for each in size],
        "bias_term": draw(FLAG),
    }


@settings(max_examples=60)
@given(
    options=options(),
    channels=st.sampled_from([1, 5, 18, 32]),
    sides=st.tuples(st.integers(1, 9), st.integers(1, 33)),
    rest=st.sampled_from(["", "ReLU", "PReLU", "ReLU6", "Scale"]),
    seed=st.integers(0, 99),
)
def test_any_deconvolution(
    options: dict[str, Any], channels: int, sides: tuple[int, int], rest: str, seed: int
) -> None:
    shape = (1, channels, *sides)
    grown = zip(sides, options["kernel_size"], options["stride"], options["pad"], strict=True)
    assume(min(stride * (side - 1) + size - 2 * pad for side, size, stride, pad in grown) > 0)
    follow = [in_place(rest, "up")] if rest else []
    net = filled(spec_of(shape, layer("up", "Deconvolution", "data", **options), *follow), seed)
    plan = assert_same_outputs(net, {"data": normal(seed, *shape)})
    if options["num_output"] != channels:
        operation = does(plan, "up")
        assert isinstance(operation, DeconvolutionOperation)
        assert all(each.name in operation.layers for each in follow)


def test_groups_of_whole_blocks() -> None:
    up = layer("up", "Deconvolution", "data", num_output=64, kernel_size=[4], stride=[2], pad=[1], group=2)
    plan = assert_same_outputs(filled(spec_of((1, 32, 5, 16), up)), {"data": normal(0, 1, 32, 5, 16)})
    assert isinstance(does(plan, "up"), DeconvolutionOperation)


@pytest.mark.parametrize("how", [{"dilation": [2]}, {"stride": [4]}, {"group": 9}])
def test_others_are_left_to_the_layer(how: dict[str, Any]) -> None:
    up = layer("up", "Deconvolution", "data", **{"num_output": 9, "kernel_size": [3], "stride": [2], **how})
    plan = assert_same_outputs(filled(spec_of(SHAPE, up)), {"data": normal(0, *SHAPE)})
    assert type(does(plan, "up")) is LayerOperation


def test_weights_decide_between_sub_pixels_and_interpolation() -> None:
    how = {"num_output": 18, "kernel_size": [4], "stride": [2], "pad": [1], "bias_term": False}
    bilinear = layer("up", "Deconvolution", "data", **how, group=18, weight_filler={"type": "bilinear"})
    drawn = layer("up", "Deconvolution", "data", **how)
    for spec, kind in ((bilinear, Interpolation), (drawn, DeconvolutionOperation)):
        plan = assert_same_outputs(filled(spec_of(SHAPE, spec)), {"data": normal(0, *SHAPE)})
        assert type(does(plan, "up")) is kind


def test_weights_that_change_are_prepared_again() -> None:
    net = filled(spec_of(SHAPE, layer("up", "Deconvolution", "data", num_output=3, kernel_size=[2], stride=[2])))
    for seed in (0, 1):
        net.params["up"][0].data = normal(seed, 18, 3, 2, 2)
        assert_same_outputs(net, {"data": normal(0, *SHAPE)})


def test_in_training_the_layer_computes() -> None:
    up = layer("up", "Deconvolution", "data", num_output=3, kernel_size=[4], stride=[2], pad=[1])
    assert_same_gradients(filled(spec_of(SHAPE, up)), {"data": normal(0, *SHAPE).astype(np.float32)})
