"""Copying parameters by layer name: which are taken, which are reshaped, and which are not taken."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import surgery
from fcnlite.description.spec import LayerSpec
from fcnlite.net import Net
from tests.surgery.nets import convolution, deconvolution, inner_product, net_of

RNG = np.random.default_rng(0)


def outcome(net: Net, layer: str, array: np.ndarray) -> str:
    """The outcome of transplanting a weight for `layer`."""
    return surgery.transplant(net, {layer: [array]})[0].outcome


def test_transplant_reports_each_parameter() -> None:
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
        ("a", 1): "coerced",
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
    message = next(str(each) for each in transfers if each.outcome == "shape differs")
    assert "c[0]" in message and "3×3×5×5" in message and "3×3×3×3" in message


def test_transplant_copies() -> None:
    net, given = net_of(convolution()), np.ones((3, 3, 3, 3), np.float32)
    surgery.transplant(net, {"conv": [given, np.zeros(3)]})
    given[...] = 9
    assert (net.params["conv"][0].array == 1).all()


def test_a_transposed_shape_is_not_taken() -> None:
    net = net_of(convolution(kernel_size=[1], num_output=5))  # 5×3×1×1
    (weight, _) = surgery.transplant(net, {"conv": [np.ones((3, 5, 1, 1)), np.ones(5)]})
    assert weight.outcome == "shape differs"


@pytest.mark.parametrize("shape", [(3, 192), (1, 1, 3, 192)])
def test_an_inner_product_is_coerced_into_the_convolution_that_covers_its_bottom(shape: tuple[int, ...]) -> None:
    net, weight = net_of(convolution(kernel_size=[8])), RNG.normal(size=shape)
    assert outcome(net, "conv", weight) == "coerced"
    x = RNG.normal(size=(1, 3, 8, 8))
    expected = weight.reshape(3, 192) @ x.reshape(192)
    np.testing.assert_allclose(net.forward(data=x)["conv"].reshape(3), expected, rtol=1e-5)


def test_a_convolution_is_coerced_into_the_inner_product_that_it_covers() -> None:
    net, weight = net_of(inner_product()), RNG.normal(size=(3, 3, 8, 8)).astype(np.float32)
    assert outcome(net, "fc", weight) == "coerced"
    np.testing.assert_array_equal(net.params["fc"][0].array, weight.reshape(3, 192))


@pytest.mark.parametrize("shape", [(192, 3), (8, 8, 3, 3), (3, 8, 8, 3), (576,), (1, 3, 1, 192), (3, 96)])
def test_shapes_that_leave_doubt_are_not_coerced(shape: tuple[int, ...]) -> None:
    net = net_of(convolution(kernel_size=[8]))
    before = net.params["conv"][0].array.copy()
    assert outcome(net, "conv", np.ones(shape)) == "shape differs"
    np.testing.assert_array_equal(net.params["conv"][0].array, before)


def test_a_bias_that_is_not_a_row_is_not_coerced() -> None:
    net = net_of(convolution())
    transfers = surgery.transplant(net, {"conv": [np.ones((3, 3, 3, 3)), np.ones((3, 1))]})
    assert [each.outcome for each in transfers] == ["taken", "shape differs"]


def test_a_deconvolution_takes_no_inner_product() -> None:
    assert outcome(net_of(deconvolution()), "up", np.ones((3, 48))) == "shape differs"


def test_coerced_weights_are_still_mapped_from_their_file() -> None:
    net, weight = net_of(convolution(kernel_size=[8])), np.ones((3, 192), np.float32)
    weight.flags.writeable = False
    surgery.transplant(net, {"conv": [weight]})
    assert np.shares_memory(net.params["conv"][0].array, weight)


def test_statistics_are_taken_together_or_not_at_all() -> None:
    net = net_of(LayerSpec("bn", "BatchNorm", ("data",), ("bn",)))
    channels = net.params["bn"][0].shape[0]
    wide = {"bn": [np.ones(channels + 1), np.ones(channels + 1), np.full(1, 20.0)]}
    assert [each.outcome for each in surgery.transplant(net, wide)] == ["shape differs", "shape differs", "left"]
    assert not any(each.array.any() for each in net.params["bn"])
    assert [each.outcome for each in surgery.transplant(net, {"bn": [np.ones(channels)]})] == ["left"] * 3
    assert not any(each.array.any() for each in net.params["bn"])
    fitting = {"bn": [np.ones(channels), np.ones(channels), np.full(1, 20.0)]}
    assert [each.outcome for each in surgery.transplant(net, fitting)] == ["taken"] * 3
    assert all(each.array.all() for each in net.params["bn"])
