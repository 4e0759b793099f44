"""Padding elision: rows that a wide pad makes equal are computed once; the result is the plain one for every size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from fcnlite.compiler import Plan
from fcnlite.errors import ShapeError
from fcnlite.net import Net
from fcnlite.spec import LayerSpec
from tests.compiler.twins import (
    GRADIENT_BAR,
    assert_all_near,
    assert_near,
    assert_same_gradients,
    assert_same_outputs,
    conv,
    does,
    filled,
    gradients,
    in_place,
    layer,
    normal,
    plain_twin,
    plan_of,
    pool,
    spec_of,
)
from tests.random_nets import FLAG, Draw


def rectified(name: str, bottom: str, outputs: int, **options: Any) -> tuple[LayerSpec, ...]:
    return conv(name, bottom, outputs, **options), in_place("ReLU", name)


def trunk(pad: int = 100, skips: bool = True, width: int = 4) -> tuple[LayerSpec, ...]:
    """VGG's first three stages and what the FCN-8s reads of them, narrow."""
    layers = [*rectified("conv1_1", "data", width, pad=[pad]), *rectified("conv1_2", "conv1_1", width, pad=[1])]
    below = "pool1"
    layers.append(pool("pool1", "conv1_2"))
    for stage, convolutions in ((2, 2), (3, 3)):
        for i in range(1, convolutions + 1):
            name = f"conv{stage}_{i}"
            layers += rectified(name, below, width, pad=[1])
            below = name
        layers.append(pool(f"pool{stage}", below))
        below = f"pool{stage}"
    layers += rectified("conv4_1", "pool3", width, pad=[1])
    layers.append(pool("pool4", "conv4_1"))
    layers += rectified("fc6", "pool4", width, kernel_size=7)
    if skips:
        layers += [conv("score_pool3", "pool3", 2, 1), conv("score_pool4", "pool4", 2, 1)]
    return tuple(layers)


def net_of(layers: tuple[LayerSpec, ...], *size: int) -> Net:
    return filled(spec_of((1, 3, *size), *layers))


def feed(*size: int, batch: int = 1) -> dict[str, np.ndarray]:
    return {"data": normal(3, batch, 3, *size)}


def rows_of(plan: Plan, name: str) -> tuple[int, ...]:
    """Height and width of what the operation of a layer makes."""
    return does(plan, name).outputs[0].shape[2:]


def test_a_pad_of_100_is_made_smaller() -> None:
    feeds = feed(64, 64)
    plan = assert_same_outputs(net_of(trunk(), 64, 64), feeds)
    assert plan.notes["elide"]
    # (64 + 198) / 8 rounded up are 33 rows of pool3.
    assert rows_of(plan, "pool3") < (33, 33)
    assert rows_of(plan, "conv4_1") == (17, 17)


@pytest.mark.parametrize("height", range(1, 41))
def test_every_small_size(height: int) -> None:
    """Heights 1 to 40 by widths that make each remainder meet others, on one net."""
    net = net_of(trunk(), 40, 40)
    for width in {height, 41 - height, 7 * height % 41 or 40}:
        assert_same_outputs(net, feed(height, width))


@pytest.mark.slow
@pytest.mark.parametrize("height", range(1, 41))
def test_every_pair_of_small_sizes(height: int) -> None:
    net = net_of(trunk(width=2), 40, 40)
    for width in range(1, 41):
        assert_same_outputs(net, feed(height, width))


@pytest.mark.parametrize("size", [(1, 1), (3, 250), (199, 1), (97, 131)])
def test_other_shapes(size: tuple[int, int]) -> None:
    plan = assert_same_outputs(net_of(trunk(), *size), feed(*size, batch=2))
    assert plan.notes["elide"]


@pytest.mark.parametrize("outputs", [["pool3"], ["pool1"], ["conv1_1"], ["pool2", "fc6"], ["score_pool3"], ["conv3_2"]])
def test_what_is_asked_for_is_whole(outputs: list[str]) -> None:
    feeds = feed(33, 50)
    net = net_of(trunk(), 33, 50)
    assert_same_outputs(net, feeds, outputs)


@pytest.mark.parametrize("how", ["Dropout", "Split"])
def test_an_output_that_drop_has_renamed_is_whole(how: str) -> None:
    layers = (
        *rectified("a", "data", 4, pad=[8]),
        *rectified("b", "a", 4),
        pool("c", "b"),
        layer("d", how, "c"),
    )
    assert_same_outputs(net_of(layers, 1, 1), feed(1, 1))
    assert_same_outputs(net_of((*layers, conv("e", "d", 4)), 1, 1), feed(1, 1), ["d", "e"])
    assert_same_outputs(net_of((*layers, conv("e", "d", 4)), 1, 1), feed(1, 1), ["c", "e"])


def test_what_others_read_is_whole() -> None:
    """A blob that no convolution reads keeps all its rows."""
    feeds = feed(20, 30)
    layers = (*trunk(), layer("tanh", "TanH", "pool3"), layer("mean", "Pooling", "pool2", pool="AVE", kernel_size=3))
    plan = assert_same_outputs(net_of(layers, 20, 30), feeds)
    assert rows_of(plan, "tanh") == does(plan, "pool3").outputs[0].shape[2:]


def test_nothing_of_it_with_small_pads() -> None:
    for pad in (1, 7):
        plan = assert_same_outputs(net_of(trunk(pad)[:19], 40, 40), feed(40, 200))
        assert not plan.notes["elide"]


@pytest.mark.parametrize("pad", [8, 9, 15, 16, 30, 31, 52, 99, 101, 150])
def test_other_pads(pad: int) -> None:
    for size in ((1, 1), (16, 23)):
        assert_same_outputs(net_of(trunk(pad)[:19], *size), feed(*size))


@pytest.mark.parametrize("pads", [(100, 0), (0, 100), (60, 100), (100, 8)])
def test_pads_that_differ(pads: tuple[int, int]) -> None:
    layers = (conv("conv1_1", "data", 4, pad=list(pads)), *trunk()[1:16])
    assert_same_outputs(net_of(layers, 30, 41), feed(30, 41))


@pytest.mark.parametrize("keep", [False, True])
def test_a_window_that_would_not_fit_any_more(keep: bool) -> None:
    """The shorter chain is tried, and must not be put in place where a later window has no room in it."""
    layers = (conv("a", "data", 3, 1, pad=[8, 9], stride=[2]), pool("b", "a", 3, 1), conv("c", "b", 3, 1, pad=[1]))
    net, feeds = net_of(layers, 1, 1), feed(1, 1)
    assert_all_near(net.forward(feeds, keep=keep), plain_twin(net).forward(feeds, keep=keep))


@st.composite
def chains(draw: Draw) -> tuple[LayerSpec, ...]:
    """Convolutions and poolings of any windows behind a wide pad, and up to two readers."""
    kernel = draw(st.integers(1, 7))
    layers = [
        conv("c0", "data", 3, kernel, pad=[draw(st.integers(8, 60)), draw(st.integers(8, 60))],
             stride=[draw(st.sampled_from([1, 1, 2, 4]))], dilation=[draw(st.sampled_from([1, 1, 2]))])
    ]  # fmt: skip
    below = "c0"
    for i in range(1, draw(st.integers(2, 6))):
        if draw(FLAG):
            kernel = draw(st.integers(1, 4))
            layers += [
                pool(f"p{i}", below, kernel, draw(st.integers(1, kernel)),
                     pad_h=draw(st.integers(0, kernel - 1)), pad_w=draw(st.integers(0, kernel - 1)),
                     round_mode=draw(st.sampled_from(["CEIL", "CEIL", "FLOOR"])))
            ]  # fmt: skip
            below = f"p{i}"
        else:
            kernel = draw(st.integers(1, 5))
            options = {"stride": [draw(st.sampled_from([1, 1, 1, 2]))], "dilation": [draw(st.sampled_from([1, 1, 2]))]}
            pad = draw(st.one_of(st.integers(0, kernel), st.integers(0, kernel), st.integers(8, 20)))
            both = rectified(f"c{i}", below, 3, kernel_size=kernel, pad=[pad], **options)
            layers += both[: draw(st.integers(1, 2))]
            below = f"c{i}"
    layers += [conv("last", below, 3, draw(st.integers(1, 3)), pad=[1])]
    if draw(FLAG):
        layers += [conv("skip", below, 2, 1)]
    return tuple(layers)


@settings(max_examples=100)
@given(layers=chains(), size=st.tuples(st.integers(1, 50), st.integers(1, 50)))
def test_any_chain_behind_a_wide_pad(layers: tuple[LayerSpec, ...], size: tuple[int, int]) -> None:
    try:
        net = net_of(layers, *size)
    except ShapeError:
        reject()
    assert_same_outputs(net, feed(*size))


# In training


def plain_blobs(net: Net, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    plain = plain_twin(net)
    plain.forward(feeds, keep=True)
    return plain.blobs


def is_short(net: Net, feeds: dict[str, np.ndarray]) -> bool:
    return any(value.repeats is not None for value in plan_of(net, feeds, keep=True).graph.versions.values())


@pytest.mark.parametrize("size", [(1, 1), (33, 50), (64, 40), (97, 131)])
def test_blobs_are_whole_and_gradients_the_plain_ones(size: tuple[int, int]) -> None:
    """A row that stands for several gets the sum of their gradients."""
    net, feeds = net_of(trunk(), *size), feed(*size, batch=2)
    assert is_short(net, feeds)
    net.forward(feeds, keep=True)
    assert_all_near(net.blobs, plain_blobs(net, feeds))
    assert_same_gradients(net, feeds)


@pytest.mark.parametrize("seeded", [["pool1"], ["conv1_1"], ["pool3", "conv2_1"], ["score_pool3", "conv3_3"]])
def test_gradients_that_begin_within(seeded: list[str]) -> None:
    size = (20, 31)
    net, feeds = net_of(trunk(), *size), feed(*size)
    results = []
    for each in (net, plain_twin(net)):
        each.forward(feeds, keep=True)
        each.backward({name: normal(i, *each.blobs[name].shape) for i, name in enumerate(seeded)}, wrt=["data"])
        learned = {name: parameter.grad.copy() for name, parameter in net.learnable()}
        results.append({**learned, "data": each.grads["data"]})
    assert_all_near(*results, GRADIENT_BAR)


def test_gradients_of_blobs_within() -> None:
    """They are wanted row by row, each by itself, so the pass is made again with all of them."""
    size = (20, 31)
    net, feeds = filled(spec_of((1, 3, *size), *trunk()[:19]), phase="TRAIN"), feed(*size)
    wanted = ["conv1_1", "pool1", "conv3_1", "data"]
    iteration = net.iteration
    found = gradients(net, feeds, wanted)
    assert net.iteration == iteration + 1
    expected = gradients(plain_twin(net), feeds, wanted)
    for name in found.keys() - set(wanted):
        assert_near(found[name], expected[name], GRADIENT_BAR, name)
    for name in wanted:  # of equal values in a window another may have won: the sums over windows stay
        assert found[name].shape == expected[name].shape
        np.testing.assert_allclose(found[name].sum(), expected[name].sum(), rtol=1e-3, atol=1e-3)
    assert_near(found["data"], expected["data"], GRADIENT_BAR)


@settings(max_examples=40)
@given(layers=chains(), size=st.tuples(st.integers(1, 30), st.integers(1, 30)))
def test_training_of_any_chain_behind_a_wide_pad(layers: tuple[LayerSpec, ...], size: tuple[int, int]) -> None:
    try:
        net = net_of(layers, *size)
    except ShapeError:
        reject()
    feeds = feed(*size)
    net.forward(feeds, keep=True)
    assert_all_near(net.blobs, plain_blobs(net, feeds))
    assert_same_gradients(net, feeds)


def test_a_value_that_is_not_finite_is_found_in_a_short_pass() -> None:
    net, feeds = net_of(trunk(), 20, 20), feed(20, 20)
    net.params["conv2_2"][0].data[0, 0, 0, 0] = np.inf
    net.forward(feeds, keep=True)
    assert "conv2_2" in str(net.find_nonfinite())
