"""The net: forward, backward and what holds between calls."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.arrays import Array
from fcnlite.description.spec import LayerSpec, NetSpec, ParamSpec
from fcnlite.engine.parameter import Parameter
from fcnlite.errors import DataError, FcnliteError, ShapeError, SpecError
from fcnlite.formats.caffe import parse_net
from fcnlite.layers.convolution import Convolution
from fcnlite.net import Net

SMALL = parse_net("""
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 9 dim: 9 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 dim: 1 dim: 9 dim: 9 } } }
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } }
}
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer {
  name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { kernel_size: 2 stride: 2 }
}
layer {
  name: "score_pool" type: "Convolution" bottom: "pool1" top: "score_pool"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } }
}
layer {
  name: "up" type: "Deconvolution" bottom: "score_pool" top: "up" param { lr_mult: 0 }
  convolution_param {
    num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false weight_filler { type: "bilinear" }
  }
}
layer { name: "score" type: "Crop" bottom: "up" bottom: "data" top: "score" }
layer {
  name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param { ignore_label: 255 }
}
""")


def small(**how: Any) -> Net:
    return Net(SMALL, path="plain", **how)


def picture(height: int = 9, width: int = 9, batch: int = 1, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(batch, 2, height, width)).astype(np.float32)


def labels(height: int = 9, width: int = 9, batch: int = 1) -> Array:
    return np.random.default_rng(1).integers(0, 3, (batch, height, width))


def layer(name: str, kind: str, bottom: str = "", top: str = "", **rest: Any) -> LayerSpec:
    """Blobs are named in one string, separated by blanks."""
    fields = {key: rest.pop(key) for key in ("param", "loss_weight", "propagate_down", "phase") if key in rest}
    return LayerSpec(name, kind, tuple(bottom.split()), tuple((top or name).split()), rest, **fields)


def data(*shape: int, name: str = "data") -> LayerSpec:
    return layer(name, "Input", shape=[{"dim": list(shape)}])


def conv(name: str, bottom: str, num_output: int = 2, kernel: int = 1, top: str = "", **rest: Any) -> LayerSpec:
    options: dict[str, Any] = {"num_output": num_output, "kernel_size": [kernel], **rest}
    options.setdefault("weight_filler", {"type": "xavier"})
    return layer(name, "Convolution", bottom, top, **options)


def net_of(*layers: LayerSpec, force_backward: bool = False, **how: Any) -> Net:
    how.setdefault("dtype", "float64")
    return Net(NetSpec("net", layers, force_backward), path="plain", **how)


# Forward


@settings(max_examples=15)
@given(sizes=st.lists(st.tuples(st.integers(2, 20), st.integers(2, 20), st.integers(1, 3)), min_size=2, max_size=4))
def test_any_size_at_every_call(sizes: list[tuple[int, int, int]]) -> None:
    net = small()
    for height, width, batch in sizes:
        x = picture(2 * height, 2 * width, batch)
        score = net.forward(data=x)["score"]
        assert score.shape == (batch, 3, 2 * height, 2 * width)
        np.testing.assert_array_equal(score, small().forward(data=x)["score"])  # nothing lingers


def test_plans_made_and_forgotten_do_not_mix() -> None:
    """More combinations of outputs than a net remembers, and back again, over several sizes."""
    net = small()
    names = ["conv1", "pool1", "score_pool", "up", "score"]
    x, smaller = picture(12, 12), picture(8, 8)
    whole = small()
    whole.forward(data=x, keep=True)
    expected = {name: whole.blobs[name].copy() for name in names}
    for mask in [*range(1, 32), *range(1, 32)]:
        wanted = [name for i, name in enumerate(names) if mask >> i & 1]
        net.forward(data=smaller, outputs=wanted)
        found = net.forward(data=x, outputs=wanted)
        assert list(found) == wanted
        for name in wanted:
            np.testing.assert_array_equal(found[name], expected[name])


def test_layers_without_their_inputs_are_left_out() -> None:
    net = small()
    assert set(net.forward(data=picture())) == {"score"}
    assert set(net.forward(data=picture(), label=labels())) == {"loss"}
    assert set(net.forward(data=picture(), keep=True)) == {"score"}


def test_nothing_to_run_is_an_error() -> None:
    with pytest.raises(SpecError, match=r"label"):
        small().forward(label=labels())
    with pytest.raises(SpecError, match=r"data"):
        small().forward()


def test_a_mapping_serves_names_that_are_no_identifiers() -> None:
    net = net_of(data(1, 2, 3, 3, name="the-data"), conv("a/b", "the-data"))
    assert set(net.forward({"the-data": np.ones((1, 2, 3, 3))})) == {"a/b"}


def test_a_blob_called_like_an_argument() -> None:
    net = net_of(data(1, 2, 3, 3, name="inputs"), conv("keep", "inputs"))
    assert set(net.forward(inputs=np.ones((1, 2, 3, 3)))) == {"keep"}
    assert set(net.forward({"inputs": np.ones((1, 2, 3, 3))}, outputs=["keep"])) == {"keep"}


def test_outputs_of_any_blob_and_its_last_value() -> None:
    net = small()
    out = net.forward(data=picture(), outputs=["conv1", "pool1", "data"])
    assert list(out) == ["conv1", "pool1", "data"]
    assert out["conv1"].min() == 0 < out["conv1"].max()  # after relu1, which writes in place
    np.testing.assert_array_equal(out["data"], picture())
    np.testing.assert_array_equal(out["pool1"][0, :, 0, 0], out["conv1"][0, :, :2, :2].max((1, 2)))


def test_outputs_prune_unless_kept() -> None:
    net = small()
    ran: list[str] = []
    original = Convolution.forward

    def spy(self: Convolution, *arguments: Any) -> Any:
        ran.append(self.spec.name)
        return original(self, *arguments)

    with mock.patch.object(Convolution, "forward", spy):
        net.forward(data=picture(), outputs=["pool1"])
        assert ran == ["conv1"]
        ran.clear()
        net.forward(data=picture(), label=labels(), outputs=["pool1"], keep=True)
    assert ran == ["conv1", "score_pool"]
    assert net.blobs["loss"].shape == ()


def test_unneeded_inputs_may_be_fed() -> None:
    assert set(small().forward(data=picture(), label=labels(), outputs=["score"])) == {"score"}


@pytest.mark.parametrize(
    "call",
    [
        lambda net: net.forward(data=picture(), outputs=["pool2"]),
        lambda net: net.forward(data=picture(), keep=True, outputs=["pool2"]),
    ],
)
def test_an_unknown_output_lists_near_ones(call: Any) -> None:
    with pytest.raises(SpecError, match=r"'pool2'.*'pool1'"):
        call(small())


def test_unknown_names_list_near_ones() -> None:
    net = small()
    with pytest.raises(SpecError, match=r"'dat'.*'data'"):
        net.forward(dat=picture())
    with pytest.raises(SpecError, match=r"'conv1'"):
        net.forward(conv1=picture())  # a blob, but no input
    net.forward(data=picture(), keep=True)
    with pytest.raises(SpecError, match=r"'scor'.*'score'"):
        net.backward(scor=np.zeros((1, 3, 9, 9)))
    with pytest.raises(SpecError, match=r"'dat'.*'data'"):
        net.backward(score=np.zeros((1, 3, 9, 9)), wrt=["dat"])


def test_an_output_that_needs_what_was_not_fed() -> None:
    with pytest.raises(SpecError, match=r"'loss'.*label"):
        small().forward(data=picture(), outputs=["loss"])


def test_a_bad_input_names_itself() -> None:
    net = small()
    for wrong in ("text", None, [[1, 2], [3]], np.array([object()])):
        with pytest.raises(FcnliteError, match=r"'data'"):
            net.forward(data=wrong)
    with pytest.raises(ShapeError, match=r"'conv1'.*data 1×3×9×9"):
        net.forward(data=np.zeros((1, 3, 9, 9)))
    with pytest.raises(ShapeError, match=r"'conv1'.*data 2×9×9"):
        net.forward(data=np.zeros((2, 9, 9)))
    with pytest.raises(ShapeError, match=r"'loss'.*score 1×3×9×9.*label 1×8×9"):
        net.forward(data=picture(), label=labels(8, 9))
    with pytest.raises(DataError, match=r"'loss'.*7"):
        net.forward(data=picture(), label=np.full((1, 9, 9), 7))
    assert set(net.forward(data=picture())) == {"score"}  # none the worse


def test_shapes_that_do_not_fit_are_found_at_every_call() -> None:
    net = small()
    for _ in range(2):
        net.forward(data=picture(), label=labels())
        with pytest.raises(ShapeError, match=r"'loss'.*score 1×3×8×9.*label 1×9×9"):
            net.forward(data=picture(8, 9), label=labels())


def test_an_empty_input_is_an_error() -> None:
    for shape in ((0, 2, 9, 9), (1, 2, 0, 9)):
        with pytest.raises(ShapeError, match=rf"'data'.*{'×'.join(map(str, shape))}"):
            small().forward(data=np.zeros(shape))


def test_returned_arrays_are_the_callers_own() -> None:
    net = small(phase="TRAIN")
    names = ["data", "conv1", "pool1", "up", "score", "loss"]
    x, y = picture(), labels()
    first = net.forward(data=x, label=y, outputs=names, keep=True)
    copies = {name: array.copy() for name, array in first.items()}
    net.backward()
    gradient = net.params["conv1"][0].grad.copy()
    again = net.forward(data=x, label=y, outputs=names, keep=True)
    for array in first.values():
        array[...] = -1  # before backward reads what it kept
    net.backward()
    np.testing.assert_array_equal(net.params["conv1"][0].grad, gradient)
    for array in again.values():
        array[...] = np.nan
    third = net.forward(data=picture(), label=y, outputs=names)
    for name in names:
        np.testing.assert_array_equal(third[name], copies[name])
        assert first[name].base is None and first[name].flags.writeable
    np.testing.assert_array_equal(x, picture())
    np.testing.assert_array_equal(first["data"], np.full(x.shape, -1))


def test_arrays_of_one_call_do_not_share_memory() -> None:
    net = net_of(data(1, 2, 3, 3), layer("split", "Split", "data", "a b"), layer("drop", "Dropout", "b", "c"))
    out = net.forward(data=np.ones((1, 2, 3, 3)), outputs=["data", "a", "b", "c"])
    for name in out:
        for other in out:
            assert name == other or not np.shares_memory(out[name], out[other])


def test_fed_arrays_are_never_written() -> None:
    """In-place layers right on the input too."""
    net = net_of(data(1, 2, 3, 3), layer("relu", "ReLU", "data", "data"), conv("score", "data"), phase="TRAIN")
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 3))
    before = x.copy()
    for keep in (False, True):
        net.forward(data=x, keep=keep)
    net.backward(score=np.ones((1, 2, 3, 3)), wrt=["data"])
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(net.forward(data=x, outputs=["data"])["data"], np.maximum(x, 0))
    np.testing.assert_array_equal(x, before)


def test_a_value_read_before_an_in_place_layer_is_not_overwritten() -> None:
    """`a` is read by `before`, then written in place, then read by `after`."""
    net = net_of(
        data(1, 1, 1, 4),
        layer("scale", "Scale", "data", "a", filler={"value": 1.0}),
        layer("before", "Eltwise", "a a"),
        layer("relu", "ReLU", "a", "a"),
        layer("after", "Eltwise", "a a"),
    )
    out = net.forward(data=np.array([[[[-1.0, 2, -3, 4]]]]), outputs=["before", "after", "a"])
    assert out["before"].ravel().tolist() == [-2, 4, -6, 8]
    assert out["after"].ravel().tolist() == [0, 4, 0, 8]
    assert out["a"].ravel().tolist() == [0, 2, 0, 4]


def test_several_nets_in_several_threads() -> None:
    def work(seed: int) -> list[Array]:
        net = small(seed=seed)
        found = []
        for i in range(5):
            x = picture(2 * (seed + i + 4), 20, 2, seed)
            net.forward(data=x, label=labels(*x.shape[2:], 2), keep=True)
            net.backward()
            found += [net.blobs["score"], *(each.grad.copy() for each in net.params["conv1"])]
        return found

    expected = [work(seed) for seed in range(6)]
    with ThreadPoolExecutor(4) as pool:
        for found, reference in zip(pool.map(work, range(6)), expected, strict=True):
            for array, other in zip(found, reference, strict=True):
                np.testing.assert_array_equal(array, other)


# After forward


def test_blobs_and_gradients_need_a_kept_pass() -> None:
    net = small()
    for _ in range(2):
        for look in (lambda: net.blobs, net.backward, net.find_nonfinite, lambda: net.loss):
            with pytest.raises(FcnliteError, match=r"keep=True"):
                look()
        net.forward(data=picture(), keep=True)
        net.forward(data=picture())  # forgets it


def test_blobs_are_those_of_the_last_pass() -> None:
    net = small()
    out = net.forward(data=picture(), label=labels(), keep=True)
    assert {"data", "label", "conv1", "pool1", "score_pool", "up", "score", "loss"} == set(net.blobs)
    assert net.blobs["loss"] == out["loss"] == pytest.approx(net.loss)
    assert net.blobs["conv1"].min() == 0


def test_backward_without_a_loss_says_what_to_do() -> None:
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


def gradients(net: Net) -> dict[str, Array]:
    return {
        f"{name}[{i}]": parameter.grad.copy()
        for name, parameters in net.params.items()
        for i, parameter in enumerate(parameters)
    }


def assert_same(found: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-12, atol=1e-15, err_msg=name)


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


def test_a_later_backward_forgets_what_it_does_not_reach() -> None:
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


def test_input_gradients_where_asked_for() -> None:
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


# What is and is not computed in backward


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
    """A frozen layer in the middle passes the gradient on."""
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
    """loss_weight on a layer that is no loss weighs the sum of its top."""
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


# Fan-out and random nets


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


@st.composite
def random_nets(draw: Any) -> NetSpec:
    """Small nets with skips: every blob keeps 2 channels, sizes are brought together by Crop."""
    layers = [data(1, 2, 6, 7)]
    sizes = {"data": (6, 7)}
    shared_by = draw(st.sampled_from(["", "w"]))
    param = (ParamSpec(name=shared_by, decay_mult=0.0),) if shared_by else ()
    for i in range(draw(st.integers(2, 7))):
        bottom = draw(st.sampled_from(sorted(sizes)))
        height, width = sizes[bottom]
        other = draw(st.sampled_from(sorted(sizes)))
        kind = draw(
            st.sampled_from(["conv", "relu", "pool", "eltwise", "concat", "split", "crop", "deconv", "inplace"])
        )
        top = f"b{i}"
        if kind == "conv":
            layers.append(conv(top, bottom, 2, 3, pad=[1], param=param))
        elif kind == "relu":
            layers.append(layer(top, "ReLU", bottom, negative_slope=0.2))
        elif kind == "inplace" and bottom != "data":
            layers.append(layer(top, "ReLU", bottom, bottom, negative_slope=0.2))
            continue
        elif kind == "dropout" and bottom != "data":
            layers.append(layer(top, "Dropout", bottom, draw(st.sampled_from([bottom, top]))))
            sizes[layers[-1].top[0]] = (height, width)
            continue
        elif kind == "softmax":
            layers.append(layer(top, "Softmax", bottom))
        elif kind == "pool" and height > 3:
            layers.append(layer(top, "Pooling", bottom, kernel_size=2, stride=2, pool="AVE"))
            height, width = -(-height // 2), -(-width // 2)
        elif kind == "eltwise" and sizes[other] == (height, width):
            layers.append(layer(top, "Eltwise", f"{bottom} {other}", operation="SUM", coeff=[1.0, -0.5]))
        elif kind == "concat" and sizes[other] == (height, width):
            layers.append(layer(f"{top}x", "Concat", f"{bottom} {other}"))
            layers.append(conv(top, f"{top}x"))
        elif kind == "split":
            layers.append(layer(top, "Split", bottom, f"{top} {top}s"))
            sizes[f"{top}s"] = (height, width)
        elif kind == "crop" and height >= sizes[other][0] and width >= sizes[other][1]:
            layers.append(layer(top, "Crop", f"{bottom} {other}"))
            height, width = sizes[other]
        elif kind == "deconv" and height < 6:
            filler = {"type": "xavier"}
            layers.append(
                layer(
                    top,
                    "Deconvolution",
                    bottom,
                    num_output=2,
                    kernel_size=[2],
                    stride=[2],
                    weight_filler=filler,
                )
            )
            height, width = 2 * height, 2 * width
        else:
            layers.append(layer(top, "Scale", bottom, filler={"type": "uniform", "min": 0.5}, bias_term=True))
        sizes[top] = (height, width)
    for i, blob in enumerate(draw(st.lists(st.sampled_from(sorted(sizes)), min_size=1, max_size=2))):
        layers.append(data(1, *sizes[blob], name=f"label{i}"))
        layers.append(conv(f"score{i}", blob, 3))
        layers.append(layer(f"loss{i}", "SoftmaxWithLoss", f"score{i} label{i}", loss_weight=(0.5 + i,)))
    return NetSpec("random", tuple(layers))


@settings(max_examples=60)
@given(spec=random_nets(), seed=st.integers(0, 1000))
def test_gradients_of_random_nets_match_finite_differences(spec: NetSpec, seed: int) -> None:
    net = Net(spec, path="plain", dtype="float64", seed=seed)
    rng = np.random.default_rng(seed)
    feeds = {"data": rng.normal(size=(1, 2, 6, 7))}
    for each in spec.layers:
        if each.name.startswith("label"):
            feeds[each.name] = rng.integers(0, 3, each.options["shape"][0]["dim"])

    def loss() -> float:
        net.forward(feeds, keep=True)
        return net.loss

    loss()
    net.backward(wrt=["data"])
    moving = {"data": (feeds["data"], net.grads["data"].copy())}
    for name, parameter in net.learnable():
        moving[name] = (parameter.data, parameter.grad.copy())
    for name, (array, gradient) in moving.items():
        start, direction = array.copy(), rng.uniform(-1, 1, array.shape)
        values = []
        for step in (1e-6, -1e-6):
            array[...] = start + step * direction
            values.append(loss())
        array[...] = start
        measured, predicted = (values[0] - values[1]) / 2e-6, float((gradient * direction).sum())
        scale = max(0.01, float(np.abs(gradient * direction).sum()))
        assert abs(measured - predicted) < 1e-6 * scale, name


@settings(max_examples=30)
@given(spec=random_nets(), data=st.data())
def test_pruning_and_keeping_change_no_value(spec: NetSpec, data: st.DataObject) -> None:
    """What is released or overwritten early is never needed later."""
    net = Net(spec, path="plain", dtype="float64")
    feeds = {"data": np.random.default_rng(0).normal(size=(1, 2, 6, 7))}
    net.forward(feeds, keep=True)
    blobs = {name: array.copy() for name, array in net.blobs.items()}
    wanted = data.draw(st.lists(st.sampled_from(sorted(blobs)), min_size=1, unique=True))
    found = net.forward(feeds, outputs=wanted)
    for name in wanted:
        np.testing.assert_array_equal(found[name], blobs[name])
    for name, array in net.forward(feeds).items():
        np.testing.assert_array_equal(array, blobs[name])


@settings(max_examples=30)
@given(spec=random_nets())
def test_json_makes_the_same_net(spec: NetSpec) -> None:
    again = NetSpec.from_json(spec.to_json())
    assert again == spec
    feeds = {"data": np.ones((1, 2, 6, 7))}
    for name, array in Net(spec, path="plain").forward(feeds).items():
        np.testing.assert_array_equal(Net(again, path="plain").forward(feeds)[name], array)


# Parameters


def test_nets_of_one_seed_are_equal_and_of_others_differ() -> None:
    one, same, other = (small(seed=seed) for seed in (3, 3, 4))
    for name, parameters in one.params.items():
        for i, parameter in enumerate(parameters):
            np.testing.assert_array_equal(parameter.array, same.params[name][i].array)
    for name in ("conv1", "score_pool"):
        assert (one.params[name][0].array != other.params[name][0].array).any()
    assert (one.params["conv1"][0].array.ravel()[:12] != one.params["score_pool"][0].array.ravel()).any()


def test_a_layer_starts_alike_whatever_stands_around_it() -> None:
    alone = net_of(data(1, 2, 3, 3), conv("b", "data"))
    after = net_of(data(1, 2, 3, 3), conv("a", "data"), conv("b", "a"))
    np.testing.assert_array_equal(alone.params["b"][0].array, after.params["b"][0].array)


def test_multipliers_are_those_written_or_one() -> None:
    net = net_of(data(1, 2, 3, 3), conv("a", "data", param=(ParamSpec(lr_mult=2, decay_mult=0),)))
    assert [(each.lr_mult, each.decay_mult) for each in net.params["a"]] == [(2, 0), (1, 1)]


def test_parameters_of_statistics_do_not_learn() -> None:
    net = net_of(data(1, 2, 3, 3), layer("bn", "BatchNorm", "data"), phase="TRAIN")
    assert [each.lr_mult for each in net.params["bn"]] == [0, 0, 0] and net.learnable() == []


def sharing(*names: str, **options: Any) -> tuple[LayerSpec, ...]:
    param = tuple(ParamSpec(name=each) for each in names)
    return (
        data(1, 2, 3, 3),
        conv("a", "data", param=param, weight_filler={"type": "gaussian"}),
        conv("b", "a", param=param, weight_filler={"type": "gaussian"}, **options),
    )


def test_parameters_of_one_name_are_one() -> None:
    net = net_of(*sharing("w"))
    assert net.params["a"][0] is net.params["b"][0] and net.params["a"][1] is not net.params["b"][1]
    assert [name for name, _ in net.learnable()] == ["a[0]", "a[1]", "b[1]"]
    apart = net_of(*sharing())
    for name in "ab":
        apart.params[name][0].data = net.params["a"][0].array
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 3))
    for each in (net, apart):
        each.forward(data=x, keep=True)
        each.backward(b=x)
    total = apart.params["a"][0].grad + apart.params["b"][0].grad
    np.testing.assert_allclose(net.params["a"][0].grad, total)
    net.backward(b=x, accumulate=True)
    np.testing.assert_allclose(net.params["a"][0].grad, 2 * total)


def test_sharers_of_different_shapes_are_named() -> None:
    with pytest.raises(ShapeError, match=r"'b'.*5×2×1×1.*2×2×1×1"):
        net_of(*sharing("w", num_output=5))


def test_sharers_of_different_multipliers_are_named() -> None:
    layers = list(sharing("w"))
    layers[1] = dataclasses.replace(layers[1], param=(ParamSpec("w", lr_mult=2),))
    layers[2] = dataclasses.replace(layers[2], param=(ParamSpec("w", lr_mult=5),))
    with pytest.raises(SpecError, match=r"'b'.*lr_mult.*5.*'w'.*2"):
        net_of(*layers)


@pytest.mark.parametrize("writer", [1, 2])
def test_a_multiplier_may_be_written_at_any_one_of_the_sharers(writer: int) -> None:
    layers = list(sharing("w"))
    layers[writer] = dataclasses.replace(layers[writer], param=(ParamSpec("w", lr_mult=5, decay_mult=0),))
    shared = net_of(*layers).params["a"][0]
    assert (shared.lr_mult, shared.decay_mult) == (5, 0)


def test_read_only_parameters_are_copied_when_written() -> None:
    """Values mapped from a file are used as they are until somebody may write to them."""
    start = small()
    mapped = {name: [each.array.copy() for each in parameters] for name, parameters in start.params.items()}
    for arrays in mapped.values():
        for array in arrays:
            array.flags.writeable = False
    net = small(shared={name: [Parameter(each) for each in arrays] for name, arrays in mapped.items()})
    np.testing.assert_array_equal(net.forward(data=picture())["score"], start.forward(data=picture())["score"])
    for name, parameters in net.params.items():
        for parameter, array in zip(parameters, mapped[name], strict=True):
            assert np.shares_memory(parameter.array, array)
            parameter.data[...] += 1
            np.testing.assert_array_equal(parameter.array, array + 1)
    for name, parameters in start.params.items():
        for parameter, array in zip(parameters, mapped[name], strict=True):
            np.testing.assert_array_equal(array, parameter.array)


def test_parameters_are_contiguous_whatever_they_start_from() -> None:
    """Layers and solvers write through flattened views."""
    parameter = Parameter(np.arange(6.0).reshape(2, 3).T)
    parameter.data.reshape(-1)[0] = 7
    parameter.grad.reshape(-1)[0] = 8
    assert parameter.array.tolist() == [[7, 3], [1, 4], [2, 5]] and parameter.grad[0, 0] == 8


def test_the_only_picture_needs_no_name() -> None:
    net, x = small(), picture()
    expected = net.forward(data=x)
    for made in (net.forward(x), net(x), net(x.tolist()), net(data=x), net({"data": x})):
        assert made.keys() == expected.keys()
        for name, array in made.items():
            np.testing.assert_array_equal(array, expected[name])
    blobs = {"label": labels()}
    assert net(x, **blobs, keep=True) == net.forward(data=x, **blobs)
    assert list(net(x, outputs=["conv1"])) == ["conv1"]
    with pytest.raises(SpecError, match=r"input 'data' was given twice"):
        net.forward(x, data=x)
    with pytest.raises(SpecError, match=r"input 'data' has dtype"):
        net("data")


def test_pictures_of_a_net_of_several_need_their_names() -> None:
    net = Net(
        parse_net("""
        input: "color" input: "depth"
        layer { name: "sum" type: "Eltwise" bottom: "color" bottom: "depth" top: "sum" }
        """)
    )
    with pytest.raises(SpecError, match=r"has 2: 'color', 'depth'; give each input by its name"):
        net.forward(picture())


def test_names_of_layers_have_near_matches() -> None:
    net = small()
    assert net.layer("conv1").spec.name == "conv1"
    for look in (net.params.__getitem__, net.layer):
        with pytest.raises(SpecError, match=r"'conv_1'.*did you mean 'conv1'") as error:
            look("conv_1")
        assert isinstance(error.value, KeyError)
    assert "conv_1" not in net.params and net.params.get("conv_1") is None
    assert net.params == dict(net.params) and list(net.params) == list(dict(net.params))
    test_only = Net(parse_net(TWO_PHASES), phase="TRAIN")
    with pytest.raises(SpecError, match=r"layer 'accuracy' does not run in this net's phase, TRAIN"):
        test_only.layer("accuracy")


TWO_PHASES = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }
layer { name: "accuracy" type: "ReLU" bottom: "data" top: "a" include { phase: TEST } }
"""


def test_array_is_a_read_only_view_of_the_present_values() -> None:
    net = small()
    parameter = net.params["conv1"][0]
    view = parameter.array
    with pytest.raises(ValueError, match="read-only"):
        view[...] = 0
    with pytest.raises(ValueError, match="read-only"):
        parameter.array += 1  # type: ignore[misc]
    assert np.shares_memory(view, parameter.data) and parameter.data.flags.writeable
    parameter.data[...] = 3
    assert (view == 3).all()


def test_setting_data_takes_a_copy_and_checks_the_shape() -> None:
    net = small()
    values = np.ones(net.params["conv1"][0].shape)
    net.params["conv1"][0].data = values
    values[...] = 7
    assert (net.params["conv1"][0].array == 1).all() and net.params["conv1"][0].array.dtype == np.float32
    with pytest.raises(ShapeError, match=r"4×2×3×3.*1×2"):
        net.params["conv1"][0].data = np.ones((1, 2))
    net.params["conv1"][0].data += 1
    assert (net.params["conv1"][0].array == 2).all()


def test_writing_between_passes_counts() -> None:
    net = small()
    held = net.params["score_pool"][1].data
    before = net.forward(data=picture())["score"]
    held += 1
    net.changed()
    np.testing.assert_allclose(
        net.forward(data=picture())["score"][:, :, 2:-2, 2:-2], before[:, :, 2:-2, 2:-2] + 1, atol=1e-5
    )


def test_a_shared_net_has_the_same_arrays() -> None:
    spec = parse_net("""
        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }
        layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param {
            num_output: 50 weight_filler { type: "xavier" } } }
        layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" include { phase: TRAIN } }
        layer { name: "more" type: "InnerProduct" bottom: "fc" top: "more" include { phase: TEST }
            inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
    """)
    train = Net(spec, phase="TRAIN", path="plain")
    test = train.share(phase="TEST")
    assert test.phase == "TEST" and test.params["fc"][0] is train.params["fc"][0]
    assert set(test.params) == {"fc", "more"} and set(train.params) == {"fc"}
    train.params["fc"][0].data[...] = 1
    train.params["fc"][1].data[...] = 0
    x = np.ones((1, 2, 3, 3))
    np.testing.assert_array_equal(test.forward(data=x, outputs=["fc"])["fc"], np.full((1, 50), 18))
    assert set(np.unique(train.forward(data=x)["fc"])) == {0, 36}


def test_parameters_wait_for_a_size_that_the_description_lacks() -> None:
    net = net_of(layer("data", "Input"), conv("a", "data"))
    with pytest.raises(ShapeError, match=r"data"):
        _ = net.params
    assert net.forward(data=np.ones((1, 5, 3, 3)))["a"].shape == (1, 2, 3, 3)
    assert net.params["a"][0].shape == (2, 5, 1, 1)


# Descriptions that make no net


@pytest.mark.parametrize(
    ("layers", "error", "words"),
    [
        ([conv("a", "data")], SpecError, r"'a'.*'data'"),
        ([data(1, 2, 3, 3), conv("a", "data", padd=[1])], SpecError, r"'a'.*'padd'.*'pad'"),
        ([data(1, 2, 3, 3), conv("a", "data"), conv("b", "data", top="a")], SpecError, r"'b'.*'a'"),
        ([data(1, 2, 3, 3), conv("a", "data", 2, 5)], ShapeError, r"'a'.*data 1×2×3×3"),
        ([data(1, 2, 3, 3), conv("a", "data", weight_filler={"type": "xavies"})], SpecError, r"'a'.*xavies"),
        ([data(1, 2, 3, 3), conv("a", "data", param=(ParamSpec(),) * 3)], SpecError, r"'a'.*3"),
        ([data(1, 2, 3, 3), conv("a", "data", loss_weight=(1.0, 1.0))], SpecError, r"'a'.*loss_weight"),
        (
            [data(1, 2, 3, 3), conv("a", "data", propagate_down=(True, True))],
            SpecError,
            r"'a'.*propagate_down",
        ),
    ],
)
def test_a_wrong_description_is_named(layers: list[LayerSpec], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        net_of(*layers)


@pytest.mark.parametrize("how", [{"phase": "VALIDATE"}, {"path": "quick"}, {"dtype": "float16"}])
def test_a_wrong_choice_is_named(how: dict[str, str]) -> None:
    with pytest.raises(SpecError, match=next(iter(how.values()))):
        Net(SMALL, **how)


def test_the_fast_path_is_for_float32() -> None:
    with pytest.raises(SpecError, match=r"float64.*plain"):
        Net(SMALL, path="fast", dtype="float64")
    assert small().forward(data=picture())["score"].dtype == np.float32


def test_the_fast_path_gives_the_plain_ones_scores() -> None:
    plain, fast = small(), Net(SMALL, path="fast")
    np.testing.assert_allclose(fast.forward(data=picture())["score"], plain.forward(data=picture())["score"], atol=1e-5)


# Finding NaN


def test_find_nonfinite_says_where_it_began() -> None:
    net = small()
    net.forward(data=picture(), label=labels(), keep=True)
    assert net.find_nonfinite() is None

    x = picture()
    x[0, 0, 3, 3] = np.inf
    net.forward(data=x, label=labels(), keep=True)
    assert "'data'" in str(net.find_nonfinite())

    net.params["score_pool"][1].data[1] = np.nan
    net.forward(data=picture(), label=labels(), keep=True)
    assert "'score_pool'" in str(net.find_nonfinite())
    net.params["conv1"][0].data[0, 0, 0, 0] = np.nan
    net.forward(data=picture(), label=labels(), keep=True)
    assert "'conv1'" in str(net.find_nonfinite()) and "score_pool" not in str(net.find_nonfinite())


LOSS_WITH_PROBABILITIES = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 1 dim: 4 dim: 4 } } }
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
        convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" top: "prob" }
"""
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


def test_inputs_without_shapes_may_be_fed_in_turns() -> None:
    text = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" }}'
        f'layer {{ name: "conv_{name}" type: "Convolution" bottom: "{name}" top: "y_{name}" '
        f'convolution_param {{ num_output: 2 kernel_size: 1 }} param {{ name: "w" }} }}'
        for name in ("a", "b")
    )
    net = Net(parse_net(text))
    x = np.zeros((1, 3, 2, 2))
    net.forward(a=x)
    owner = net.params["conv_a"][0]
    assert net.forward(a=x, b=x).keys() == {"y_a", "y_b"}
    assert net.params["conv_a"][0] is owner
    assert net.params["conv_b"][0] is owner


def test_parameters_beyond_any_net_are_refused_before_they_are_allocated() -> None:
    spec = parse_net(
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
        'layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" '
        "inner_product_param { num_output: 2000000000 } }"
    )
    with pytest.raises(ShapeError, match=r"layer 'fc', parameter 0: shape .* would take .* GiB"):
        Net(spec)


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


def test_batch_norm_of_a_blob_of_one_axis_keeps_the_unbiased_variance() -> None:
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 5 } } }
    layer { name: "bn" type: "BatchNorm" bottom: "data" top: "y" }
    """
    net = Net(parse_net(text), phase="TRAIN")
    x = np.array([1.0, 2, 3, 4, 5])
    net.forward(data=x)
    assert net.params["bn"][1].array[0] == pytest.approx(x.var(ddof=1))


def test_a_blob_beyond_any_memory_is_refused_before_it_is_allocated() -> None:
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } } }
    layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
            convolution_param { num_output: 2000000 kernel_size: 3 pad: 1048576 } }
    """
    with pytest.raises(ShapeError, match=r"layer 'conv' .* top conv of shape .* would take .* GiB"):
        Net(parse_net(text))


@pytest.mark.parametrize("filler", ['"xavier"', '"msra"', '"gaussian" sparse: 1'])
def test_a_parameter_without_axes_takes_any_filler(filler: str) -> None:
    text = f"""
    layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 3 }} }} }}
    layer {{ name: "scale" type: "Scale" bottom: "data" top: "y"
            scale_param {{ axis: 0 num_axes: 0 filler {{ type: {filler} }} }} }}
    """
    net = Net(parse_net(text))
    assert net.params["scale"][0].shape == ()
    assert np.isfinite(net.forward(data=np.ones((2, 3)))["y"]).all()


def test_outputs_without_axes_are_arrays() -> None:
    text = "".join(f'layer {{ name: "{n}" type: "Input" top: "{n}" input_param {{ shape {{ }} }} }}' for n in "ab")
    net = Net(parse_net(text + 'layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }'))
    assert isinstance(net.forward(a=1.0, b=2.0)["sum"], np.ndarray)


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
def test_a_kernel_whose_column_alone_is_beyond_the_scratch_memory_is_refused(kind: str) -> None:
    text = f"""
    layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 16 dim: 4 dim: 4 }} }} }}
    layer {{ name: "wide" type: "{kind}" bottom: "data" top: "y"
            convolution_param {{ num_output: 16 kernel_size: 2000 pad: 999 }} }}
    """
    with pytest.raises(ShapeError, match=r"layer 'wide' .*64,000,000 values at once"):
        Net(parse_net(text))
