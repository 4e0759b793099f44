"""Losses: their weights, their sum, and their gradients."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite.arrays import Array
from fcnlite.formats.caffe import parse_net
from fcnlite.net import Net
from tests.net.nets import LOSS_WITH_PROBABILITIES, assert_same, conv, data, gradients, layer, net_of


def test_several_weighted_losses_are_summed() -> None:
    def build(first: float, second: float) -> tuple[float, dict[str, Array]]:
        net = net_of(
            data(1, 2, 3, 3),
            data(1, 3, 3, name="label"),
            conv("a", "data"),
            conv("b", "a"),
            layer("loss_a", "SoftmaxWithLoss", "a label", loss_weight=(first,)),
            layer("loss_b", "SoftmaxWithLoss", "b label", loss_weight=(second,)),
        )
        net.forward(data=np.arange(18.0).reshape(1, 2, 3, 3), label=np.eye(3)[None], keep=True)
        net.backward()
        return net.loss, gradients(net)

    only_a, only_b, both = build(1, 0), build(0, 1), build(0.25, -3)
    assert both[0] == pytest.approx(0.25 * only_a[0] - 3 * only_b[0])
    assert_same(both[1], {name: 0.25 * only_a[1][name] - 3 * only_b[1][name] for name in both[1]})


def test_any_blob_may_be_a_loss_by_its_weight() -> None:
    """The loss_weight of a layer that is not a loss multiplies the sum of its top."""
    net = net_of(data(1, 2, 3, 3), conv("a", "data", loss_weight=(0.5,)))
    out = net.forward(data=np.ones((1, 2, 3, 3)), keep=True)
    assert net.loss == pytest.approx(0.5 * out["a"].sum())
    net.backward()
    np.testing.assert_allclose(net.params["a"][1].grad, [4.5, 4.5])


def test_a_loss_that_is_written_in_place_later_counts_as_it_was() -> None:
    net = net_of(data(1, 1, 1, 2), layer("a", "Scale", "data", loss_weight=(0.5,)), layer("relu", "ReLU", "a", "a"))
    net.forward(data=np.array([[[[-4.0, 2.0]]]]), keep=True)
    assert net.loss == -1 and net.blobs["a"].ravel().tolist() == [0, 2]
    net.backward(wrt=["data"])
    assert net.grads["data"].ravel().tolist() == [0.5, 0.5]


DROPPED = 'layer { name: "drop" type: "Dropout" bottom: "prob" top: "prob" }'


def test_a_layer_in_place_on_the_losss_probabilities_leaves_its_gradient_alone() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3, 4, 4)), rng.integers(0, 3, (2, 1, 4, 4))
    gradients = []
    for text in (LOSS_WITH_PROBABILITIES, LOSS_WITH_PROBABILITIES + DROPPED):
        net = Net(parse_net(text), phase="TRAIN")
        net.forward(data=x, label=y, keep=True)
        net.backward()
        gradients.append(net.params["score"][0].grad.copy())
    np.testing.assert_array_equal(*gradients)


def test_nan_at_an_ignored_position_changes_neither_loss_nor_gradient() -> None:
    text = LOSS_WITH_PROBABILITIES.replace('top: "prob"', "loss_param { ignore_label: 255 }")
    net = Net(parse_net(text), phase="TRAIN")
    x, y = np.random.default_rng(0).normal(size=(2, 3, 4, 4)), np.zeros((2, 1, 4, 4))
    y[0, 0, 1, 2] = 255
    losses, gradients = [], []
    for value in (0.0, np.nan):
        x[0, :, 1, 2] = value
        net.forward(data=x, label=y, keep=True)
        losses.append(net.loss)
        net.backward(wrt=["score"])
        gradients.append(net.grads["score"])
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(*gradients)
