"""Nets that start from the weights of others, and what became of each parameter."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import surgery
from fcnlite.description.fillers import bilinear_kernel
from fcnlite.description.model_info import ModelInfo
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import ShapeError
from fcnlite.surgery import outcomes
from tests.surgery.nets import convolution, deconvolution, inner_product, net_of

RNG = np.random.default_rng(0)
DATA = LayerSpec("data", "Input", top=("data",), options={"shape": [{"dim": [1, 3, 8, 8]}]})


def test_a_net_takes_fitting_weights_expands_scores_and_fills_the_rest() -> None:
    net = net_of(
        convolution("conv", weight_filler={"type": "constant"}),
        convolution("score", num_output=5, kernel_size=[1]),
        LayerSpec("features", "Convolution", ("data",), ("features",), {"num_output": 4, "kernel_size": [3]}),
        deconvolution("up"),
    )
    weights = {
        "conv": [np.ones((3, 3, 3, 3)), np.zeros(3)],
        "score": [np.ones((2, 3, 1, 1)), np.ones(2)],
        "up": [np.ones((2, 2, 4, 4))],
        "other": [np.ones(4)],
    }
    transfers = surgery.start_from(net, weights, "w.caffemodel")
    assert {(each.layer, each.index): each.outcome for each in transfers} == {
        ("conv", 0): "taken",
        ("conv", 1): "taken",
        ("score", 0): "expanded",
        ("score", 1): "expanded",
        ("features", 0): "left",
        ("features", 1): "left",
        ("up", 0): "left",
        ("other", 0): "unused",
    }
    assert net.params["features"][0].array.std() == pytest.approx((2 / 27) ** 0.5, rel=0.3)
    np.testing.assert_allclose(net.params["up"][0].array[1, 1], bilinear_kernel(4), rtol=1e-6)
    heading, *lines, empty, counted = outcomes.table(net, transfers).splitlines()
    assert heading.split() == ["layer", "type", "shapes", "outcome"] and not empty
    assert [line.split("  ")[-1].strip() for line in lines] == [
        "taken",
        "expanded",
        "left: msra, left: zero",
        "left: bilinear",
        "dropped",
    ]
    assert "2×3×1×1, 2 → 5×3×1×1, 5" in lines[1]
    assert counted == "8 parameters: 2 taken, 0 coerced, 2 expanded, 1 dropped, 3 left at their fillers"


def test_weights_of_another_net_are_refused() -> None:
    net = net_of(convolution("conv"), convolution("other"))
    with pytest.raises(ShapeError, match=r"w\.caffemodel: none of its 1 layers \(ip, \.\.\.\) fits a layer"):
        surgery.start_from(net, {"ip": [np.ones((3, 3))]}, "w.caffemodel")
    given = {"conv": [np.ones((3, 3, 5, 5)), np.ones(3)]}
    with pytest.raises(ShapeError, match=r"w\.caffemodel: does not fit .*conv\[0\]: shape differs"):
        surgery.start_from(net, given, "w.caffemodel")


def test_a_convolutional_classifier_has_all_parameters_of_the_classifier() -> None:
    spec, info = NetSpec("small", (DATA, inner_product("fc"))), ModelInfo(classes=("a", "b", "c"))
    weights = {"fc": [RNG.normal(size=(3, 192)).astype("f4"), np.ones(3, "f4")]}
    net, (weight, bias) = surgery.convolutional_classifier(spec, weights, info, "w.caffemodel")
    assert net.info == info
    assert (weight.outcome, weight.found, weight.wanted) == ("coerced", (3, 192), (3, 3, 8, 8))
    assert bias.outcome == "taken"
    np.testing.assert_array_equal(net.params["fc"][0].array.ravel(), weights["fc"][0].ravel())
    with pytest.raises(ShapeError, match=r"w\.caffemodel: has no bias for 'fc'"):
        surgery.convolutional_classifier(spec, {"fc": weights["fc"][:1]}, info, "w.caffemodel")
    with pytest.raises(ShapeError, match=r"w\.caffemodel: holds 3 blobs for layer 'fc'"):
        surgery.convolutional_classifier(spec, {"fc": [*weights["fc"], np.ones(3)]}, info, "w.caffemodel")


def test_the_files_of_two_trunks_are_renamed() -> None:
    layers = {"conv_color", "conv_hha", "score"}
    color, hha = ({"conv": [np.full(1, i)], "score": [np.full(1, i)]} for i in (0, 1))

    def values(given: list[surgery.Weights]) -> dict[str, int]:
        renamed = surgery.renamed(layers, given, ("_color", "_hha"))
        return {name: int(arrays[0][0]) for name, arrays in renamed.items()}

    assert values([color, hha]) == {"conv_color": 0, "conv_hha": 1, "score": 0}
    assert values([hha]) == {"conv_color": 1, "conv_hha": 1, "score": 1}
