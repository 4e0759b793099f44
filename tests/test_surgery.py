"""Changing parameters from outside: bilinear upsampling, fillers, copying by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fcnlite import surgery
from fcnlite.errors import ShapeError, SpecError
from fcnlite.fillers import Filler, bilinear_kernel
from fcnlite.net import Net
from fcnlite.spec import LayerSpec, NetSpec


def net_of(*layers: LayerSpec) -> Net:
    data = LayerSpec("data", "Input", top=("data",), options={"shape": [{"dim": [1, 3, 8, 8]}]})
    return Net(NetSpec(layers=(data, *layers)), path="plain")


def deconvolution(name: str = "up", **options: Any) -> LayerSpec:
    options = {"num_output": 3, "kernel_size": [4], "stride": [2], "bias_term": False, **options}
    return LayerSpec(name, "Deconvolution", ("data",), (name,), options)


def convolution(name: str = "conv", **options: Any) -> LayerSpec:
    options = {"num_output": 3, "kernel_size": [3], "weight_filler": {"type": "xavier"}, **options}
    return LayerSpec(name, "Convolution", ("data",), (name,), options)


def test_interp_fills_the_diagonal_only() -> None:
    net = net_of(deconvolution(), deconvolution("grouped", group=3), convolution())
    convolution_before = net.params["conv"][0].array.copy()
    net.params["up"][0].data[...] = 7
    surgery.interp(net)
    kernel = bilinear_kernel(4)
    for i in range(3):
        np.testing.assert_allclose(net.params["grouped"][0].array[i, 0], kernel, rtol=1e-6)
        for j in range(3):
            np.testing.assert_allclose(net.params["up"][0].array[i, j], kernel * (i == j), rtol=1e-6)
    np.testing.assert_array_equal(net.params["conv"][0].array, convolution_before)


def test_interp_upsamples_between_the_centres() -> None:
    """Twice as fine: a ramp becomes the ramp with half the slope, a quarter pixel off at each side."""
    net = net_of(deconvolution(pad=[1]))
    surgery.interp(net)
    x = np.broadcast_to(np.arange(8.0), (1, 3, 8, 8))
    top = net.forward(data=x)["up"]
    assert top.shape == (1, 3, 16, 16)
    np.testing.assert_allclose(top[0, 0, 8, 1:-1], (np.arange(1, 15) - 0.5) / 2, atol=1e-6)


def test_interp_of_named_layers() -> None:
    net = net_of(deconvolution(), deconvolution("other"))
    surgery.interp(net, ["up"])
    assert net.params["up"][0].array.any() and not net.params["other"][0].array.any()


def test_interp_names_what_it_cannot_fill() -> None:
    with pytest.raises(SpecError, match=r"'upp'.*'up'"):
        surgery.interp(net_of(deconvolution()), ["upp"])
    with pytest.raises(SpecError, match=r"'conv'.*Deconvolution"):
        surgery.interp(net_of(deconvolution(), convolution()), ["conv"])
    with pytest.raises(ShapeError, match=r"'up'.*3×2×4×4"):
        surgery.interp(net_of(deconvolution(num_output=2)))
    with pytest.raises(ShapeError, match=r"'up'.*3×3×4×2"):
        surgery.interp(net_of(deconvolution(kernel_size=[4, 2])))


def test_fill_starts_weights_anew() -> None:
    net = net_of(convolution(bias_filler={"value": 2.0}), convolution("other"))
    other = net.params["other"][0].array.copy()
    first = net.params["conv"][0].array.copy()
    surgery.fill(net, ["conv"], Filler("constant", value=5.0))
    assert (net.params["conv"][0].array == 5).all() and (net.params["conv"][1].array == 2).all()
    surgery.fill(net, ["conv"], Filler("xavier"))
    np.testing.assert_array_equal(net.params["conv"][0].array, first)  # by the net's seed
    np.testing.assert_array_equal(net.params["other"][0].array, other)


def test_fill_names_a_layer_without_weights() -> None:
    with pytest.raises(SpecError, match=r"'con'.*'conv'"):
        surgery.fill(net_of(convolution()), ["con"], Filler())


def test_transplant_tells_what_became_of_each_parameter() -> None:
    net = net_of(convolution("a"), convolution("b"), convolution("c"), convolution("d"))
    before = {name: [each.array.copy() for each in parameters] for name, parameters in net.params.items()}
    weights = {
        "a": [np.full((3, 3, 3, 3), 2.0), np.full((1, 1, 1, 3), 3.0)],  # an old file's bias
        "b": [np.ones((3, 3, 3, 3))],
        "c": [np.ones((3, 3, 5, 5)), np.ones(3)],
        "e": [np.ones(4)],
    }
    transfers = surgery.transplant(net, weights)
    assert {(each.layer, each.index): each.outcome for each in transfers} == {
        ("a", 0): "taken",
        ("a", 1): "taken",
        ("b", 0): "taken",
        ("b", 1): "left",
        ("c", 0): "shape differs",
        ("c", 1): "taken",
        ("d", 0): "left",
        ("d", 1): "left",
        ("e", 0): "unused",
    }
    assert (net.params["a"][0].array == 2).all() and (net.params["a"][1].array == 3).all()
    np.testing.assert_array_equal(net.params["c"][0].array, before["c"][0])
    np.testing.assert_array_equal(net.params["d"][0].array, before["d"][0])
    told = next(str(each) for each in transfers if each.outcome == "shape differs")
    assert "c[0]" in told and "3×3×5×5" in told and "3×3×3×3" in told


def test_transplant_copies() -> None:
    net, given = net_of(convolution()), np.ones((3, 3, 3, 3), np.float32)
    surgery.transplant(net, {"conv": [given, np.zeros(3)]})
    given[...] = 9
    assert (net.params["conv"][0].array == 1).all()


def test_a_transposed_shape_is_not_taken() -> None:
    net = net_of(convolution(kernel_size=[1], num_output=5))  # 5×3×1×1
    (weight, _) = surgery.transplant(net, {"conv": [np.ones((3, 5, 1, 1)), np.ones(5)]})
    assert weight.outcome == "shape differs"


def test_zero_upsampling_is_found() -> None:
    net = net_of(deconvolution(), deconvolution("other"), convolution(weight_filler={"type": "constant"}))
    surgery.interp(net, ["other"])
    assert surgery.zero_upsampling(net) == ["up"]
