"""Outputs: which blobs are returned, which layers run, and that the arrays belong to the caller."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest

from fcnlite.errors import SpecError
from fcnlite.formats.caffe import parse_net
from fcnlite.layers.convolution import Convolution
from fcnlite.net import Net
from tests.net.nets import SMALL, data, labels, layer, net_of, picture, small


def test_plans_made_and_forgotten_do_not_mix() -> None:
    """With more combinations of outputs than a net caches, repeated, for several sizes."""
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
        net.forward(conv1=picture())  # a blob, but not an input
    net.forward(data=picture(), keep=True)
    with pytest.raises(SpecError, match=r"'scor'.*'score'"):
        net.backward(scor=np.zeros((1, 3, 9, 9)))
    with pytest.raises(SpecError, match=r"'dat'.*'data'"):
        net.backward(score=np.zeros((1, 3, 9, 9)), wrt=["dat"])


def test_an_output_that_needs_a_missing_input() -> None:
    with pytest.raises(SpecError, match=r"'loss'.*label"):
        small().forward(data=picture(), outputs=["loss"])


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


def test_the_fast_path_gives_the_reference_paths_scores() -> None:
    reference, fast = small(), Net(SMALL, path="fast")
    np.testing.assert_allclose(
        fast.forward(data=picture())["score"], reference.forward(data=picture())["score"], atol=1e-5
    )


def test_outputs_without_axes_are_arrays() -> None:
    text = "".join(f'layer {{ name: "{n}" type: "Input" top: "{n}" input_param {{ shape {{ }} }} }}' for n in "ab")
    net = Net(parse_net(text + 'layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }'))
    assert isinstance(net.forward(a=1.0, b=2.0)["sum"], np.ndarray)
