"""Softmax losses in one pass: the kernels against NumPy on every instruction set, and the layers on both paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.arrays import Array
from fcnlite.compiler.operations.softmax_loss import SoftmaxLoss
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import DataError
from fcnlite.net import Net
from tests.compiler.convolution.problems import EACH_ISA, guarded, machine_with
from tests.compiler.path_comparison import assert_near, does, normal, plan_of, reference_net


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


@EACH_ISA
@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 25), st.integers(1, 6), st.integers(1, 40)),
    spread=st.sampled_from([0.1, 1.0, 30.0, 300.0]),
    smallest=st.sampled_from([1e-37, 1e-20]),  # just above where the kernel's exp becomes 0
    threads=st.sampled_from([1, 3]),
)
def test_the_kernels(
    instructions: str, shape: tuple[int, int, int, int], spread: float, smallest: float, threads: int
) -> None:
    n, channels, height, width = shape
    kernels, rng = machine_with(instructions).kernels, np.random.default_rng(0)
    x = (spread * normal(0, *shape)).astype(np.float32)
    label = rng.integers(0, channels, (n, height, width))
    importance = (rng.integers(0, 2, label.shape) * rng.uniform(0.5, 3, label.shape)).astype(np.float32)
    expected = softmax(x.astype(np.float64))
    with guarded(*shape) as p:
        loss = kernels.softmax_loss(x, label, importance, smallest, p, threads)
    np.testing.assert_allclose(p, expected, atol=1e-6)
    chosen = np.take_along_axis(expected, label[:, None], axis=1)[:, 0]
    assert loss == pytest.approx(-(np.log(np.maximum(chosen, smallest)) * importance).sum(), rel=1e-5, abs=1e-5)

    with guarded(*shape) as dx:
        kernels.softmax_loss_backward(p, label, importance, 0.25, dx, threads)
    hot = np.arange(channels)[:, None, None] == label[:, None]
    np.testing.assert_allclose(dx, 0.25 * (expected - hot) * importance[:, None], atol=3e-6)


@EACH_ISA
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 19])
def test_values_that_are_not_finite_make_the_loss_not_finite(instructions: str, bad: float, place: int) -> None:
    """Both in a whole vector of pixels and in the remainder."""
    x, label = normal(0, 1, 5, 1, 20), np.zeros((1, 1, 20), np.int64)
    x[0, 2, 0, place] = bad
    p = np.zeros_like(x)
    loss = machine_with(instructions).kernels.softmax_loss(x, label, np.ones(label.shape, np.float32), 1e-20, p, 1)
    assert np.isnan(loss) and np.isnan(p[0, :, 0, place]).any()


def net_of(
    shape: tuple[int, ...],
    label: tuple[int, ...],
    two_tops: bool = False,
    type_: str = "SoftmaxWithLoss",
    **options: Any,
) -> Net:
    inputs = [
        LayerSpec(name, "Input", top=(name,), options={"shape": [{"dim": list(each)}]})
        for name, each in (("data", shape), ("label", label))
    ]
    tops = ("loss", "prob") if two_tops else ("loss",)
    loss = LayerSpec("loss", type_, ("data", "label"), tops, options)
    return Net(NetSpec("made", (*inputs, loss)), phase="TRAIN")


@pytest.mark.parametrize("normalization", ["VALID", "FULL", "BATCH_SIZE", "NONE"])
@pytest.mark.parametrize(
    ("shape", "label", "options", "fast"),
    [
        ((2, 5, 7, 9), (2, 1, 7, 9), {}, True),
        ((2, 5, 7, 33), (2, 7, 33), {"ignore_label": 255}, True),
        ((1, 21, 1, 1), (1, 1, 1), {"ignore_label": 0}, True),
        ((4, 6), (4,), {}, True),
        ((2, 3, 4, 5), (2, 3, 4), {"axis": 3}, False),
    ],
)
def test_the_layer(
    shape: tuple[int, ...], label: tuple[int, ...], options: dict[str, Any], fast: bool, normalization: str
) -> None:
    classes = shape[options.get("axis", 1)]
    values = np.random.default_rng(0).integers(0, classes, label)
    if options.get("ignore_label") == 255:
        values[..., ::3] = 255
    feeds = {"data": normal(0, *shape), "label": values.astype(np.float32)}
    net = net_of(shape, label, normalization=normalization, **options)
    assert isinstance(does(plan_of(net, feeds, keep=True), "loss"), SoftmaxLoss) == fast
    assert_same(net, feeds)


def assert_same(net: Net, feeds: dict[str, Array]) -> None:
    """Loss and gradient are those of the reference path."""
    found = []
    for each in (net, reference_net(net)):
        each.forward(feeds, keep=True)
        each.backward(wrt=["data"])
        found.append((each.loss, each.grads["data"]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert_near(found[0][1], found[1][1], 1e-5)


@pytest.mark.parametrize(
    ("matrix", "fast"),
    [
        (np.eye(5), True),
        (np.diag([0.5, 2, 0, 1, 30]), True),
        (np.eye(5) + 0.01, False),
    ],
)
@pytest.mark.parametrize("spread", [1, 200])
def test_infogain_loss_of_a_diagonal_matrix(matrix: Array, fast: bool, spread: float) -> None:
    values = np.random.default_rng(0).integers(0, 5, (2, 7, 33))
    values[..., ::3] = 255
    feeds = {"data": spread * normal(0, 2, 5, 7, 33), "label": values.astype(np.float32)}
    shapes = feeds["data"].shape, values.shape
    net = net_of(*shapes, type_="InfogainLoss", matrix=tuple(matrix.ravel().tolist()), ignore_label=255)
    assert isinstance(does(plan_of(net, feeds, keep=True), "loss"), SoftmaxLoss) == fast
    assert_same(net, feeds)


def test_infogain_loss_of_fewer_axes_is_left_to_the_layer() -> None:
    """Axis −3 of three axes is the first; the operation computes only over the second."""
    net = net_of((3, 4, 5), (4, 5), type_="InfogainLoss", matrix=tuple(np.eye(3).ravel().tolist()), axis=-3)
    assert_same(net, {"data": normal(0, 3, 4, 5), "label": np.ones((4, 5))})


@pytest.mark.parametrize("keep", [False, True])
def test_probabilities_are_the_callers_own(keep: bool) -> None:
    net = net_of((1, 5, 6, 7), (1, 6, 7), two_tops=True)
    feeds = {"data": normal(0, 1, 5, 6, 7), "label": np.zeros((1, 6, 7))}
    first = net.forward(feeds, keep=keep)["prob"]
    np.testing.assert_allclose(first, softmax(feeds["data"]), atol=1e-6)
    copy = first.copy()
    net.forward(data=-feeds["data"], label=feeds["label"], keep=keep)
    np.testing.assert_array_equal(first, copy)


def test_labels_that_are_not_classes_are_named() -> None:
    net = net_of((1, 5, 6, 20), (1, 6, 20))
    with pytest.raises(DataError, match="layer 'loss'"):
        net.forward(data=normal(0, 1, 5, 6, 20), label=np.full((1, 6, 20), 5))
