"""In training, rows that a wide pad makes equal are computed once; gradients equal the reference path's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from fcnlite.description.spec import LayerSpec
from fcnlite.errors import ShapeError
from fcnlite.net import Net
from tests.compiler.path_comparison import (
    GRADIENT_BAR,
    assert_all_near,
    assert_near,
    assert_same_gradients,
    conv,
    filled,
    gradients,
    normal,
    plan_of,
    pool,
    reference_net,
    spec_of,
)
from tests.compiler.wide_pads import chains, feed, net_of, trunk


def reference_blobs(net: Net, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    reference = reference_net(net)
    reference.forward(feeds, keep=True)
    return reference.blobs


def is_short(net: Net, feeds: dict[str, np.ndarray]) -> bool:
    return any(value.repeats is not None for value in plan_of(net, feeds, keep=True).graph.versions.values())


@pytest.mark.parametrize("size", [(1, 1), (33, 50), (64, 40), (97, 131)])
def test_blobs_are_whole_and_gradients_equal(size: tuple[int, int]) -> None:
    """A row that is read several times gets the sum of the gradients."""
    net, feeds = net_of(trunk(), *size), feed(*size, batch=2)
    assert is_short(net, feeds)
    net.forward(feeds, keep=True)
    assert_all_near(net.blobs, reference_blobs(net, feeds))
    assert_same_gradients(net, feeds)


@pytest.mark.parametrize("seeded", [["pool1"], ["conv1_1"], ["pool3", "conv2_1"], ["score_pool3", "conv3_3"]])
def test_gradients_given_for_inner_blobs(seeded: list[str]) -> None:
    size = (20, 31)
    net, feeds = net_of(trunk(), *size), feed(*size)
    results = []
    for each in (net, reference_net(net)):
        each.forward(feeds, keep=True)
        each.backward({name: normal(i, *each.blobs[name].shape) for i, name in enumerate(seeded)}, wrt=["data"])
        learned = {name: parameter.grad.copy() for name, parameter in net.learnable()}
        results.append({**learned, "data": each.grads["data"]})
    assert_all_near(*results, GRADIENT_BAR)


@pytest.mark.parametrize(
    ("kept", "last"), [("score_pool3", "pool3"), ("pool3", "pool2"), ("conv2_1", "pool1"), ("pool1", None)]
)
def test_the_layers_before_a_blob_in_full_stay_elided(kept: str, last: str | None) -> None:
    size = (20, 31)
    net, feeds = filled(spec_of((1, 3, *size), *trunk()), phase="TRAIN"), feed(*size)
    net.forward(feeds, keep=[kept])
    assert net._last is not None
    versions = net._last.schedule.last
    short = [name for name, version in versions.items() if not net._last.in_full(version)]
    assert (short[-1] if short else None) == last


def test_gradients_of_blobs_within() -> None:
    """Each row of such a gradient is wanted, so these blobs are kept in full."""
    size = (20, 31)
    net, feeds = filled(spec_of((1, 3, *size), *trunk()[:19]), phase="TRAIN"), feed(*size)
    wanted = ["conv1_1", "pool1", "conv3_1", "data"]
    iteration = net.iteration
    found = gradients(net, feeds, wanted)
    assert net.iteration == iteration + 1
    expected = gradients(reference_net(net), feeds, wanted)
    for name in found.keys() - set(wanted):
        assert_near(found[name], expected[name], GRADIENT_BAR, name)
    for name in wanted:  # another of equal values may be the maximum; the sums over windows are equal
        assert found[name].shape == expected[name].shape
        np.testing.assert_allclose(found[name].sum(), expected[name].sum(), rtol=1e-3, atol=1e-3)
    assert_near(found["data"], expected["data"], GRADIENT_BAR)


def test_a_window_that_would_no_longer_fit() -> None:
    """The smaller pad is tried, but not used if a later window does not fit."""
    layers = (conv("a", "data", 3, 1, pad=[8, 9], stride=[2]), pool("b", "a", 3, 1), conv("c", "b", 3, 1, pad=[1]))
    net, feeds = net_of(layers, 1, 1), feed(1, 1)
    assert_all_near(net.forward(feeds, keep=True), reference_net(net).forward(feeds, keep=True))


@settings(max_examples=40)
@given(layers=chains(), size=st.tuples(st.integers(1, 30), st.integers(1, 30)))
def test_training_of_any_chain_after_a_wide_pad(layers: tuple[LayerSpec, ...], size: tuple[int, int]) -> None:
    try:
        net = net_of(layers, *size)
    except ShapeError:
        reject()
    feeds = feed(*size)
    net.forward(feeds, keep=True)
    assert_all_near(net.blobs, reference_blobs(net, feeds))
    assert_same_gradients(net, feeds)


def test_a_value_that_is_not_finite_is_found_in_a_short_pass() -> None:
    net, feeds = net_of(trunk(), 20, 20), feed(20, 20)
    net.params["conv2_2"][0].data[0, 0, 0, 0] = np.inf
    net.forward(feeds, keep=True)
    assert "conv2_2" in str(net.find_nonfinite())
