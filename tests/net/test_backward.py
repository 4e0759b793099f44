"""Backward: given gradients, the gradients that are computed, and where they are stored."""

from __future__ import annotations

import dataclasses
from typing import Any
from unittest import mock

import numpy as np
import pytest

from fcnlite.arrays import Array
from fcnlite.description.spec import NetSpec, ParamSpec
from fcnlite.errors import FcnliteError, ShapeError
from fcnlite.formats.caffe import parse_net
from fcnlite.net import Net
from tests.net.nets import (
    LOSS_WITH_PROBABILITIES,
    SMALL,
    assert_same,
    conv,
    data,
    gradients,
    labels,
    layer,
    net_of,
    picture,
    small,
)


def test_the_error_of_backward_without_a_loss_names_a_remedy() -> None:
    net = small()
    net.forward(data=picture(), keep=True)
    with pytest.raises(FcnliteError, match=r"label.*backward\("):
        net.backward()


def test_backward_from_a_given_gradient() -> None:
    """backward() equals backward(score=...) with the softmax loss's own gradient, and backward(loss=1)."""
    net = small(dtype="float64")
    x, y = picture(), labels()
    net.forward(data=x, label=y, keep=True)
    net.backward(wrt=["score", "data"])
    dscore, expected = net.grads["score"].copy(), gradients(net)
    ddata = net.grads["data"].copy()
    for seeds in ({"score": dscore}, {"loss": np.float64(1)}, {"loss": 1}):
        net.backward(seeds, wrt=["data"])
        assert_same(gradients(net), expected)
        np.testing.assert_array_equal(net.grads["data"], ddata)
    net.backward(loss=2.0)
    assert_same(gradients(net), {name: 2 * array for name, array in expected.items()})

    net.forward(data=x, keep=True)  # without the label
    net.backward(score=dscore)
    assert_same(gradients(net), expected)


def test_gradients_of_blobs_are_the_callers_own() -> None:
    net = small()
    net.forward(data=picture(), keep=True)
    dscore = np.ones((1, 3, 9, 9), np.float32)
    net.backward(score=dscore, wrt=["score", "up"])
    dscore[...] = 7
    assert (net.grads["score"] == 1).all() and (net.grads["up"][..., :9, :9] == 1).all()
    net.grads["score"][...] = 5
    assert (net.grads["up"][..., :9, :9] == 1).all() and (dscore == 7).all()


def test_a_given_gradient_of_another_shape_is_named() -> None:
    net = small()
    net.forward(data=picture(), keep=True)
    with pytest.raises(ShapeError, match=r"'score'.*1×3×8×9.*1×3×9×9"):
        net.backward(score=np.zeros((1, 3, 8, 9)))
    for wrong in ("text", [[1], [1, 2]]):
        with pytest.raises(FcnliteError, match=r"'score'"):
            net.backward(score=wrong)


def test_gradients_are_overwritten_or_accumulated() -> None:
    net = small(dtype="float64")
    one, other = picture(seed=1), picture(11, 12, seed=2)
    separate = []
    for x in (one, other):
        net.forward(data=x, label=labels(*x.shape[2:]), keep=True)
        net.backward()
        separate.append(gradients(net))
    net.forward(data=one, label=labels(), keep=True)
    net.backward(accumulate=True)
    assert_same(gradients(net), {name: separate[0][name] + separate[1][name] for name in separate[0]})


def test_a_later_backward_removes_other_gradients() -> None:
    net = net_of(data(1, 2, 3, 3), conv("a", "data"), conv("b", "data"))
    ones = np.ones((1, 2, 3, 3))
    net.forward(data=ones, keep=True)
    net.backward(a=ones, b=ones)
    assert np.abs(net.params["b"][0].grad).max() > 0
    net.backward(a=ones)
    assert not net.params["b"][0].grad.any() and net.params["a"][0].grad.any()
    net.backward(b=ones, accumulate=True)
    assert net.params["b"][0].grad.any() and net.params["a"][0].grad.any()


def test_gradients_before_any_backward_are_zero() -> None:
    net = small()
    assert net.params["conv1"][0].grad.shape == net.params["conv1"][0].shape
    assert not net.params["conv1"][0].grad.any()


def test_input_gradients_on_request() -> None:
    net = small(dtype="float64")
    net.forward(data=picture(), label=labels(), keep=True)
    net.backward()
    assert net.grads == {}
    net.backward(wrt=["data", "pool1", "conv1", "score"])
    assert set(net.grads) == {"data", "pool1", "conv1", "score"}
    found = {name: array.copy() for name, array in net.grads.items()}
    for name, array in found.items():
        assert array.shape == net.blobs[name].shape and np.abs(array).max() > 0

    forced = Net(dataclasses.replace(SMALL, force_backward=True), path="plain", dtype="float64")
    forced.forward(data=picture(), label=labels(), keep=True)
    forced.backward()
    np.testing.assert_array_equal(forced.grads["data"], found["data"])


def test_gradients_of_an_in_place_blob_are_those_of_its_last_value() -> None:
    net = net_of(data(1, 2, 1, 3), conv("a", "data"), layer("relu", "ReLU", "a", "a"), conv("b", "a"))
    net.forward(data=np.random.default_rng(0).normal(size=(1, 2, 1, 3)), keep=True)
    db = np.random.default_rng(1).normal(size=(1, 2, 1, 3))
    net.backward(b=db, wrt=["a"])
    weight = net.params["b"][0].array[:, :, 0, 0]
    np.testing.assert_allclose(net.grads["a"][0, :, 0], weight.T @ db[0, :, 0])


def ran_backward(net: Net, **how: Any) -> list[str]:
    """The layers whose backward runs."""
    ran: list[str] = []
    with_spies = []
    for each in net.layers:
        original = each.backward

        def spy(*arguments: Any, original: Any = original, name: str = each.spec.name) -> Any:
            ran.append(name)
            return original(*arguments)

        with_spies.append(mock.patch.object(each, "backward", spy))
    for patch in with_spies:
        patch.start()
    try:
        net.backward(**how)
    finally:
        for patch in with_spies:
            patch.stop()
    return ran


def frozen(spec: NetSpec, *names: str) -> NetSpec:
    none = (ParamSpec(lr_mult=0), ParamSpec(lr_mult=0))
    return dataclasses.replace(
        spec,
        layers=tuple(dataclasses.replace(each, param=none) if each.name in names else each for each in spec.layers),
    )


def test_nothing_is_computed_below_the_first_layer_that_learns() -> None:
    x, y = picture(), labels()
    net = small()
    net.forward(data=x, label=y, keep=True)
    every = ["loss", "score", "up", "score_pool", "pool1", "relu1", "conv1"]
    assert ran_backward(net) == every

    half = Net(frozen(SMALL, "conv1"), path="plain")
    half.forward(data=x, label=y, keep=True)
    assert ran_backward(half) == ["loss", "score", "up", "score_pool"]
    assert not half.params["conv1"][0].grad.any() and half.params["score_pool"][0].grad.any()
    np.testing.assert_array_equal(half.params["score_pool"][0].grad, full_gradient(x, y))

    assert ran_backward(half, wrt=["pool1"]) == ["loss", "score", "up", "score_pool"]
    assert half.grads["pool1"].any()
    assert ran_backward(half, wrt=["data"]) == every  # asked for, so computed; the parameters stay zero
    assert half.grads["data"].any() and not half.params["conv1"][0].grad.any()


def full_gradient(x: Array, y: Array) -> Array:
    net = small()
    net.forward(data=x, label=y, keep=True)
    net.backward()
    return net.params["score_pool"][0].grad


def test_a_frozen_parameter_has_no_gradient_and_the_others_have() -> None:
    """A frozen layer propagates the gradient."""
    net = small()
    net.forward(data=picture(), label=labels(), keep=True)
    net.backward()
    assert not net.params["up"][0].grad.any()
    assert net.params["conv1"][0].grad.any() and net.params["conv1"][1].grad.any()


def test_propagate_down_false_stops_the_gradient() -> None:
    def build(*flags: bool) -> Net:
        net = net_of(data(1, 2, 3, 3), conv("a", "data"), conv("b", "a", propagate_down=flags), layer("c", "ReLU", "b"))
        net.forward(data=np.random.default_rng(0).normal(size=(1, 2, 3, 3)), keep=True)
        net.backward(c=np.ones((1, 2, 3, 3)))
        return net

    assert build().params["a"][0].grad.any() and build(True).params["a"][0].grad.any()
    stopped = build(False)
    assert not stopped.params["a"][0].grad.any() and stopped.params["b"][0].grad.any()


def test_fan_out_is_summed() -> None:
    net = net_of(
        data(1, 1, 1, 2),
        layer("a", "Scale", "data", filler={"value": 2.0}),
        layer("b", "Eltwise", "a a", coeff=[1.0, 10.0]),
        layer("c", "Eltwise", "a b data", coeff=[100.0, 1.0, 1000.0]),
    )
    x = np.array([[[[1.0, 2.0]]]])
    assert net.forward(data=x, keep=True)["c"].ravel().tolist() == [1222, 2444]
    net.backward(c=np.array([[[[1.0, 0.0]]]]), wrt=["data"])
    assert net.grads["data"].ravel().tolist() == [1222, 0]
    assert net.params["a"][0].grad.item() == 111


def test_a_parameter_that_one_layer_uses_twice_gets_both_gradients() -> None:
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }
    layer { name: "scale" type: "Scale" bottom: "data" top: "y" SHARED scale_param { bias_term: true } }
    """
    x, dy = np.random.default_rng(0).normal(size=(2, 2, 3, 4, 4))
    apart = Net(parse_net(text.replace("SHARED", "")), phase="TRAIN")
    shared = Net(parse_net(text.replace("SHARED", 'param { name: "w" } param { name: "w" }')), phase="TRAIN")
    for net in (apart, shared):
        net.forward(data=x, keep=True)
        net.backward(y=dy)
    both = sum(each.grad for each in apart.params["scale"])
    np.testing.assert_allclose(shared.params["scale"][0].grad, both, rtol=1e-5)


def test_the_gradient_of_a_layer_frozen_afterwards_reads_as_zero() -> None:
    net = Net(parse_net(LOSS_WITH_PROBABILITIES), phase="TRAIN")
    feeds = {"data": np.ones((2, 3, 4, 4)), "label": np.zeros((2, 1, 4, 4))}
    weight = net.params["score"][0]
    for lr_mult in (1.0, 0.0):
        weight.lr_mult = lr_mult
        net.forward(feeds, keep=True)
        net.backward()
        assert weight.grad.any() == bool(lr_mult)
