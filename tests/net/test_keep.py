"""What forward keeps for backward, and blobs kept in full although a wide pad makes rows equal."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite.arrays import Array
from fcnlite.errors import FcnliteError, SpecError
from fcnlite.net import PATHS, Net
from tests.compiler.path_comparison import (
    GRADIENT_BAR,
    assert_near,
    conv,
    filled,
    gradient_errors,
    in_place,
    layer,
    normal,
    pool,
    spec_of,
)
from tests.net.nets import labels, picture, small

WIDE = spec_of(
    (2, 3, 30, 34),
    conv("conv1", "data", 8, pad=[40]),
    in_place("ReLU", "conv1"),
    pool("pool1", "conv1"),
    conv("conv2", "pool1", 8, pad=[1]),
    in_place("ReLU", "conv2"),
    pool("pool2", "conv2"),
    conv("conv3", "pool2", 8, pad=[1], bias_term=False),
    layer("norm", "BatchNorm", "conv3", "conv3"),
    in_place("ReLU", "conv3"),
    in_place("Dropout", "conv3"),
    conv("score", "conv3", 4, 1),
)
FEEDS = {"data": normal(0, 2, 3, 30, 34)}


def wide(path: str = "fast") -> Net:
    return filled(WIDE, phase="TRAIN", path=path)


def statistics(net: Net) -> list[Array]:
    return [each.array.copy() for each in net.params["norm"]]


def dscore(net: Net) -> Array:
    return normal(1, *net.blobs["score"].shape)


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


def test_the_gradient_of_a_blob_that_was_not_kept_in_full_is_an_error() -> None:
    net = wide()
    net.forward(FEEDS, keep=True)
    with pytest.raises(FcnliteError, match=r"'pool1'.*keep=\['pool1'\]"):
        net.backward(score=dscore(net), wrt=["pool1"])
    net.backward(score=dscore(net), wrt=["data", "conv3"])
    assert net.grads["data"].any() and net.grads["conv3"].any()


def test_the_gradient_of_a_blob_that_was_kept_in_full_is_that_of_the_reference_path() -> None:
    found = gradient_errors(wide(), FEEDS, ["pool1", "data"])
    assert {"pool1", "data", "conv1[0]", "conv3[0]", "score[0]"} <= found.keys()
    assert max(found.values()) <= GRADIENT_BAR, found


def test_keeping_a_blob_in_full_changes_no_other_gradient() -> None:
    found = []
    for keep in (True, ["pool1"]):
        net = wide()
        net.forward(FEEDS, keep=keep)
        net.backward(score=dscore(net), wrt=["data"])
        found.append({"data": net.grads["data"], **{name: each.grad for name, each in net.learnable()}})
    for name, gradient in found[0].items():
        assert_near(found[1][name], gradient, GRADIENT_BAR, name)


@pytest.mark.parametrize("path", PATHS)
def test_backward_does_not_run_forward_again(path: str) -> None:
    once = wide(path)
    once.forward(FEEDS, keep=True)
    net = wide(path)
    net.forward(FEEDS, keep=["pool1"])
    after = statistics(net)
    blobs = net.blobs
    for _ in range(2):
        net.backward(score=dscore(net), wrt=["pool1"])
        assert net.iteration == once.iteration == 1
        for found, kept, single in zip(statistics(net), after, statistics(once), strict=True):
            np.testing.assert_array_equal(found, kept)
            assert_near(found, single)
        for name, blob in net.blobs.items():
            np.testing.assert_array_equal(blob, blobs[name])
    dropped, expected = net.blobs["conv3"] == 0, once.blobs["conv3"] == 0
    assert np.mean(dropped != expected) < 1e-3  # ReLU may differ where a value is nearly 0


@pytest.mark.parametrize("path", PATHS)
def test_names_to_keep_that_are_wrong(path: str) -> None:
    net = wide(path)
    with pytest.raises(SpecError, match=r"'pool1'; expected True, False or a list of blobs: keep=\['pool1'\]"):
        net.forward(FEEDS, keep="pool1")
    with pytest.raises(SpecError, match=r"'pool7'.*'pool1'"):
        net.forward(FEEDS, keep=["pool1", "pool7"])
    assert net.iteration == 0
