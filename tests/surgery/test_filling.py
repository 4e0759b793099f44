"""Fillers and bilinear upsampling."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import surgery
from fcnlite.description.fillers import Filler, bilinear_kernel
from fcnlite.errors import ShapeError, SpecError
from tests.surgery.nets import convolution, deconvolution, net_of


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
    """Upsampling by 2 makes a ramp one of half the slope, shifted by a quarter pixel at each side."""
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


def test_interp_names_layers_that_it_cannot_fill() -> None:
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


def test_zero_upsampling_is_found() -> None:
    net = net_of(deconvolution(), deconvolution("other"), convolution(weight_filler={"type": "constant"}))
    surgery.interp(net, ["other"])
    assert surgery.zero_upsampling(net) == ["up"]
