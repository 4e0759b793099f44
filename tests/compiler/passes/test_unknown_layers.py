"""Layers that no pass rewrites, between those that passes rewrite."""

from __future__ import annotations

import pytest

from fcnlite.arrays import Array
from fcnlite.description.spec import LayerSpec
from tests.compiler.passes.small_nets import FEEDS, net_of
from tests.compiler.path_comparison import (
    GRADIENT_BAR,
    assert_all_near,
    assert_same_gradients,
    assert_same_outputs,
    conv,
    filled,
    gradients,
    in_place,
    layer,
    normal,
    pool,
    reference_net,
    spec_of,
)


def test_layers_of_all_kinds_between() -> None:
    layers = (
        conv("a", "data", 20, pad=[1]),
        layer("lrn", "LRN", "a", local_size=3, alpha=0.1),
        pool("b", "lrn"),
        LayerSpec("parts", "Slice", ("b",), ("left", "right"), {"slice_point": [7]}),
        layer("mvn", "MVN", "left"),
        conv("c", "mvn", 6),
        layer("elu", "ELU", "right"),
        layer("flat", "Flatten", "c"),
        layer("fc", "InnerProduct", "flat", num_output=9),
        layer("soft", "Softmax", "fc"),
    )
    net = net_of(*layers)
    assert_all_near(net.forward(FEEDS), reference_net(net).forward(FEEDS))
    found, expected = gradients(net, FEEDS), gradients(reference_net(net), FEEDS)
    assert_all_near(found, expected, GRADIENT_BAR)


@pytest.mark.parametrize("shape", [(1, 16, 1, 1), (2, 3, 1, 9), (1, 1, 9, 1)])
def test_pictures_of_a_pixel_or_a_row(shape: tuple[int, ...]) -> None:
    feeds: dict[str, Array] = {"data": normal(1, *shape)}
    layers = (conv("a", "data", 20, pad=[1]), in_place("ReLU", "a"), pool("b", "a"), conv("c", "b", 4, 1))
    assert_same_outputs(filled(spec_of(shape, *layers)), feeds)
    assert_same_gradients(filled(spec_of(shape, *layers)), feeds)


def test_running_sums_grow_although_the_output_is_not_read() -> None:
    silence = LayerSpec("s", "Silence", ("n",))
    net = net_of(conv("a", "data", 20), layer("n", "BatchNorm", "a"), silence, conv("b", "a", 4), phase="TRAIN")
    before = net.params["n"][2].array.copy()
    net.forward(FEEDS)
    assert net.params["n"][2].array == pytest.approx(0.999 * before + 1)
