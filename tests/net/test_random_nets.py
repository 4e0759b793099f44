"""Random nets: gradients equal finite differences; neither pruning nor keeping nor JSON changes a value."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.description.spec import NetSpec
from fcnlite.net import Net
from tests.net.nets import random_nets


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
    """No step reads a blob that was released or overwritten before."""
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
